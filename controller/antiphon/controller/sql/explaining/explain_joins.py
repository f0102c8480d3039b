"""Why a join of a kept view is computed as it is: where each side is looked up, and by whom else.

Told from plans alone: what is installed shares by the same rules (`looked_up`), and EXPLAIN ANALYZE
says what a replica really holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from antiphon.controller.catalog import KIND_NAMES, Catalog, CatalogItem, ItemKind
from antiphon.controller.sql.algebra.expressions import conjuncts
from antiphon.controller.sql.algebra.plans import width_of
from antiphon.controller.sql.explaining.explain_expressions import show_selection
from antiphon.controller.sql.rewriting.branches import why_no_branches
from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.expression import Expression
from antiphon.protocol.looked_up import Found, Side, Why, looked_up, sides_of
from antiphon.protocol.outer_sides import filling_order
from antiphon.protocol.plan import Get, Join, JoinKind, MapFilterProject, Plan
from antiphon.protocol.selection import ALL

SHARERS_SHOWN: Final = 3
_KEPT: Final = (ItemKind.INDEX, ItemKind.MATERIALIZED_VIEW)
_ORDER_MIN: Final = 3  # relations, from which on their order is worth a word


class JoinReasons:
    """For `plan`, of `item`, which is not among those that it shares with; None: it is no item."""

    def __init__(self, plan: Plan, catalog: Catalog, item: CatalogItem | None) -> None:
        self._order = filling_order(plan)
        self._catalog = catalog
        self._sharers: dict[Found, list[str]] = {}
        for other in catalog.items.values():
            if other.kind not in _KEPT:
                continue
            if item is not None and item.id in (other.id, other.on):
                continue
            for found in _found(other.plan, other.key_columns):
                self._sharers.setdefault(found, []).append(self._named(other))

    def of(
        self,
        join: Join,
        bindings: Mapping[int, Plan],
        filters: tuple[Expression, ...],
        *,
        is_top: bool,
    ) -> list[str]:
        """Lines below the join's own. `filters`: what its rows are tested for in the step above;
        `is_top`: it is no input of another inner join."""
        lines = []
        if is_top and len(list(_relations(join))) >= _ORDER_MIN:
            lines.append(
                "order: as written, but next is the first that an equality ties to those before;"
                " what none ties comes last"
            )
        sides = sides_of(join, bindings, filters, self._order)
        if not join.left_keys:
            how = "ranges" if sides[0].why is Why.RANGES else "all pairs"
            lines.append(f"{how}: {_why_no_keys(join, filters)}")
        for name, side in zip(("left", "right"), sides, strict=True):
            lines.append(f"{name}: {self._side(side)}")
        return lines

    def _side(self, side: Side) -> str:
        if side.why is not Why.SHARED or side.collection is None:
            return str(side.why.value)
        item = self._catalog.items.get(side.collection)
        if item is None:
            return str(side.why.value)
        names = [column.name for column in item.schema.columns]
        columns = ", ".join(names[index] for index in side.key)
        where = f"{KIND_NAMES[item.kind]} {item.name}"
        sharers = self._sharers.get((side.collection, side.key, side.selection), [])
        is_kept = item.kind in _KEPT and side.selection == ALL
        if is_kept and side.key == tuple(sorted(item.key_columns)):
            where += f", which is kept by ({columns}) anyway"
            if not sharers:
                return where
        else:
            if side.selection:
                where += f" where {show_selection(side.selection, names)}"
            where += f" arranged by ({columns})" if side.key else ", without a key"
        if not sharers:
            return f"{where}; nothing else looks it up so"
        shown = ", ".join(sharers[:SHARERS_SHOWN])
        more = len(sharers) - SHARERS_SHOWN
        return f"{where}, shared with {shown}" + (f" and {more} more" if more > 0 else "")

    def _named(self, item: CatalogItem) -> str:
        text = f"{KIND_NAMES[item.kind]} {item.name}"
        return text if item.on is None else f"{text} on {self._catalog.get(item.on).name}"


def _why_no_keys(join: Join, filters: tuple[Expression, ...]) -> str:
    """Also of what is tested in the step above, if the join is an inner one."""
    given = () if join.residual is None else (join.residual,)
    if join.kind is JoinKind.INNER:
        given = (*given, *filters)
    parts = [part for condition in given for part in conjuncts(condition)]
    reason = why_no_branches(parts, width_of(join.left))
    return reason or "no equality says which rows belong together"


@lru_cache(maxsize=4096)
def _found(plan: bytes, key_columns: tuple[int, ...]) -> frozenset[Found]:
    """What a kept item looks up, or is. A pure function of immutable bytes."""
    decoded = plan_from_bytes(plan)
    if isinstance(decoded, Get) and key_columns:
        return frozenset({(decoded.collection, tuple(sorted(key_columns)), ALL)})
    return looked_up(decoded)


def is_ordered(plan: Plan) -> bool:
    """Whether it is an inner join, maybe with some of its columns: what is put into an order."""
    if isinstance(plan, MapFilterProject):
        return is_ordered(plan.input)
    return isinstance(plan, Join) and plan.kind is JoinKind.INNER


def _relations(plan: Plan) -> Iterator[Plan]:
    if not is_ordered(plan):
        yield plan
    elif isinstance(plan, MapFilterProject):
        yield from _relations(plan.input)
    elif isinstance(plan, Join):
        yield from _relations(plan.left)
        yield from _relations(plan.right)
