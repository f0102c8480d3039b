"""Tables for people: whole on a terminal that has room, one line a value on one that has not."""

from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text

from antiphon.cli.output import drawn


def printed(columns: list[str], rows: list[list[str]], width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(drawn(columns, [[Text(v) for v in row] for row in rows], (), width=width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_many_columns_on_a_narrow_terminal_are_one_line_each() -> None:
    names = [f"a_long_name_{number}" for number in range(13)]
    rows = [[f"value {row} of {name}" for name in names] for row in range(2)]
    lines = printed(names, rows, 80).splitlines()
    assert [line.rstrip() for line in lines[:2]] == [
        "-- row 1",
        "a_long_name_0   value 0 of a_long_name_0",
    ]
    assert len(lines) == 2 * (1 + len(names))
    assert "-- row" not in printed(names, rows, 400)


def test_a_long_value_is_folded_and_loses_nothing() -> None:
    text = "long" * 60
    shown = printed(["name", "count"], [[text, "1"], ["北方 émoji 🎉", "22"]], 80)
    assert "-- row" not in shown
    assert "北方 émoji 🎉" in shown
    assert shown.count("long") >= 55
    assert "…" not in shown


def test_no_rows_are_a_header_however_narrow() -> None:
    shown = printed(["region", "total"], [], 30)
    assert "region" in shown
    assert "-- row" not in shown
