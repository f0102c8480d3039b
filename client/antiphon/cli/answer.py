"""A statement's answer, printed."""

from __future__ import annotations

import sys

import pyarrow as pa

from antiphon.cli import output
from antiphon.client import Result


def print_result(result: Result, *, as_json: bool) -> None:
    """Rows to stdout; on a terminal the tag goes below them, else only that of changes."""
    if as_json:
        output.print_json(
            {
                "tag": result.tag,
                "time": result.time,
                "rows": None if result.table is None else result.dicts(),
                "notices": list(result.notices),
            }
        )
        return
    for notice in result.notices:
        output.note(f"notice: {notice}")
    if result.table is not None:
        output.print_rows(result.columns, result.rows(), _numeric(result.table.schema))
    if output.is_terminal() or result.table is None:
        sys.stdout.write(result.tag + "\n")


def _numeric(schema: pa.Schema) -> list[bool]:
    """Which columns are numbers."""
    return [
        pa.types.is_integer(f.type) or pa.types.is_floating(f.type) or pa.types.is_decimal(f.type)
        for f in schema
    ]
