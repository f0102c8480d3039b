"""Queries of what the controller knows itself: `antiphon.replicas` and the like.

They are planned like any other, on a catalog of their own, and answered by the controller. What
they say has no time of the instance's timeline, so nothing durable may be made of it, and no query
reads a user's collections beside it.
"""

from __future__ import annotations

from sqlglot import exp

from antiphon.controller.catalog import Catalog, CatalogItem
from antiphon.controller.introspection.system import (
    SCHEMA_NAME,
    SYSTEM_CATALOG,
    SystemCollection,
)
from antiphon.controller.sql.binding.relation import Context
from antiphon.controller.sql.parsing.source import Source, Spot, near_miss
from antiphon.controller.sql.parsing.syntax import name_of
from antiphon.controller.sql.statement import Inspect, InspectChanges, Rows, Select, Subscribe
from antiphon.protocol.errors import CollectionMissing


def system_item(context: Context, node: exp.Table) -> CatalogItem:
    """What `antiphon.name` in FROM means.

    Raises:
        CollectionMissing: there is no such schema or collection.
        UnsupportedSql: it may not be read there, or not beside what was named before.
    """
    source = context.source
    name = f"{name_of(node.args['db'])}.{name_of(node.this)}"
    item = find_system(source, node, name)
    if not context.may_inspect:
        raise source.unsupported(
            node,
            f"{name} in {context.place}",
            ": it is not kept, and can be read by SELECT and SUBSCRIBE alone",
        )
    if context.used:
        raise _mixed(source, node)
    context.inspects = True
    return item


def check_unmixed(context: Context, node: exp.Table) -> None:
    """
    Raises:
        UnsupportedSql: a user's collection is named after an introspection collection.
    """
    if context.inspects:
        raise _mixed(context.source, node)


def _mixed(source: Source, spot: Spot) -> Exception:
    return source.unsupported(
        spot,
        f"a query of {SCHEMA_NAME}.* and of other collections together",
        ": their times differ; read them in two queries",
    )


def find_system(source: Source, spot: Spot, name: str) -> CatalogItem:
    """Raises CollectionMissing, with a near miss."""
    schema, _, _ = name.partition(".")
    if schema != SCHEMA_NAME:
        raise source.missing(spot, "schema", schema, [SCHEMA_NAME])
    item = SYSTEM_CATALOG.find(name)
    if item is None:
        raise source.missing(spot, "collection", name, _names())
    return item


def catalog_of(context: Context) -> Catalog:
    """What to plan the rest of the statement on."""
    return SYSTEM_CATALOG if context.inspects else context.catalog


def inspection(
    context: Context, statement: Select | Rows, as_of: int | None
) -> Select | Rows | Inspect:
    """The statement, as the one that is answered by the controller if it has to be.

    Raises:
        UnsupportedSql: AS OF, for nothing is kept.
    """
    if not context.inspects:
        return statement
    refuse_as_of(context.source, as_of)
    return statement if isinstance(statement, Rows) else Inspect(read=statement.read)


def subscription(
    source: Source, statement: Subscribe, *, inspects: bool
) -> Subscribe | InspectChanges:
    """As `inspection`, for SUBSCRIBE."""
    if not inspects:
        return statement
    refuse_as_of(source, statement.as_of)
    return InspectChanges(
        dataflow=statement.dataflow,
        imports=statement.imports,
        with_snapshot=statement.with_snapshot,
    )


def refuse_as_of(source: Source, as_of: int | None) -> None:
    if as_of is not None:
        raise source.unsupported(
            None, f"AS OF on {SCHEMA_NAME}.*", ": the controller keeps no past of itself"
        )


def system_relation(name: str) -> CatalogItem:
    """For calls that name a collection. Raises CollectionMissing."""
    item = SYSTEM_CATALOG.find(name)
    if item is None:
        raise CollectionMissing(f'"{name}" does not exist{near_miss(name, _names())}', name=name)
    return item


def _names() -> list[str]:
    return [one.sql_name for one in SystemCollection]
