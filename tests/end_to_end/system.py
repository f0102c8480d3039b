"""`antiphon up` as a child process, and what the operating system knows of it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from antiphon.client import Client, connect
from antiphon.protocol.errors import ReplicaFailed, Unavailable
from antiphon.protocol.stage import Stage
from antiphon.v1 import control_pb2 as wire

PATIENCE_S: Final = 150.0  # for what must come, on however busy a machine
LOG_BYTES_SHOWN: Final = 4_000
CLI: Final = (sys.executable, "-m", "antiphon.cli")


def reserved_port() -> socket.socket:
    """A port of this machine that nobody else gets while the socket is open: bound, and nobody
    listens there but whom we tell of it. One that is merely free for now may be another's a moment
    later, be it only as the near end of some client's connection."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: they may share it
    place.bind(("127.0.0.1", 0))
    return place


def address_of(place: socket.socket) -> str:
    host, port = place.getsockname()
    return f"{host}:{port}"


def run(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """To its end; if that does not come, what it said until then is told."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False,
            **{"timeout": PATIENCE_S, **options},
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"{late}; it said {late.stdout!r} and {late.stderr!r}") from None


def cli(
    *arguments: str, stdin: str = "", timeout_s: float = PATIENCE_S
) -> subprocess.CompletedProcess[str]:
    """One command of `antiphon`, to its end."""
    return run([*CLI, *arguments], input=stdin, timeout=timeout_s)


def until(reached: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.05)


class Up:
    """A whole system over one data directory; may be killed and started again, at one address."""

    def __init__(
        self,
        directory: Path,
        *options: str,
        replicas: int = 2,
        environment: dict[str, str] | None = None,
        log: str = "log",
        within: Sequence[str] = (),
    ) -> None:
        """`within`: a command that becomes the one that follows it, as `env` does."""
        self.data = directory / "data"
        self.log = directory / log
        self._place = reserved_port()
        self.address = address_of(self._place)
        self._replicas = replicas
        self._options = options
        self._within = within
        # What it decides is told where a test fails.
        self._environment = {**os.environ, "ANTIPHON_CONTROLLER_LOG": "info", **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._last_words = ""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "started"
        return self._process

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._within, *CLI, "up", "--data", str(self.data), "--listen", self.address,
                    "--replicas", str(self._replicas), "--watch-stdin", *self._options,
                ],
                stdin=subprocess.PIPE,  # closes with the tests
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )  # fmt: skip

    def connect(self, token: str | None = None) -> Client:
        try:
            return connect(self.address, token=token, wait_s=PATIENCE_S, patience_s=PATIENCE_S)
        except Unavailable as error:
            raise AssertionError(f"{error.message}; exit {self.process.poll()}") from error

    def ready(self) -> Client:
        """A client, once every replica answers."""
        client = self.connect()
        until(lambda: all_ready(client.status(), self._replicas), "every replica is ready")
        return client

    def tail(self) -> str:
        """The end of the log."""
        return _end_of(self.log)

    def described(self) -> str:
        """How it is, as far as can be told, or how it was when its test failed."""
        if self._last_words:
            return self._last_words
        logs = [self.log, *sorted(self.data.glob("replicas/*/log"))]
        told = [f"{log}:\n{_end_of(log)}" for log in logs if log.exists()]
        if self.is_alive:
            with contextlib.suppress(AssertionError):
                status = cli("status", "-a", self.address, timeout_s=20.0)
                told.append(status.stdout + status.stderr)
        else:
            told.append(f"exit {self.process.poll()}")
        return "\n".join(told)

    def kill(self) -> None:
        """SIGKILL to the controller's process alone."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def interrupt(self) -> float:
        """Ctrl-C; how long the end took, in seconds of a processor that this process was given
        meanwhile: where others compute as well, or the machine stalls, those are fewer than went
        by."""
        deadline_s, started_s = time.monotonic() + PATIENCE_S, time.thread_time()
        self.process.send_signal(signal.SIGINT)
        while self.is_alive:
            assert time.monotonic() < deadline_s, "it does not end"
        return time.thread_time() - started_s

    def __enter__(self) -> Self:
        started.append(self)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._last_words = self.described()
        if self.is_alive:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._place.close()


started: list[Up] = []  # by the test that runs, and by fixtures that last longer


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-LOG_BYTES_SHOWN:]


def is_ready(replica: wire.ReplicaInfo) -> bool:
    return (
        replica.link == "connected"
        and replica.stage == int(Stage.READ_WRITE)
        and all(collection.hydrated for collection in replica.collections)
    )


def all_ready(status: wire.GetStatusResponse, count: int) -> bool:
    return len(status.replicas) == count and all(is_ready(r) for r in status.replicas)


def replica_of(client: Client, name: str) -> wire.ReplicaInfo:
    return next(r for r in client.status().replicas if r.name == name)


def kill_replica(client: Client, name: str) -> Callable[[], bool]:
    """SIGKILL. Returns whether another process runs in its place, and is ready: one that was
    killed is shown as it was until its death is noticed."""
    killed = replica_of(client, name).process_id
    assert killed, f"{name} runs"
    os.kill(killed, signal.SIGKILL)

    def is_back() -> bool:
        now = replica_of(client, name)
        return now.process_id not in (0, killed) and now.accepted and is_ready(now)

    return is_back


def rows_on(client: Client, replica: str, sql: str) -> list[tuple[Any, ...]]:
    """What one replica answers. Its link may be lost at any moment, as when the machine stalls:
    nothing was done then, so it is asked again."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return client.sql(sql, replica=replica).rows()
        except ReplicaFailed:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.2)


def all_ended(directory: Path) -> None:
    """Waits until no process is left that was started for it; some take a moment to notice that
    who started them is gone."""
    until(lambda: not processes_of(directory), f"all processes of {directory} have ended")


def processes_of(data: Path) -> set[int]:
    """Every living process that was started for this data directory, workers included."""
    found = {pid for pid, line in _command_lines() if str(data) in line}
    size = -1
    while size != len(found):
        size = len(found)
        found |= {pid for pid in _living() if _parent(pid) in found}
    return found


def children_of(process: int) -> list[int]:
    """A replica's front has one: its worker."""
    return [pid for pid in _living() if _parent(pid) == process]


def listening_addresses(processes: Iterable[int]) -> set[str]:
    """Local addresses of the TCP sockets on which any of these processes listens."""
    inodes = set()
    for pid in processes:
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    target = os.readlink(entry.path)
                    if target.startswith("socket:["):
                        inodes.add(target[8:-1])
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                addresses.add(_address(fields[1]))
    return addresses


def _address(field: str) -> str:
    packed = bytes.fromhex(field.split(":", maxsplit=1)[0])
    words = b"".join(packed[i : i + 4][::-1] for i in range(0, len(packed), 4))
    text = socket.inet_ntop(socket.AF_INET if len(words) == 4 else socket.AF_INET6, words)
    return text.removeprefix("::ffff:")  # IPv4 through a socket of both families


def _living() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _command_lines() -> Iterable[tuple[int, str]]:
    for pid in _living():
        if pid == os.getpid():
            continue
        with contextlib.suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            if line:  # a zombie's is empty
                yield pid, line.decode(errors="replace")


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        stat = Path(f"/proc/{pid}/stat").read_text()
        state, parent = stat.rpartition(")")[2].split()[:2]
        if state != "Z":
            return int(parent)
    return -1
