"""Which columns an expression may name, and what a name means.

While a query is lowered, some column references stand for what has no place yet: an aggregate, a
window function, a value of a set, a column of the query around a subquery. They are numbered from
the bases below, far above any real column, and are gone when the query's plan is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from antiphon.controller.sql.source import Source, Spot, near_miss
from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.schema import Type

AGGREGATES: Final = 1 << 20
WINDOWS: Final = 1 << 21
OUTER: Final = 1 << 22
SUBQUERIES: Final = 1 << 23
SETS: Final = 1 << 24


def is_window(index: int) -> bool:
    return WINDOWS <= index < OUTER


def is_outer(index: int) -> bool:
    return OUTER <= index < SUBQUERIES


def is_set(index: int) -> bool:
    return index >= SETS


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeColumn:
    """A column of the relation that is being lowered: `index` is its place in the plan's output.

    USING makes one visible column out of two; the two stay reachable by their qualified names.
    """

    name: str
    qualifier: str | None
    index: int
    type: Type
    nullable: bool = True
    visible: bool = True  # to unqualified names and to `*`

    @property
    def reference(self) -> ColumnReference:
        return ColumnReference(index=self.index, type=self.type)


@dataclass(frozen=True, slots=True)
class Scope:
    columns: tuple[ScopeColumn, ...] = ()

    def find(self, name: str, qualifier: str | None) -> tuple[ScopeColumn, ...]:
        """The columns that a name may mean: none, one, or several when it is ambiguous."""
        if qualifier is None:
            return tuple(c for c in self.columns if c.visible and c.name == name)
        return tuple(c for c in self.columns if c.qualifier == qualifier and c.name == name)

    def has_relation(self, qualifier: str) -> bool:
        return any(column.qualifier == qualifier for column in self.columns)

    def star(self, qualifier: str | None = None) -> tuple[ScopeColumn, ...]:
        """What `*` or `qualifier.*` stands for."""
        if qualifier is None:
            return tuple(column for column in self.columns if column.visible)
        return tuple(column for column in self.columns if column.qualifier == qualifier)

    def joined(self, right: Scope, offset: int) -> Scope:
        """Both scopes, the right one's columns moved by `offset`."""
        moved = (
            ScopeColumn(
                name=c.name, qualifier=c.qualifier, index=c.index + offset, type=c.type,
                nullable=c.nullable, visible=c.visible,
            )
            for c in right.columns
        )  # fmt: skip
        return Scope((*self.columns, *moved))


def resolve(
    source: Source, spot: Spot, scope: Scope, outer: Scope | None, name: str, qualifier: str | None
) -> ColumnReference:
    """What `qualifier.name` means, in the query itself or in the one around it.

    Raises:
        InvalidSql: unknown, with a near miss, or ambiguous.
    """
    found = scope.find(name, qualifier)
    if not found and outer is not None:
        around = outer.find(name, qualifier)
        if len(around) == 1:
            return ColumnReference(index=OUTER + around[0].index, type=around[0].type)
        found = around
    shown = name if qualifier is None else f"{qualifier}.{name}"
    if len(found) == 1:
        return found[0].reference
    if found:
        owners = ", ".join(f'"{c.qualifier}"' for c in found)
        raise source.invalid(spot, f'column "{shown}" is ambiguous: {owners} have it')
    if qualifier is not None and not _knows(scope, outer, qualifier):
        tables = {c.qualifier for c in scope.columns if c.qualifier is not None}
        hint = near_miss(qualifier, tables)
        raise source.invalid(spot, f'"{qualifier}" is not a table of this query{hint}')
    candidates = [c.name for c in scope.columns if qualifier in (None, c.qualifier)]
    raise source.invalid(spot, f'column "{shown}" does not exist{near_miss(name, candidates)}')


def _knows(scope: Scope, outer: Scope | None, qualifier: str) -> bool:
    return scope.has_relation(qualifier) or (outer is not None and outer.has_relation(qualifier))


def relabel(columns: Sequence[ScopeColumn], qualifier: str | None) -> tuple[ScopeColumn, ...]:
    """The visible columns, numbered from 0, under one qualifier."""
    return tuple(
        ScopeColumn(name=c.name, qualifier=qualifier, index=index, type=c.type, nullable=c.nullable)
        for index, c in enumerate(columns)
    )
