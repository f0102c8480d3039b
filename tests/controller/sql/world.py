"""A world of one process for planner tests: a catalog, the content of its tables, and the engine
to run plans. The same statements go to DuckDB, which says what the answer is."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from antiphon.controller.catalog import (
    AddItem,
    Catalog,
    ItemKind,
    RemoveItem,
    empty_catalog,
)
from antiphon.controller.sql.algebra.expressions import all_of, any_of, equal
from antiphon.controller.sql.algebra.plans import filtered, rewrite_plan
from antiphon.controller.sql.planner import plan_statement, split_statements
from antiphon.controller.sql.statement import (
    CreateFeed,
    CreateIndex,
    CreateMaterializedView,
    CreateTable,
    CreateView,
    Delete,
    DropItems,
    Insert,
    InsertSelect,
    Merge,
    Read,
    Rows,
    Select,
    Statement,
    StatementText,
    Update,
)
from antiphon.controller.sql.statements.change import (
    deleted_rows,
    inserted_rows,
    merged_rows,
    returned_rows,
    updated_rows,
)
from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.command import IndexTarget
from antiphon.protocol.delta import decode_batch
from antiphon.protocol.errors import DataError
from antiphon.protocol.expression import ColumnReference, Literal
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Get, Plan, imports_of
from antiphon.protocol.schema import arrow_schema
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import ImportSpec, evaluate_once
from antiphon.replica.readers.finishing import finish
from tests.controller.sql.postgres_functions import register, spelt

Row = tuple[Any, ...]


def one(text: str) -> StatementText:
    (piece,) = split_statements(text)
    return piece


def plan_one(text: str, catalog: Catalog, now_ms: int | None = None) -> Statement:
    return plan_statement(one(text), catalog, now_ms=now_ms)


@dataclass
class World:
    catalog: Catalog = field(default_factory=empty_catalog)
    content: dict[CollectionId, Zset] = field(default_factory=dict)
    _duck: duckdb.DuckDBPyConnection | None = None

    def run(self, text: str) -> Statement:
        """Perform every statement of a text; the last one's plan."""
        for piece in split_statements(text):
            statement = plan_statement(piece, self.catalog)
            self.perform(statement)
        return statement

    def perform(self, statement: Statement) -> None:
        match statement:
            case CreateTable(item=item) | CreateFeed(item=item):
                content = statement.content if isinstance(statement, CreateTable) else None
                read = self.answer(content.read) if isinstance(content, InsertSelect) else None
                self.catalog = self.catalog.apply([AddItem(item)])
                self.content[item.id] = Zset.empty(item.schema)
                match content:
                    case Insert(rows=rows):
                        self._append(item.id, rows)
                    case InsertSelect():
                        assert read is not None, "it was read before"
                        self._append(item.id, inserted_rows(content, read))
            case CreateView(item=item, replaces=replaced):
                gone = [] if replaced is None else [RemoveItem(replaced)]
                self.catalog = self.catalog.apply([*gone, AddItem(item)])
            case CreateIndex(item=item):
                self.catalog = self.catalog.apply([AddItem(item)])
            case CreateMaterializedView(item=item):
                self.catalog = self.catalog.apply([AddItem(item)])
            case DropItems(items=items):
                self.catalog = self.catalog.apply([RemoveItem(item.id) for item in items])
            case Insert(item=item, rows=rows):
                self._append(item.id, rows)
            case InsertSelect(item=item):
                self._append(item.id, inserted_rows(statement, self.answer(statement.read)))
            case Merge(item=item):
                self._append(item.id, merged_rows(statement, self.answer(statement.read)))
            case Update(item=item):
                self._append(item.id, updated_rows(statement, self.answer(statement.read)))
            case Delete(item=item):
                self._append(item.id, deleted_rows(statement, self.answer(statement.read)))
            case _:
                pass

    def plan(self, text: str) -> Statement:
        return plan_one(text, self.catalog)

    def returned(
        self, statement: Insert | InsertSelect | Merge | Update | Delete
    ) -> pa.RecordBatch | None:
        """What RETURNING of a change gives, if it is performed now."""
        if isinstance(statement, Insert):
            return None if statement.returning is None else statement.returning.rows
        return returned_rows(statement, self.answer(statement.read))

    def _append(self, item: CollectionId, rows: pa.RecordBatch) -> None:
        schema = self.catalog.get(item).schema
        change = Zset(tuple(rows.columns[:-1]), rows.column(rows.num_columns - 1).to_numpy())
        if self.catalog.get(item).kind is ItemKind.FEED:
            raise NotImplementedError("feeds are filled through `fill`")
        self.content[item] = Zset.concat(schema, [self.content[item], change]).consolidated()

    def fill(self, name: str, rows: pa.RecordBatch) -> None:
        """Give a table or feed exactly these rows."""
        item = self.catalog.find(name)
        assert item is not None
        columns = tuple(rows.cast(arrow_schema(item.schema)).columns)
        self.content[item.id] = Zset(columns, np.ones(rows.num_rows, np.int64))

    def rows_of(self, collection: CollectionId) -> Zset:
        """What a collection holds: stored, or by its dataflow."""
        item = self.catalog.get(collection)
        if item.kind in (ItemKind.TABLE, ItemKind.FEED):
            return self.content[collection]
        return self.evaluate(plan_from_bytes(item.plan))

    def evaluate(self, plan: Plan) -> Zset:
        imports = imports_of(plan)
        return evaluate_once(
            plan,
            {c: ImportSpec(schema=self.catalog.get(c).schema) for c in imports},
            {c: self.rows_of(c) for c in imports},
        )

    def answer(self, read: Read) -> pa.RecordBatch:
        """What a client gets for a read."""
        plan = self.plan_of(read)
        rows = self.evaluate(plan)
        if rows.errors is not None and rows.errors.row_count:
            raise DataError(str(rows.errors.columns[1][0].as_py()))
        result = finish(
            rows.columns,
            rows.diffs,
            finishing=read.finishing,
            schema=read.schema,
            rows_max=10_000_000,
            bytes_max=1 << 30,
        )
        schema = arrow_schema(read.schema)
        batches = [decode_batch(message, schema) for message in result.batches]
        table = pa.Table.from_batches(batches, schema).combine_chunks().to_batches()
        return table[0] if table else pa.RecordBatch.from_pylist([], schema)

    def plan_of(self, read: Read) -> Plan:
        """A read as one plan: a look-up by key becomes a filter on the index."""
        target = read.target
        if not isinstance(target, IndexTarget):
            return plan_from_bytes(target.plan)
        index = self.catalog.get(target.collection)
        plan: Plan = Get(collection=index.id, schema=index.schema)
        if target.plan is not None:
            plan = plan_from_bytes(target.plan)
        if target.keys is not None:
            plan = _filtered_by_keys(plan, index.key_columns, target.keys)
        return plan

    def select(self, text: str) -> list[Row]:
        statement = plan_one(text, self.catalog)
        if isinstance(statement, Rows):
            return tuples(statement.rows)
        assert isinstance(statement, Select), f"not a query: {statement}"
        return tuples(self.answer(statement.read))

    def duck(self, text: str) -> list[Row]:
        """DuckDB's answer over the rows as they were when it was first asked."""
        if self._duck is None:
            self._duck = self._loaded()
        return [tuple(row) for row in self._duck.execute(spelt(text)).fetchall()]

    def _loaded(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect()
        register(connection)
        connection.execute("SET threads = 1; SET integer_division = true")
        connection.execute("SET TimeZone = 'UTC'; SET default_null_order = 'postgres'")
        for item in self.catalog.items.values():
            if item.kind in (ItemKind.TABLE, ItemKind.FEED):
                rows = self.content[item.id]
                table = pa.Table.from_arrays(list(rows.columns), schema=arrow_schema(item.schema))
                connection.register("incoming", table)
                connection.execute(f'CREATE TABLE "{item.name}" AS SELECT * FROM incoming')
                connection.unregister("incoming")
            elif item.kind is ItemKind.VIEW:
                connection.execute(item.sql)
            elif item.kind is ItemKind.MATERIALIZED_VIEW:
                connection.execute(re.sub("(?i)materialized", "", item.sql, count=1))
        return connection


def _filtered_by_keys(plan: Plan, key_columns: tuple[int, ...], keys: bytes) -> Plan:
    """The plan, reading only rows of its one index whose key is one of `keys`."""
    rows = pa.ipc.open_stream(keys).read_all()

    def replace(node: Plan) -> Plan | None:
        if not isinstance(node, Get):
            return None
        options = []
        for row in rows.to_pylist():
            parts = []
            for column in key_columns:
                kind = node.schema.columns[column].type
                value = _literal_value(row[node.schema.columns[column].name])
                reference = ColumnReference(index=column, type=kind)
                parts.append(equal(reference, Literal(value=value, type=kind)))
            options.append(all_of(parts))
        return filtered(node, [any_of(options)])

    return rewrite_plan(plan, replace)


def _literal_value(value: Any) -> Any:
    """As a plan's literals have it: lists and structs are tuples."""
    if isinstance(value, dict):
        value = list(value.values())
    return tuple(map(_literal_value, value)) if isinstance(value, list) else value


def tuples(rows: pa.RecordBatch) -> list[Row]:
    columns = [column.to_pylist() for column in rows.columns]
    return list(zip(*columns, strict=True)) if columns else [()] * rows.num_rows


def _plain(value: Any) -> Any:
    """A value that can be compared across engines: numbers to ten significant digits."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | Decimal | float):
        number = float(value)
        return "nan" if math.isnan(number) else float(f"{number:.10g}")
    if isinstance(value, dict):
        return tuple(_plain(item) for item in value.values())
    if isinstance(value, pa.MonthDayNano):
        return dt.timedelta(days=value.months * 30 + value.days) + dt.timedelta(
            microseconds=value.nanoseconds // 1000
        )
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    if hasattr(value, "tzinfo") and getattr(value, "tzinfo", None) is not None:
        return value.replace(tzinfo=None)
    return value


def bag(rows: list[Row]) -> Counter[Row]:
    return Counter(tuple(_plain(value) for value in row) for row in rows)


def difference(ours: list[Row], theirs: list[Row]) -> str:
    """What is on one side alone; empty when the bags are equal."""
    left, right = bag(ours), bag(theirs)
    if left == right:
        return ""
    only_ours, only_theirs = list((left - right).items()), list((right - left).items())
    return f"only ours: {only_ours[:5]}; only theirs: {only_theirs[:5]}"
