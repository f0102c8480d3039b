"""What lowering a part of a query yields, and what all parts share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from antiphon.controller.catalog import Catalog
from antiphon.controller.sql.algebra.plans import identity, projected
from antiphon.controller.sql.binding.scope import Scope, ScopeColumn, relabel
from antiphon.controller.sql.parsing.source import Source
from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Plan, SortKey, TopK, schema_of
from antiphon.protocol.schema import Column, Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A plan of `width` columns, and the names by which they are reached."""

    plan: Plan
    width: int
    scope: Scope

    @property
    def references(self) -> tuple[ColumnReference, ...]:
        """All of its columns."""
        return tuple(
            ColumnReference(index=i, type=kind) for i, kind in enumerate(schema_of(self.plan).types)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query's plan before it is ordered and cut.

    The plan's first columns are the answer's; what follows is there to sort by. `unknown`: columns
    that are quoted strings or NULL without a type, which a set operation may still give another.
    `ties`: how many of the answer's last columns are those of the domain that it is computed over.
    """

    plan: Plan
    columns: tuple[ScopeColumn, ...]
    order_by: tuple[SortKey, ...] = ()
    limit: int | None = None
    offset: int = 0
    unknown: frozenset[int] = frozenset()
    ties: int = 0

    @property
    def is_cut(self) -> bool:
        return self.limit is not None or self.offset > 0

    def schema(self) -> Schema:
        return Schema(
            tuple(Column(name=c.name, type=c.type, nullable=c.nullable) for c in self.columns)
        )

    def cut(self) -> Plan:
        """The plan, by top-k if the query is cut; what it is sorted by is there still."""
        if not self.is_cut:
            return self.plan
        count = len(self.columns)
        return TopK(
            input=self.plan, group_by=tuple(range(count - self.ties, count)),
            order_by=self.order_by, limit=self.limit, offset=self.offset,
        )  # fmt: skip

    def finished(self) -> Plan:
        """The plan of the answer's columns alone, cut if the query is. An order without a cut
        means nothing inside another query."""
        return projected(self.cut(), identity(len(self.columns)))

    def relation(self, alias: str | None) -> Relation:
        """The answer as something to select from."""
        columns = relabel(self.columns, alias)
        return Relation(plan=self.finished(), width=len(columns), scope=Scope(columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonTable:
    """WITH name AS (...): a binding that queries in its reach may get."""

    binding: int
    columns: tuple[ScopeColumn, ...]
    schema: Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonQuery:
    """WITH name AS (...) of a query that mentions those around the one it stands in: computed over
    what it mentions, wherever it is read. `depth`: of the queries over domains, where it stands."""

    node: exp.Expr
    names: tuple[str, ...]  # of its first columns
    environment: Environment
    depth: int


Environment = Mapping[str, CommonTable | CommonQuery]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentions:
    """What may be a table's name as a value somewhere in a tree: `t`, and `t.*`."""

    root: exp.Expr
    bare: frozenset[str]
    starred: frozenset[str]


@dataclass(slots=True, kw_only=True)
class Context:
    """Shared by all parts of one statement's lowering."""

    source: Source
    catalog: Catalog
    place: str = "a query"
    now_us: int | None = None  # None: the current time may not be asked for
    used: dict[CollectionId, None] = field(default_factory=dict)  # items named, in that order
    may_inspect: bool = False  # whether introspection collections may be named
    inspects: bool = False  # one was named, and nothing else
    bindings: int = 0
    domain_depth: int = 0  # of queries over domains that are being lowered
    common: list[exp.Expr] = field(default_factory=list)  # the queries of all CommonQuery
    mentions: list[Mentions] = field(default_factory=list)  # of each tree that has been asked
    domains: set[int] = field(default_factory=set)  # bindings of rows around a domain; membership

    def next_binding(self) -> int:
        self.bindings += 1
        return self.bindings
