"""EXPLAIN of a change: where its rows go, and how it finds them."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from antiphon.controller.catalog import Catalog
from antiphon.controller.sql.explaining.explain import describe_collection, explain_plan
from antiphon.controller.sql.statement import (
    CreateTable,
    DataStatement,
    Delete,
    Insert,
    InsertSelect,
    Merge,
    Read,
    Update,
)
from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.command import IndexTarget

_VERBS: Final[dict[type[InsertSelect | Merge | Update | Delete], str]] = {
    InsertSelect: "Insert into", Merge: "Insert into or update", Update: "Update",
    Delete: "Delete from",
}  # fmt: skip


def explain_change(statement: DataStatement | CreateTable, catalog: Catalog) -> list[str]:
    """What is done, then how its rows are read; nothing is performed."""
    if isinstance(statement, CreateTable):
        item, content = statement.item, statement.content
        columns = ", ".join(f"{c.name} {c.type}" for c in item.schema.columns)
        lines = [f"Create table {item.name} ({columns})"]
        return lines if content is None else [*lines, *_indented(_content(content, catalog))]
    where = describe_collection(statement.item.id, catalog)
    if isinstance(statement, Insert):
        return [f"Append {_rows(statement)} to {where}"]
    lines = [f"{_VERBS[type(statement)]} {where}"]
    if statement.returning is not None:
        lines[0] += f", returning {', '.join(statement.returning.schema.names)}"
    return [*lines, *_indented(_read(statement.read, catalog))]


def target_line(read: Read, catalog: Catalog) -> str:
    """Whom a read asks for what."""
    if not isinstance(read.target, IndexTarget):
        return "Evaluate once"
    shown = describe_collection(read.target.collection, catalog)
    if read.target.keys is None:
        return f"Read all of {shown}"
    return f"Look up {pa.ipc.open_stream(read.target.keys).read_all().num_rows} keys in {shown}"


def _content(content: Insert | InsertSelect, catalog: Catalog) -> list[str]:
    if isinstance(content, Insert):
        return [f"Append {_rows(content)}"]
    return _read(content.read, catalog)


def _rows(statement: Insert) -> str:
    count = statement.rows.num_rows
    return f"{count} row{'' if count == 1 else 's'}"


def _read(read: Read, catalog: Catalog) -> list[str]:
    plan = read.target.plan
    shown = [] if plan is None else explain_plan(plan_from_bytes(plan), catalog)
    return [target_line(read, catalog), *_indented(shown)]


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]
