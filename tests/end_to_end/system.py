"""`antiphon up` as a child process, and what the operating system knows of it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from antiphon.client import Client, connect
from antiphon.protocol.errors import Unavailable
from antiphon.protocol.stage import Stage
from antiphon.v1 import control_pb2 as wire

START_TIMEOUT_S = 40.0
READY_TIMEOUT_S = 60.0
CLI = (sys.executable, "-m", "antiphon.cli")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cli(
    *arguments: str, stdin: str = "", timeout_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    return subprocess.run(
        [*CLI, *arguments],
        input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip


def until(reached: Callable[[], bool], timeout_s: float, what: str) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < deadline_s, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)


class Up:
    """A whole system over one data directory; may be killed and started again."""

    def __init__(
        self,
        directory: Path,
        *options: str,
        replicas: int = 2,
        environment: dict[str, str] | None = None,
        log: str = "log",
    ) -> None:
        self.data = directory / "data"
        self.log = directory / log
        self.address = f"127.0.0.1:{free_port()}"
        self._replicas = replicas
        self._options = options
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "started"
        return self._process

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *CLI, "up", "--data", str(self.data), "--listen", self.address,
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
            return connect(self.address, token=token, wait_s=START_TIMEOUT_S)
        except Unavailable as error:
            ended = self.process.poll()
            raise AssertionError(f"{error.message}; exit {ended}: {self.tail()}") from error

    def ready(self) -> Client:
        """A client, once every replica answers."""
        client = self.connect()
        until(lambda: all_ready(client.status(), self._replicas), READY_TIMEOUT_S, self.tail())
        return client

    def tail(self) -> str:
        """The end of the log: what a failing test should show."""
        return self.log.read_text(errors="replace")[-2_000:]

    def kill(self) -> None:
        """SIGKILL to the controller's process alone."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def interrupt(self) -> float:
        """Ctrl-C; how long the end took, in seconds."""
        started_s = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(15)
        return time.monotonic() - started_s

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


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


def processes_of(data: Path) -> set[int]:
    """Every living process that was started for this data directory, workers included."""
    found = {pid for pid, line in _command_lines() if str(data) in line}
    size = -1
    while size != len(found):
        size = len(found)
        found |= {pid for pid in _living() if _parent(pid) in found}
    return found


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
