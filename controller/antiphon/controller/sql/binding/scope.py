"""Which columns an expression may name, and what a name means.

While a query is lowered, some column references stand for what has no place yet: an aggregate, a
window function, a value of a set, a column of the query around a subquery. They are numbered from
the bases below, far above any real column, and are gone when the query's plan is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from antiphon.controller.sql.parsing.source import Source, Spot, near_miss
from antiphon.protocol.errors import UnsupportedSql
from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.schema import Type

AGGREGATES: Final = 1 << 20
WINDOWS: Final = 1 << 21
OUTER: Final = 1 << 22
SUBQUERIES: Final = 1 << 23
SETS: Final = 1 << 24

MARKER: Final = ""  # names the column that is there with a whole row; see `scalars.whole_rows`
EXACT: Final = "exact"  # an alias that has to name all columns there are; see `scalars.quantifiers`


class Inseparable(UnsupportedSql):
    """A query mentions the one around it where its conditions cannot be set apart."""


def is_window(index: int) -> bool:
    return WINDOWS <= index < OUTER


def is_outer(index: int) -> bool:
    return OUTER <= index < SUBQUERIES


def is_subquery(index: int) -> bool:
    return SUBQUERIES <= index < SETS


def is_set(index: int) -> bool:
    return index >= SETS


@dataclass(slots=True, eq=False)
class Mention:
    """Whether a column was named."""

    is_made: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeColumn:
    """A column of the relation that is being lowered: `index` is its place in the plan's output.

    USING makes one visible column out of two; the two stay reachable by their qualified names.
    `level`: of which query it is, this one or one around it; a name means the nearest.
    """

    name: str
    qualifier: str | None
    index: int
    type: Type
    nullable: bool = True
    visible: bool = True  # to unqualified names and to `*`
    level: int = 0
    mention: Mention | None = field(default=None, compare=False, repr=False)

    @property
    def reference(self) -> ColumnReference:
        return ColumnReference(index=self.index, type=self.type)

    def note(self) -> None:
        """It is read."""
        if self.mention is not None:
            self.mention.is_made = True


@dataclass(frozen=True, slots=True)
class Scope:
    columns: tuple[ScopeColumn, ...] = ()

    def find(self, name: str, qualifier: str | None) -> tuple[ScopeColumn, ...]:
        """The columns that a name may mean: none, one, or several when it is ambiguous."""
        if qualifier is None:
            found = [c for c in self.columns if c.visible and c.name == name]
        else:
            found = [c for c in self.columns if c.qualifier == qualifier and c.name == name]
        nearest = min((c.level for c in found), default=0)
        return tuple(c for c in found if c.level == nearest)

    def has_relation(self, qualifier: str) -> bool:
        return any(column.qualifier == qualifier for column in self.columns)

    def star(self, qualifier: str | None = None) -> tuple[ScopeColumn, ...]:
        """What `*` or `qualifier.*` stands for."""
        if qualifier is None:
            return tuple(column for column in self.columns if column.visible and not column.level)
        named = [column for column in self.columns if column.qualifier == qualifier]
        found = [column for column in named if column.name != MARKER]
        nearest = min((column.level for column in found), default=0)
        return tuple(column for column in found if column.level == nearest)

    def joined(self, right: Scope, offset: int) -> Scope:
        """Both scopes, the right one's columns moved by `offset`."""
        return Scope((*self.columns, *(replace(c, index=c.index + offset) for c in right.columns)))

    def within(self, outer: Scope | None) -> Scope:
        """What a subquery may name: this query's columns, and behind them those around it."""
        if outer is None:
            return self
        around = (replace(c, index=c.index + OUTER, level=c.level + 1) for c in outer.columns)
        return Scope((*self.columns, *around))


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
        found = tuple(replace(column, index=OUTER + column.index) for column in around)
    shown = name if qualifier is None else f"{qualifier}.{name}"
    if len(found) == 1:
        if found[0].index >= SUBQUERIES:
            raise inseparable(source, spot)  # it is of a query further out
        found[0].note()
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


def inseparable(source: Source, spot: Spot, what: str = "") -> Inseparable:
    """The query around is mentioned where no condition can be set apart."""
    refused = source.unsupported(spot, what or "a correlated subquery of this form")
    return Inseparable(refused.message, **refused.details)


def _knows(scope: Scope, outer: Scope | None, qualifier: str) -> bool:
    return scope.has_relation(qualifier) or (outer is not None and outer.has_relation(qualifier))


def relabel(columns: Sequence[ScopeColumn], qualifier: str | None) -> tuple[ScopeColumn, ...]:
    """The visible columns, numbered from 0, under one qualifier."""
    return tuple(
        ScopeColumn(name=c.name, qualifier=qualifier, index=index, type=c.type, nullable=c.nullable)
        for index, c in enumerate(columns)
    )
