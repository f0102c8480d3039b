"""Replicas as processes of this machine: started, watched, restarted, ended with their parent.

A child listens on a Unix socket in a directory of its own (0700), logs to a file there, and holds
the read end of a pipe as its standard input: when the parent is gone, however it went, the pipe
closes and the child leaves. A child that dies is started again, later each time it dies young; one
that answers nobody any more is killed, and so started again too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

import structlog

from antiphon.controller.io.orchestrator.watchdog import until_silent
from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.io.channel import UNIX_PATH_BYTES_MAX

RESTART_BACKOFF_MIN_S: Final = 0.1
RESTART_BACKOFF_MAX_S: Final = 10.0
LOG_BYTES_MAX: Final = 8 << 20  # of a replica's log, and as much again of what came before
LOG_CHECK_S: Final = 10.0
SOCKET: Final = "socket"
STABLE_S: Final = 10.0  # a child that lived so long starts over with the shortest wait
# From SIGTERM to SIGKILL. Short, because a replica holds no truth that its end could lose, and
# Ctrl-C stops everything within two seconds.
TERMINATE_S: Final = 0.7
REPLICA_COMMAND: Final = (sys.executable, "-m", "antiphon.cli", "replica")

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Child:
    """One replica's process, as people see it."""

    name: str
    address: str
    process_id: int | None = None
    restarts: int = 0
    last_exit: str = ""


class Orchestrator(Protocol):
    """Where replicas run."""

    def address(self, name: str) -> str:
        """Where it would listen.

        Raises:
            InvalidArgument: it could not listen there.
        """
        ...

    def start(self, name: str) -> str:
        """Start a replica, and keep it running. Returns its address. One that runs goes on."""
        ...

    async def stop(self, name: str) -> None:
        """End it for good. Nothing happens if it does not exist."""
        ...

    def child(self, name: str) -> Child | None: ...

    async def stop_all(self) -> None: ...


class LocalOrchestrator:
    """Subprocesses of this process.

    Args:
        directory: each replica has a directory of its name here.
        controller: the address that replicas are given.
        command: what starts a replica, before its options.
        environment: of the children; None: ours.
    """

    def __init__(
        self,
        directory: Path,
        controller: str,
        *,
        command: Sequence[str] = REPLICA_COMMAND,
        environment: dict[str, str] | None = None,
    ) -> None:
        self._directory = directory
        self._controller = controller
        self._command = tuple(command)
        self._environment = environment
        self._children: dict[str, Child] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}

    def address(self, name: str) -> str:
        return socket_of(self._directory, name)

    def start(self, name: str) -> str:
        if name in self._children:
            return self._children[name].address
        child = Child(name=name, address=f"unix:{self._directory / name / SOCKET}")
        self._children[name] = child
        self._tasks[name] = asyncio.ensure_future(self._keep(child, self._directory / name))
        return child.address

    async def stop(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            del self._children[name]
            task.cancel()
            self._ending[name] = task
            task.add_done_callback(lambda _: self._ending.pop(name, None))
        ending = self._ending.get(name)
        if ending is not None:
            await asyncio.wait({ending})

    def child(self, name: str) -> Child | None:
        return self._children.get(name)

    async def stop_all(self) -> None:
        await asyncio.gather(*(self.stop(name) for name in list(self._tasks)))

    async def _keep(self, child: Child, home: Path) -> None:
        """Run it, again and again, until canceled."""
        loop = asyncio.get_running_loop()
        backoff_s = RESTART_BACKOFF_MIN_S
        while True:
            started = loop.time()
            try:
                # Somebody may have removed it; a replica without its directory starts anew.
                _make(home)
                with (home / "log").open("ab") as log:
                    child.last_exit = _exit(await self._run(child, home, log))
            except OSError as error:
                # No process or file to be had now: later, perhaps. Nobody else would try again.
                child.last_exit = f"not started: {error}"
            lived_s = loop.time() - started
            _log.warning("replica.ended", replica=child.name, exit=child.last_exit)
            stable = lived_s >= STABLE_S
            backoff_s = RESTART_BACKOFF_MIN_S if stable else min(backoff_s, RESTART_BACKOFF_MAX_S)
            await asyncio.sleep(backoff_s)
            backoff_s *= 2
            child.restarts += 1

    async def _run(self, child: Child, home: Path, log: IO[bytes]) -> int:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *("--listen", child.address, "--data", str(home)),
            *("--controller", self._controller, "--name", child.name),
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=self._environment,
            # Ctrl-C at a terminal goes to the foreground group; the parent ends its children.
            start_new_session=True,
        )
        child.process_id = process.pid
        _log.info("replica.started", replica=child.name, process=process.pid)
        beside = (
            asyncio.ensure_future(_keep_bounded(home / "log")),
            asyncio.ensure_future(_kill_if_silent(child, process)),
        )
        try:
            return await process.wait()
        finally:
            for task in beside:
                task.cancel()
            child.process_id = None
            await _end(process)


def socket_of(directory: Path, name: str) -> str:
    """Where a replica of that name listens.

    Raises:
        InvalidArgument: the system does not take sockets with so long a path.
    """
    path = directory / name / SOCKET
    if len(os.fsencode(path)) > UNIX_PATH_BYTES_MAX:
        raise InvalidArgument(
            f"{directory.parent}: the path is too long for the replicas' sockets, which have at"
            f" most {UNIX_PATH_BYTES_MAX} bytes; use a shorter --data",
            replica=name,
        )
    return f"unix:{path}"


def _make(home: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)


async def _kill_if_silent(child: Child, process: asyncio.subprocess.Process) -> None:
    await until_silent(child.address)
    _log.error("replica.silent", replica=child.name, process=process.pid)
    with contextlib.suppress(ProcessLookupError):
        process.kill()  # a frozen process takes no other signal


async def _keep_bounded(log: Path) -> None:
    while True:
        await asyncio.sleep(LOG_CHECK_S)
        with contextlib.suppress(OSError):  # there is nothing to do about it here
            await asyncio.to_thread(bound_log, log)


def bound_log(log: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
    """Beyond its bound, a log becomes `log.1`, and goes on empty. Its writer appends, so it need
    not know; what it writes at this very moment may be lost."""
    if log.stat().st_size > bytes_max:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL if it does not listen. Runs on cancellation too."""
    if process.returncode is not None:
        return
    # It may end by itself at any moment. That is no error, and one from here would take the place
    # of the cancellation that brought us here: the child would be started again.
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), TERMINATE_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _exit(code: int) -> str:
    if code >= 0:
        return f"exit {code}"
    known = {int(one): one.name for one in signal.Signals}
    return known.get(-code, f"signal {-code}")
