"""Local replicas: started, watched, started again, and gone with their parent."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from antiphon.controller.io.orchestrator import local, watchdog
from antiphon.controller.io.orchestrator.local import Child, LocalOrchestrator, bound_log
from tests.controller.io.serving import until

# After --listen, --data, --controller and --name: leaves a mark of each start, and ends when its
# standard input closes. A shell starts at once, also where another interpreter takes seconds.
MARK = 'echo "$8 $6" >> "$4/starts"; '
CHILD = ("sh", "-c", MARK + "exec cat", "child")
STUBBORN = ("sh", "-c", "trap '' TERM; " + MARK + "exec sleep 600", "child")


@pytest.fixture
async def orchestrator(tmp_path: Path) -> AsyncIterator[LocalOrchestrator]:
    orchestrator = LocalOrchestrator(tmp_path, "127.0.0.1:1", command=CHILD)
    yield orchestrator
    await orchestrator.stop_all()


def starts(directory: Path) -> int:
    marks = directory / "starts"
    return len(marks.read_text().splitlines()) if marks.exists() else 0


async def started(orchestrator: LocalOrchestrator, home: Path) -> tuple[Child, int]:
    """Replica r1 and its process. The child may leave its mark before its parent knows of it."""
    child = orchestrator.child("r1")
    assert child is not None
    await until(lambda: child.process_id is not None and starts(home) >= 1, "a start")
    assert child.process_id is not None
    return child, child.process_id


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_child_has_a_private_directory_and_a_socket_in_it(
    orchestrator: LocalOrchestrator, tmp_path: Path
) -> None:
    address = orchestrator.start("r1")
    assert address == f"unix:{tmp_path}/r1/socket"
    await until(lambda: starts(tmp_path / "r1") == 1, "a start")
    assert stat.S_IMODE((tmp_path / "r1").stat().st_mode) == 0o700
    assert (tmp_path / "r1" / "starts").read_text() == "r1 127.0.0.1:1\n"


async def test_a_child_that_dies_is_started_again(
    orchestrator: LocalOrchestrator, tmp_path: Path
) -> None:
    orchestrator.start("r1")
    child, process_id = await started(orchestrator, tmp_path / "r1")
    os.kill(process_id, signal.SIGKILL)
    await until(lambda: starts(tmp_path / "r1") == 2, "another start")
    assert (child.restarts, child.last_exit) == (1, "SIGKILL")


async def test_a_child_whose_directory_was_removed_is_started_in_a_new_one(
    orchestrator: LocalOrchestrator, tmp_path: Path
) -> None:
    home = tmp_path / "r1"
    orchestrator.start("r1")
    child, process_id = await started(orchestrator, home)
    shutil.rmtree(home)
    home.touch()  # in the way of the directory: for now nothing can be started
    os.kill(process_id, signal.SIGKILL)
    await until(lambda: child.last_exit.startswith("not started"), "a failure to start")
    home.unlink()
    await until(lambda: starts(home) == 1, "a start in a new directory")


async def test_a_child_that_dies_at_once_is_started_ever_more_rarely(tmp_path: Path) -> None:
    orchestrator = LocalOrchestrator(tmp_path, "x:1", command=("sh", "-c", "exit 3"))
    began_s = time.monotonic()
    orchestrator.start("r1")
    child = orchestrator.child("r1")
    assert child is not None
    await until(lambda: child.restarts == 4, "four restarts")
    assert time.monotonic() - began_s >= 0.1 + 0.2 + 0.4 + 0.8
    await orchestrator.stop_all()


async def test_stopping_ends_it_for_good(orchestrator: LocalOrchestrator, tmp_path: Path) -> None:
    orchestrator.start("r1")
    _, process_id = await started(orchestrator, tmp_path / "r1")
    await orchestrator.stop("r1")
    assert not is_alive(process_id)
    assert orchestrator.child("r1") is None
    await orchestrator.stop("r1")


async def test_who_does_not_listen_is_killed_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "TERMINATE_S", 0.3)
    orchestrator = LocalOrchestrator(tmp_path, "x:1", command=STUBBORN)
    orchestrator.start("r1")
    await until(lambda: starts(tmp_path / "r1") == 1, "a start")
    async with asyncio.timeout(100):  # the child alone would sleep for much longer
        await orchestrator.stop_all()


# Listens, answers questions about its health, and leaves a mark of each start.
SERVING = """
import asyncio, pathlib, sys
from antiphon.protocol.io.channel import create_server, listen
from antiphon.protocol.io.health import add_health_and_reflection
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
async def main():
    server = create_server()
    await add_health_and_reflection(server, ())
    listen(server, arguments["--listen"])
    await server.start()
    with open(pathlib.Path(arguments["--data"]) / "starts", "a") as marks:
        marks.write("start" + chr(10))
    await server.wait_for_termination()
