"""How data is printed: tables for a terminal, tab-separated lines for a pipe, JSON when asked."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import sys
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

NULL = "NULL"
COLUMN_WIDTH_LEAST: Final = 12  # a narrower column is a heap of letters, unless all of it fits
COLUMN_GAP: Final = 3


def console() -> Console:
    """Standard output. Rich itself honours NO_COLOR and drops colours when it is no terminal."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def errors() -> Console:
    """Standard error, for progress bars: they must not mix with data."""
    return Console(stderr=True, highlight=False)


def is_terminal() -> bool:
    return sys.stdout.isatty()


def print_json(value: Any) -> None:
    """One line."""
    sys.stdout.write(json_text(value) + "\n")
    sys.stdout.flush()


def json_text(value: Any) -> str:
    """Strict JSON, which has no word for NaN and the infinities: they become text."""
    try:
        return json.dumps(value, default=json_value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_named(value), default=json_value, ensure_ascii=False, allow_nan=False)


def _named(value: Any) -> Any:
    """The value with text for each float that is not finite."""
    match value:
        case float():
            return value if math.isfinite(value) else cell(value)
        case dict():
            return {name: _named(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_named(inner) for inner in value]
        case _:
            return value


def json_value(value: Any) -> Any:
    """What JSON has no word for, as text that loses nothing."""
    match value:
        case decimal.Decimal() | uuid.UUID():
            return str(value)
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case tuple():
            return list(value)
        case _:
            return str(value)


def cell(value: Any) -> str:
    """A value as SQL shells show it."""
    match value:
        case None:
            return NULL
        case bool():
            return "true" if value else "false"
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case bytes():
            return "\\x" + value.hex()
        case datetime.datetime():
            return value.isoformat(sep=" ")
        case list() | dict():
            return json_text(value)
        case _:
            return str(value)


def print_rows(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], numeric: Sequence[bool] = ()
) -> None:
    """For people on a terminal; otherwise a header and tab-separated lines. `numeric`: which
    columns stand to the right."""
    if not is_terminal():
        print_line(columns)
        for row in rows:
            print_line([cell(value) for value in row])
        return
    target = console()
    shown = [[Text(cell(v), style="dim" if v is None else "") for v in row] for row in rows]
    target.print(drawn(columns, shown, numeric, width=target.width))


def drawn(
    columns: Sequence[str], rows: Sequence[Sequence[Text]], numeric: Sequence[bool], *, width: int
) -> RenderableType:
    """A table, or one line a value where a table of `width` would crush its columns."""
    least = [
        min(max(cell_len(name), *(row[at].cell_len for row in rows), 0), COLUMN_WIDTH_LEAST)
        for at, name in enumerate(columns)
    ]
    if rows and sum(least) + COLUMN_GAP * len(columns) > width:
        return Group(*(_record(columns, row, number) for number, row in enumerate(rows, 1)))
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for at, name in enumerate(columns):
        right = at < len(numeric) and numeric[at]
        table.add_column(Text(name), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _record(columns: Sequence[str], row: Sequence[Text], number: int) -> RenderableType:
    lines = Table.grid(padding=(0, 2))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for name, value in zip(columns, row, strict=True):
        lines.add_row(Text(name), value)
    return Group(Text(f"-- row {number}"), lines)


def print_line(cells: Sequence[str]) -> None:
    """Tab-separated, with tabs and line ends inside the cells escaped."""
    sys.stdout.write("\t".join(_escaped(text) for text in cells) + "\n")


def note(text: str) -> None:
    """A remark for people, which no pipe should see."""
    print(text, file=sys.stderr)


def _escaped(text: str) -> str:
    if "\t" not in text and "\n" not in text:
        return text
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
