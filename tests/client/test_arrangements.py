"""What views hold together, as `antiphon status --arrangements` shows it."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pytest
from rich.console import Console

from antiphon.cli import arrangements
from antiphon.cli.arrangements import Arrangement, lines_of, table_of
from tests.client.fake_control import FakeControl
from tests.client.test_cli import control, home, run

__all__ = ["control", "home"]
HELD = [
    Arrangement("orders", "region, id", "r1", 1_200_000, 96 << 20, 7),
    Arrangement("customers", "id", "r1", 3, 900, 1),
]


@pytest.fixture
def held(control: FakeControl) -> FakeControl:
    columns = zip(Arrangement._fields, zip(*HELD, strict=True), strict=True)
    control.answers[arrangements.SQL] = pa.table({name: list(cells) for name, cells in columns})
    return control


@pytest.mark.usefixtures("held")
def test_a_pipe_gets_a_line_for_each_and_json_the_figures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["status", "--arrangements"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "arrangement\torders\tregion, id\tr1\t1,200,000\t96.0 MiB\t7" in lines
    assert run(["status", "--arrangements", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["arrangements"] == [one._asdict() for one in HELD]
    assert found["replicas"][0]["name"] == "r1"


@pytest.mark.usefixtures("control")
def test_who_does_not_ask_is_shown_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--json"]) == 0
    assert "arrangements" not in json.loads(capsys.readouterr().out)
    assert lines_of(()) == []


@pytest.mark.parametrize("width", [80, 160])
def test_the_table_cuts_no_cell(width: int) -> None:
    printed = Console(width=width, file=io.StringIO())
    printed.print(table_of(HELD))
    assert isinstance(printed.file, io.StringIO)
    text = printed.file.getvalue()
    assert "…" not in text
    assert "1,200,000" in text
    assert "0.0 MiB" in text
