"""From a lowered query to what the driver performs: one read, or a dataflow."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from antiphon.controller.catalog import Catalog
from antiphon.controller.sql.algebra.constants import batch_of
from antiphon.controller.sql.algebra.plans import identity, width_of
from antiphon.controller.sql.binding.relation import Query
from antiphon.controller.sql.queries.query import named_schema
from antiphon.controller.sql.rewriting.optimize import imports_for, optimized
from antiphon.controller.sql.statement import Read, Rows, Select, Subscribe
from antiphon.controller.sql.statements.key_lookup import index_target
from antiphon.protocol.codec.plan import plan_to_bytes
from antiphon.protocol.command import PlanTarget
from antiphon.protocol.dataflow import DataflowDescription, Export, Finishing
from antiphon.protocol.frontier import START
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Constant, Plan, imports_of
from antiphon.protocol.schema import Schema


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
    by_index = index_target(plan, catalog)
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
