"""Recorded statements: SQL, a line of dashes, what the planner makes of it.

`REWRITE=1 pytest tests/controller/sql` writes the files anew; commit only what you can explain. A
block's statements change the catalog for those after it in the same file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import assert_never

import pyarrow as pa

from antiphon.controller.catalog import KIND_NAMES, CatalogItem
from antiphon.controller.sql.explaining.explain import (
    column_names,
    describe_collection,
    explain_finishing,
    explain_plan,
)
from antiphon.controller.sql.planner import plan_statement, split_statements
from antiphon.controller.sql.statement import (
    AlterSystem,
    Copy,
    CreateFeed,
    CreateIndex,
    CreateMaterializedView,
    CreateTable,
    CreateView,
    Delete,
    DropItems,
    Insert,
    InsertSelect,
    Inspect,
    InspectChanges,
    Merge,
    Nothing,
    Read,
    Rows,
    Select,
    ShowReplicas,
    ShowSettings,
    Statement,
    Subscribe,
    Update,
)
from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.command import IndexTarget
from antiphon.protocol.dataflow import DataflowDescription
from antiphon.protocol.errors import ComputeError
from antiphon.protocol.ids import show
from tests.controller.sql.world import World, tuples

FOLDER = Path(__file__).parent / "recorded"
DASHES = "----"
NOW_MS = 1_767_225_600_000  # 2026-01-01 00:00:00 UTC

SCHEMA = """
CREATE TABLE t (a int, b int, c text);
CREATE TABLE u (a int, b bigint, d text);
CREATE TABLE k (id bigint PRIMARY KEY, name text NOT NULL, price numeric(10,2), at timestamp);
CREATE FEED f (id int, origin text, dest text, delay smallint, day date, PRIMARY KEY (id));
"""


def check(name: str) -> None:
    """Every block of the file gives what is recorded."""
    path = FOLDER / f"{name}.txt"
    recorded = path.read_text()
    actual = replay(recorded)
    if os.environ.get("REWRITE"):
        path.write_text(actual)
    else:
        assert actual == recorded, f"{path.name} differs; REWRITE=1 writes it anew"


def replay(text: str) -> str:
    world = World()
    world.run(SCHEMA)
    blocks = [block for block in text.strip().split("\n\n") if block.strip()]
    parts = []
    for block in blocks:
        sql, _, _ = block.partition(f"\n{DASHES}")
        parts.append(f"{sql}\n{DASHES}\n" + "\n".join(described(sql, world)) + "\n")
    return "\n".join(parts)


def described(sql: str, world: World) -> list[str]:
    text = "\n".join(line for line in sql.split("\n") if not line.startswith("#"))
    lines: list[str] = []
    try:
        for piece in split_statements(text):
            statement = plan_statement(piece, world.catalog, now_ms=NOW_MS)
            lines += describe(statement, world)
            world.perform(statement) if changes_catalog(statement) else None
    except ComputeError as error:
        lines.append(f"{type(error).__name__}: {error.message}")
    return lines


def changes_catalog(statement: Statement) -> bool:
    return isinstance(
        statement,
        CreateTable | CreateFeed | CreateView | CreateMaterializedView | CreateIndex | DropItems,
    )


def describe(statement: Statement, world: World) -> list[str]:
    match statement:
        case CreateTable(content=content) if content is not None:
            if isinstance(content, Insert):
                return [item_line(statement.item), *batch_lines(content.rows)]
            return [item_line(statement.item), *read_lines(content.read, world)]
        case CreateTable() | CreateFeed() | CreateView():
            return [item_line(statement.item)]
        case CreateMaterializedView() | CreateIndex():
            return [item_line(statement.item), *dataflow_lines(statement.dataflow, world)]
        case DropItems():
            shown = [f"drop {item}" for item in statement.items]
            return [*shown, *(f"notice: {notice}" for notice in statement.notices)]
        case Insert():
            lines = [f"append to {statement.item}", *batch_lines(statement.rows)]
            if statement.returning is not None and statement.returning.rows is not None:
                lines += ["return", *batch_lines(statement.returning.rows)]
            return lines
        case InsertSelect() | Merge() | Update() | Delete():
            tag = statement.tag.lower()
            return [f"{tag} {statement.item}", *read_lines(statement.read, world)]
        case Select():
            return read_lines(statement.read, world)
        case Inspect():
            return ["inspect", *read_lines(statement.read, world)]
        case InspectChanges():
            options = f"snapshot={statement.with_snapshot}"
            return [f"inspect {options}", *dataflow_lines(statement.dataflow, world)]
        case Rows():
            if statement.tag == "EXPLAIN":
                return [str(line) for line in statement.rows.column(0).to_pylist()]
            return batch_lines(statement.rows)
        case Subscribe():
            options = f"snapshot={statement.with_snapshot} as_of={statement.as_of}"
            return [f"subscribe {options}", *dataflow_lines(statement.dataflow, world)]
        case Copy(uri=uri):
            return [f"copy to {uri!r}", *dataflow_lines(statement.dataflow, world)]
        case AlterSystem(values=values):
            return [f"alter system {name} = {value}" for name, value in values.items()]
        case ShowReplicas():
            return [type(statement).__name__]
        case ShowSettings(name=name):
            return [f"{type(statement).__name__} {name or ''}".rstrip()]
        case Nothing():
            return [f"nothing: {'; '.join(statement.notices)}"]
        case _:
            assert_never(statement)


def item_line(item: CatalogItem) -> str:
    columns = ", ".join(
        f"{c.name} {c.type}{'' if c.nullable else ' not null'}" for c in item.schema.columns
    )
    line = f"create {KIND_NAMES[item.kind]} {item.name} ({columns})"
    if item.key_columns:
        line += " key (" + ", ".join(item.schema.columns[i].name for i in item.key_columns) + ")"
    if item.depends_on:
        line += " needs " + ", ".join(show(need) for need in item.depends_on)
    return line


def dataflow_lines(dataflow: DataflowDescription, world: World) -> list[str]:
    exports = ", ".join(f"{type(e.kind).__name__} {show(e.collection)}" for e in dataflow.exports)
    imports = ", ".join(f"{i.kind.name} {show(i.collection)}" for i in dataflow.imports)
    plan = explain_plan(plan_from_bytes(dataflow.plan), world.catalog)
    return [f"imports {imports or 'nothing'}; exports {exports or 'nothing'}", *plan]


def read_lines(read: Read, world: World) -> list[str]:
    columns = ", ".join(f"{c.name} {c.type}" for c in read.schema.columns)
    lines = [f"answer ({columns})" + (f" as of {read.as_of}" if read.as_of is not None else "")]
    names = list(read.schema.names)
    target = read.target
    if isinstance(target, IndexTarget):
        shown = describe_collection(target.collection, world.catalog)
        if target.keys is None:
            lines.append(f"all of {shown}")
        else:
            keys = pa.ipc.open_stream(target.keys).read_all().combine_chunks().to_batches()
            lines.append(f"keys {[k for batch in keys for k in tuples(batch)]} of {shown}")
    if target.plan is not None:
        plan = plan_from_bytes(target.plan)
        names = column_names(plan)
        lines += explain_plan(plan, world.catalog)
    finish = explain_finishing(read.finishing, names)
    if finish is not None:
        lines.insert(1, finish)
    return lines


def batch_lines(rows: pa.RecordBatch) -> list[str]:
    columns = ", ".join(f"{field.name} {field.type}" for field in rows.schema)
    return [columns, *(str(row) for row in tuples(rows))]
