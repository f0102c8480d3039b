"""From a lowered query to what the driver performs: one read, or a dataflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pyarrow as pa

from antiphon.controller.catalog import Catalog, CatalogItem, ItemKind
from antiphon.controller.sql.algebra.constants import batch_of
from antiphon.controller.sql.algebra.plans import identity, width_of
from antiphon.controller.sql.binding.relation import Query
from antiphon.controller.sql.queries.query import named_schema
from antiphon.controller.sql.rewriting.optimize import imports_for, optimized, pinned_columns
from antiphon.controller.sql.statement import Read, Rows, Select, Subscribe
from antiphon.protocol.codec.plan import plan_to_bytes
from antiphon.protocol.command import IndexTarget, PlanTarget
from antiphon.protocol.dataflow import DataflowDescription, Export, Finishing
from antiphon.protocol.expression import Expression
from antiphon.protocol.frontier import START
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Constant, Get, MapFilterProject, Plan, imports_of
from antiphon.protocol.schema import Schema

KEYS_MAX = 1_000  # of one indexed read; more are read as a filter over the whole index


def select_statement(query: Query, catalog: Catalog, as_of: int | None) -> Select | Rows:
    """A query's rows: known already where it reads nothing and is only constants."""
    schema = named_schema(query)
    plan = optimized(query.plan, catalog, maintained=False)
    if isinstance(plan, Constant) and not query.order_by and as_of is None:
        return Rows(schema=schema, rows=_constant_rows(plan, schema, query), tag="SELECT")
    read = read_of(plan, schema, finishing_of(query), catalog, as_of)
    return Select(read=read)


def finishing_of(query: Query) -> Finishing:
    width = len(query.columns)
    hidden = width_of(query.plan) > width
    return Finishing(
        order_by=tuple((k.column, k.descending, k.nulls_first) for k in query.order_by),
        offset=query.offset,
        limit=query.limit,
        project=identity(width) if hidden else None,
    )


def read_of(
    plan: Plan,
    schema: Schema,
    finishing: Finishing,
    catalog: Catalog,
    as_of: int | None = None,
) -> Read:
    """A read of an optimised plan, by key where an index has the key."""
    imports = imports_of(plan)
    by_index = _index_target(plan, catalog)
    return Read(
        target=by_index or PlanTarget(plan=plan_to_bytes(plan), imports=imports_for(plan, catalog)),
        schema=schema,
        finishing=finishing,
        imports=imports,
        sources=sources_under(imports, catalog),
        as_of=as_of,
    )


def sources_under(items: Sequence[CollectionId], catalog: Catalog) -> tuple[CollectionId, ...]:
    """The tables and feeds under these items, in order of id."""
    return tuple(sorted({found for item in items for found in catalog.sources_of(item)}))


def dataflow_of(
    name: str, plan: Plan, schema: Schema, catalog: Catalog, exports: tuple[Export, ...]
) -> DataflowDescription:
    """A dataflow of an optimised plan; the driver decides `as_of`."""
    return DataflowDescription(
        name=name,
        imports=imports_for(plan, catalog),
        plan=plan_to_bytes(plan),
        exports=exports,
        as_of=START,
        schema=schema,
    )


def subscribe_of(plan: Plan, schema: Schema, catalog: Catalog, name: str) -> Subscribe:
    """All changes of what the plan gives, with a snapshot first."""
    running = optimized(plan, catalog, maintained=True)
    imports = imports_of(running)
    return Subscribe(
        dataflow=dataflow_of(name, running, schema, catalog, ()),
        with_snapshot=True,
        imports=imports,
        sources=sources_under(imports, catalog),
    )


def _constant_rows(plan: Constant, schema: Schema, query: Query) -> pa.RecordBatch:
    rows = [values for values, count in plan.rows for _ in range(count)]
    stop = None if query.limit is None else query.offset + query.limit
    width = len(query.columns)
    return batch_of(schema, [row[:width] for row in rows[query.offset : stop]])


def _index_target(plan: Plan, catalog: Catalog) -> IndexTarget | None:
    """The read of one index: by key if a filter fixes all key columns, else of all its rows."""
    node = plan if isinstance(plan, MapFilterProject) else None
    inner = plan if node is None else node.input
    if not isinstance(inner, Get):
        return None
    item = catalog.get(inner.collection)
    if item.kind is not ItemKind.INDEX:
        return None
    if node is None:
        return IndexTarget(collection=item.id)
    keys = _key_rows(node, item)
    if keys is None:
        return IndexTarget(collection=item.id, plan=plan_to_bytes(node))
    rest = replace(node, filters=_without(node.filters, frozenset(item.key_columns)))
    whole = not rest.maps and not rest.filters and rest.project == identity(len(item.schema))
    return IndexTarget(collection=item.id, keys=keys, plan=None if whole else plan_to_bytes(rest))


def _key_rows(node: MapFilterProject, index: CatalogItem) -> bytes | None:
    """The keys that the filters ask for, as an Arrow stream in the order of the key columns."""
    pinned = pinned_columns(node.filters)
    if not index.key_columns or any(column not in pinned for column in index.key_columns):
        return None
    choices = [pinned[column] for column in index.key_columns]
    count = 1
    for options in choices:
        count *= len(options)
    if count > KEYS_MAX:
        return None
    rows = [tuple(literal.value for literal in row) for row in product(*choices)]
    return key_stream(index, batch_of(index.schema.project(index.key_columns), rows))


def key_stream(index: CatalogItem, keys: pa.RecordBatch) -> bytes:
    """Rows of an index's key columns as an Arrow IPC stream."""
    assert keys.num_columns == len(index.key_columns), f"{keys.num_columns} columns for {index}"
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, keys.schema) as writer:
        writer.write_batch(keys)
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


def _without(filters: tuple[Expression, ...], columns: frozenset[int]) -> tuple[Expression, ...]:
    """The filters that the key does not already answer: not the first that pins each column."""
    answered: set[int] = set()
    rest: list[Expression] = []
    for part in filters:
        column = next(iter(pinned_columns((part,))), None)
        if column in columns and column not in answered:
            answered.add(column)
        else:
            rest.append(part)
    return tuple(rest)