asyncio.run(main())
"""


async def test_a_frozen_child_is_killed_and_started_again_and_a_live_one_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "ASK_INTERVAL_S", 0.05)
    monkeypatch.setattr(watchdog, "ANSWER_S", 2.0)
    monkeypatch.setattr(watchdog, "UNANSWERED_MAX", 2)
    # While it starts, nobody answers, and each question ends at once.
    monkeypatch.setattr(watchdog, "UNANSWERED_AT_START_MAX", 10_000)
    orchestrator = LocalOrchestrator(tmp_path, "x:1", command=(sys.executable, "-c", SERVING))
    orchestrator.start("r1")
    child, process_id = await started(orchestrator, tmp_path / "r1")
    await asyncio.sleep(1)  # twenty questions, all answered
    assert (child.process_id, child.restarts) == (process_id, 0)
    os.kill(process_id, signal.SIGSTOP)
    await until(lambda: starts(tmp_path / "r1") == 2, "another start")
    assert (child.restarts, child.last_exit) == (1, "SIGKILL")
    await orchestrator.stop_all()


async def test_a_child_that_never_answers_is_killed_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "ASK_INTERVAL_S", 0.05)
    monkeypatch.setattr(watchdog, "UNANSWERED_AT_START_MAX", 40)
    orchestrator = LocalOrchestrator(tmp_path, "x:1", command=STUBBORN)
    orchestrator.start("r1")
    child, _ = await started(orchestrator, tmp_path / "r1")
    await until(lambda: starts(tmp_path / "r1") >= 2, "another start")
    assert child.last_exit == "SIGKILL"
    await orchestrator.stop_all()


async def test_children_leave_when_the_parent_is_killed(tmp_path: Path) -> None:
    parent = f"""
import asyncio, pathlib, sys
from antiphon.controller.io.orchestrator.local import LocalOrchestrator
async def main():
    orchestrator = LocalOrchestrator(
        pathlib.Path({str(tmp_path)!r}), "x:1", command={CHILD!r}
    )
    orchestrator.start("r1")
    while orchestrator.child("r1").process_id is None:
        await asyncio.sleep(0.01)
    print("child", orchestrator.child("r1").process_id, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", parent, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    # The log goes to standard output as well, while nobody has configured it.
    while not (line := await process.stdout.readline()).startswith(b"child "):
        pass
    child_id = int(line.split()[1])
    await until(lambda: starts(tmp_path / "r1") == 1, "a start")
    process.kill()
    await process.wait()
    await until(lambda: not is_alive(child_id), "the child's end")


def test_a_log_has_a_bound_and_its_writer_need_not_know(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a" * 10)
        bound_log(log, bytes_max=10)
        assert not (tmp_path / "log.1").exists()
        writer.write(b"b")
        bound_log(log, bytes_max=10)
        writer.write(b"after")
    assert (tmp_path / "log.1").read_bytes() == b"a" * 10 + b"b"
    assert log.read_bytes() == b"after"


class Gone:
    """A process that ended just now, of which asyncio does not know yet."""

    returncode: int | None = None

    def __init__(self, patience_s: float) -> None:
        self._ended = asyncio.Event()
        asyncio.get_running_loop().call_later(patience_s, self._ended.set)

    def terminate(self) -> None:
        raise ProcessLookupError

    kill = terminate

    async def wait(self) -> int:
        await self._ended.wait()
        return 0


@pytest.mark.parametrize("patience_s", [0.0, 0.1])
async def test_a_child_that_ends_by_itself_while_it_is_ended_is_ended(
    monkeypatch: pytest.MonkeyPatch, patience_s: float
) -> None:
    """Else its keeper would take that for a failed start, and start it again instead of ending."""
    monkeypatch.setattr(local, "TERMINATE_S", 0.05)
    await local._end(Gone(patience_s))  # type: ignore[arg-type]
