"""The shell's own half: statements over several lines, meta commands, errors that do not end it."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from antiphon.cli.shell import Shell
from antiphon.client import connect
from antiphon.client.io.loop import background_loop
from antiphon.protocol.schema import INT64, TEXT, Column, Schema
from tests.client.fake_control import FakeControl

SALES = Schema((Column(name="id", type=INT64, nullable=False), Column(name="region", type=TEXT)))


@pytest.fixture
def control() -> Iterator[FakeControl]:
    loop = background_loop()
    server = FakeControl()
    loop.run(server.__aenter__())
    server.add("sales", SALES, key=("id",))
    yield server
    loop.run(server.stop())


@pytest.fixture
def shell(control: FakeControl) -> Iterator[Shell]:
    with connect(control.address, patience_s=0) as client:
        yield Shell(client, as_json=False)


def test_a_statement_runs_once_its_semicolon_is_there(
    control: FakeControl, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    control.answers["SELECT\n1"] = pa.table({"a": [1]})
    rest = shell.feed("SELECT\n")
    assert rest == "SELECT\n"
    assert capsys.readouterr().out == ""
    assert shell.feed(rest + "1; SELECT 2") == " SELECT 2"
    assert "1" in capsys.readouterr().out


def test_a_failure_skips_the_rest_of_the_line_and_the_session_goes_on(
    control: FakeControl, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    control.answers["SELECT 1"] = pa.table({"a": [1]})
    assert shell.feed("SELECT nothing; SELECT 1; SEL") == ""
    assert capsys.readouterr().err.startswith("collection missing:")
    assert len(control.requests["Execute"]) == 1
    assert shell.feed("SELECT 1;") == ""
    assert len(control.requests["Execute"]) == 2


@pytest.mark.usefixtures("control")
def test_meta_commands_describe_time_and_quit(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.meta("\\d")
    assert "sales\ttable\tid" in capsys.readouterr().out
    assert shell.meta("\\d sales")
    assert "id\tbigint\tfalse\ttrue" in capsys.readouterr().out
    assert shell.meta("\\d nothing")
    assert "no collection" in capsys.readouterr().err
    assert shell.meta("\\timing")
    shell.feed("SELECT 2;")
    assert "ms" in capsys.readouterr().out
    assert shell.meta("\\frob")
    assert "no such command" in capsys.readouterr().err
    assert not shell.meta("\\q")
