"""All commands, found by walking their tree: what each has, and how each ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest
import typer

from antiphon.cli.main import app, run
from antiphon.client.io.loop import background_loop
from antiphon.protocol.schema import INT64, Column, Schema
from tests.client.fake_control import Chunk, FakeControl

SERVING: Final = {"up", "controller", "replica"}  # they run until they are stopped
TABLE: Final = Schema((Column(name="id", type=INT64, nullable=False),))


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", {})
    for name, one in inner.items():
        yield from commands(one, (*path, name))
    if not inner or command.invoke_without_command:
        yield " ".join(path), command


TREE: Final = dict(commands(typer.main.get_command(app)))


def test_every_command_that_prints_data_prints_json() -> None:
    assert set(TREE) >= {"sql", "status", "config show", "history show", "replica add", *SERVING}
    without = {
        name
        for name, command in TREE.items()
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert without == SERVING


def test_every_command_and_each_of_its_options_says_what_it_is_for() -> None:
    for name, command in TREE.items():
        assert command.help, name
        silent = [p.name for p in command.params if not getattr(p, "help", None)]
        assert not silent, f"{name}: {silent}"


@pytest.mark.parametrize("name", sorted(TREE))
def test_help_shows_all_of_its_words_on_an_ordinary_terminal(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    assert run([*name.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    shown = "".join(out.replace("│", " ").split())
    for parameter in TREE[name].params:
        words = str(getattr(parameter, "help", "")).split()
        assert all(word in shown for word in words), parameter.name


# How they end.


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANTIPHON_")}
    return kept | more


def antiphon(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "antiphon.cli", *arguments],
        env=environment(**more), capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeControl]:
    loop = background_loop()
    server = FakeControl()
    loop.run(server.__aenter__())
    server.add("t", TABLE)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    yield server
    loop.run(server.stop())


def interrupted(started: subprocess.Popen[str]) -> tuple[int, str]:
    started.send_signal(signal.SIGINT)
    _, error = started.communicate(timeout=20)
    return started.returncode, error


def start(control: FakeControl, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "antiphon.cli", *arguments],
        env=environment(ANTIPHON_ADDRESS=control.address),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_an_interrupted_subscribe_ends_with_130_and_says_nothing(control: FakeControl) -> None:
    rows = tuple((number, 1, 1) for number in range(300_000))
    control.streams.append(([Chunk(0, 5, rows)], None))
    started = start(control, "subscribe", "t")
    assert started.stdout is not None
    started.stdout.readline()  # it prints now, and long
    assert interrupted(started) == (130, "")


def test_an_interrupted_load_ends_with_130_and_says_how_far_it_came(
    control: FakeControl, tmp_path: Path
) -> None:
    file = tmp_path / "t.csv"
    file.write_text("id\n" + "".join(f"{number}\n" for number in range(3_000_000)))
    started = start(control, "load", "t", str(file))
    deadline_s = time.monotonic() + 30
    while len(control.requests["Append"]) < 2 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    code, error = interrupted(started)
    assert code == 130
    assert error.endswith(f"rows of {file} are in t; the rest is not\n")
    assert error.count("\n") == 1


def test_an_interrupt_while_commands_are_imported_is_no_traceback() -> None:
    code = (
        "import os, signal, sys\n"
        "class Interrupts:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'antiphon.cli.main':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupts())\n"
        "from antiphon.cli.entry import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"")


@pytest.mark.parametrize("command", ["sql -c SELECT", "sql --json -c SELECT", "config show"])
def test_a_reader_that_goes_away_is_no_error_to_tell(control: FakeControl, command: str) -> None:
    control.answers["SELECT"] = pa.table({"id": range(1_000)})
    started = start(control, *command.split())
    assert started.stdout is not None
    assert started.stderr is not None
    started.stdout.close()
    assert (started.wait(30), started.stderr.read()) == (1, "")


def test_a_hold_is_released_in_words_and_in_json(control: FakeControl) -> None:
    for options, said in (((), "the hold h was released\n"), (("--json",), '{"hold": "h", ')):
        done = antiphon("release-hold", "h", *options, ANTIPHON_ADDRESS=control.address)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(said)
