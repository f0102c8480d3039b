"""From a lowered query to the plan that a replica runs.

Names of items become collections: a view that nobody keeps is its own plan, one that an index
keeps is read from the index. Then outer joins of which nobody sees the added rows become inner
ones, filters go down, those by the clock too, unread columns go, row-wise steps are fused, and what
occurs several times is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from antiphon.controller.catalog import Catalog, CatalogItem, ItemKind
from antiphon.controller.sql.algebra.plans import rewrite_plan, with_children
from antiphon.controller.sql.rewriting.expiry import sunk
from antiphon.controller.sql.rewriting.fuse import fuse
from antiphon.controller.sql.rewriting.outer_joins import narrowed
from antiphon.controller.sql.rewriting.prune import prune
from antiphon.controller.sql.rewriting.pushdown import push
from antiphon.controller.sql.rewriting.share import renumbered, shared
from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.dataflow import Import
from antiphon.protocol.expression import Call, ColumnReference, Expression, Literal
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import (
    Get,
    Join,
    MapFilterProject,
    Plan,
    imports_of,
)


def optimized(plan: Plan, catalog: Catalog, *, maintained: bool) -> Plan:
    """The plan to run. `maintained`: it is kept up to date, so it reads what is stored from where
    its changes come; a read once prefers an index on it. Views are read from an index either way.
    """
    expanded = _expand(plan, catalog, _Bindings(), maintained)
    result = fuse(prune(fuse(push(sunk(narrowed(expanded))))))
    result = shared(_with_fitting_indexes(result, catalog))
    return result


def imports_for(plan: Plan, catalog: Catalog) -> tuple[Import, ...]:
    """What a replica must have to run the plan, in order of first mention."""
    return tuple(_import(catalog, collection) for collection in imports_of(plan))


def _import(catalog: Catalog, collection: CollectionId) -> Import:
    item = catalog.get(collection)
    kind = item.collection_kind
    assert kind is not None, f"{item} holds nothing"
    keys = item.key_columns if item.kind is ItemKind.FEED else ()
    return Import(collection=collection, kind=kind, schema=item.schema, key_columns=keys)


class _Bindings:
    """Fresh numbers for the bindings of inlined views: two views may use the same ones."""

    def __init__(self) -> None:
        self.last = 1 << 16

    def fresh(self) -> int:
        self.last += 1
        return self.last


def _expand(plan: Plan, catalog: Catalog, bindings: _Bindings, maintained: bool) -> Plan:
    def replace(node: Plan) -> Plan | None:
        if not isinstance(node, Get):
            return None
        item = catalog.get(node.collection)
        indexes = catalog.indexes_on(item.id)
        if indexes and (item.kind is ItemKind.VIEW or not maintained):
            return Get(collection=indexes[0].id, schema=node.schema)
        if item.kind is not ItemKind.VIEW:
            return None
        inner = renumbered(_decoded(item.plan), bindings.fresh)
        return _expand(inner, catalog, bindings, maintained)

    return rewrite_plan(plan, replace)


@lru_cache(maxsize=1024)
def _decoded(plan: bytes) -> Plan:
    """Views are read far more often than made. A pure function of immutable bytes."""
    return plan_from_bytes(plan)


# Which of several indexes on an item to read: any has the same rows.


def _with_fitting_indexes(plan: Plan, catalog: Catalog) -> Plan:
    """Reads by key from the index with that key; joins on a key use the index on it."""

    def replace(node: Plan) -> Plan | None:
        if isinstance(node, MapFilterProject) and isinstance(node.input, Get):
            pinned = frozenset(pinned_columns(node.filters))
            found = _index_where(catalog, node.input, lambda i: frozenset(i.key_columns) <= pinned)
            return None if found is None else with_children(node, [found])
        if isinstance(node, Join):
            sides = [
                _for_keys(catalog, side, keys)
                for side, keys in ((node.left, node.left_keys), (node.right, node.right_keys))
            ]
            if any(sides):
                left, right = (
                    rewrite_plan(old, replace) if new is None else new
                    for new, old in zip(sides, (node.left, node.right), strict=True)
                )
                return with_children(node, [left, right])
        return None

    return rewrite_plan(plan, replace)


def _for_keys(catalog: Catalog, side: Plan, keys: tuple[Expression, ...]) -> Plan | None:
    inner = side
    columns: list[int] = []
    for key in keys:
        if not isinstance(key, ColumnReference):
            return None
        columns.append(key.index)
    if isinstance(side, MapFilterProject) and not side.maps and not side.filters:
        columns = [side.project[index] for index in columns]
        inner = side.input
    if not isinstance(inner, Get) or not columns:
        return None
    wanted = frozenset(columns)
    found = _index_where(catalog, inner, lambda i: frozenset(i.key_columns) == wanted)
    if found is None:
        return None
    return found if inner is side else with_children(side, [found])


def _index_where(catalog: Catalog, node: Get, fits: Callable[[CatalogItem], bool]) -> Get | None:
    """The first other index on the same item that fits, if the one that is read does not."""
    item = catalog.items.get(node.collection)
    if item is None or item.kind is not ItemKind.INDEX or item.on is None or fits(item):
        return None
    for index in catalog.indexes_on(item.on):
        if fits(index):
            return Get(collection=index.id, schema=node.schema)
    return None


def pinned_columns(filters: Sequence[Expression]) -> dict[int, tuple[Literal, ...]]:
    """Input columns that a filter equates with literals, one or (by OR) several."""
    pinned: dict[int, tuple[Literal, ...]] = {}
    for part in filters:
        is_any = isinstance(part, Call) and part.function == "or"
        options = part.arguments if isinstance(part, Call) and is_any else (part,)
        matches = [_column_equals(option) for option in options]
        columns = {match[0] for match in matches if match is not None}
        if len(columns) == 1 and all(match is not None for match in matches):
            values = tuple(dict.fromkeys(match[1] for match in matches if match is not None))
            pinned.setdefault(columns.pop(), values)
    return pinned


def _column_equals(expression: Expression) -> tuple[int, Literal] | None:
    if not (isinstance(expression, Call) and expression.function == "equal"):
        return None
    a, b = expression.arguments
    if isinstance(a, Literal):
        a, b = b, a
    if isinstance(a, ColumnReference) and isinstance(b, Literal) and b.value is not None:
        return a.index, b
    return None
