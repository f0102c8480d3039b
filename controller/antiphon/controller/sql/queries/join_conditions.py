"""JOIN ... ON with conditions that are no plain expressions: subqueries, and the clock of a view.

They are what WHERE makes of them, over the pairs that the plain conditions leave. An outer join is
then these pairs, and of each side that it keeps the rows that are in none of them, beside nulls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import null
from antiphon.controller.sql.algebra.plans import computed, identity, projected, width_of
from antiphon.controller.sql.binding.relation import Context, Relation
from antiphon.controller.sql.binding.scope import Mention, Scope
from antiphon.controller.sql.parsing.syntax import conjunct_nodes, has_query
from antiphon.controller.sql.queries.clock import asks_clock
from antiphon.controller.sql.subqueries.domain import ties_of
from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.plan import Distinct, Join, JoinKind, Let, LocalGet, Plan, Union, schema_of

# The rows of a relation for which all conditions are true, as WHERE has them.
Narrowing = Callable[[Relation, Sequence[exp.Expr]], Plan]
# Both sides, joined on plain conditions over the columns of both.
Joining = Callable[[JoinKind, Plan, Plan, Sequence[Expression]], Plan]


def parted(context: Context, on: exp.Expr) -> tuple[list[exp.Expr], list[exp.Expr]]:
    """The conditions that are plain expressions, and those that are not."""
    plain: list[exp.Expr] = []
    others: list[exp.Expr] = []
    for part in conjunct_nodes(on):
        clocked = context.now_us is None and asks_clock(part)
        (others if clocked or has_query(part) else plain).append(part)
    return plain, others


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What stands after ON: `plain`, lowered, and `others`, over the columns of both sides."""

    context: Context
    scope: Scope
    plain: tuple[Expression, ...]
    others: tuple[exp.Expr, ...]
    narrowed: Narrowing

    def join(self, kind: JoinKind, left: Relation, right: Relation, join: Joining) -> Plan:
        """Both sides, joined. `join` may read the left side to make the right one."""
        if not self.others:
            return join(kind, left.plan, right.plan, self.plain)
        if kind is JoinKind.INNER:
            return self._pairs(left, right, join)
        lets: list[tuple[int, Plan]] = []

        def kept(relation: Relation) -> Relation:
            """A side that is read twice."""
            lets.append((self.context.next_binding(), relation.plan))
            return replace(relation, plan=_bound(*lets[-1]))

        left = kept(left) if kind in (JoinKind.LEFT, JoinKind.FULL) else left
        right = kept(right) if kind in (JoinKind.RIGHT, JoinKind.FULL) else right
        pairs = self._pairs(left, right, join)
        lets.append((self.context.next_binding(), pairs))
        found = _bound(*lets[-1])
        parts: list[Plan] = [found]
        if kind in (JoinKind.LEFT, JoinKind.FULL):
            lone = _unmatched(left.plan, found, 0)
            parts.append(computed(lone, [*_columns(lone), *_nulls(found)[left.width :]]))
        if kind in (JoinKind.RIGHT, JoinKind.FULL):
            lone = _unmatched(right.plan, found, left.width)
            parts.append(computed(lone, [*_nulls(found)[: left.width], *_columns(lone)]))
        body: Plan = Union(inputs=tuple(parts))
        for binding, value in reversed(lets):
            body = Let(binding=binding, value=value, body=body)
        return body

    def of(self, columns: range, rows: Plan) -> tuple[Conditions, list[exp.Expr]]:
        """Those that mention no other column than these, apart from the rest. `rows`: nothing, in
        the columns of both sides."""
        kept: list[exp.Expr] = []
        apart: list[exp.Expr] = []
        for part in self.others:
            tried = tuple(replace(c, mention=Mention()) for c in self.scope.columns)
            over = Relation(plan=rows, width=len(schema_of(rows)), scope=Scope(tried))
            self.narrowed(over, [part])
            read = [c.index for c in tried if c.mention is not None and c.mention.is_made]
            (apart if all(index in columns for index in read) else kept).append(part)
        return replace(self, others=tuple(kept)), apart

    def _pairs(self, left: Relation, right: Relation, join: Joining) -> Plan:
        plan = join(JoinKind.INNER, left.plan, right.plan, self.plain)
        width = left.width + right.width
        relation = Relation(plan=plan, width=width, scope=self.scope)
        return projected(self.narrowed(relation, self.others), identity(width))


def _bound(binding: int, plan: Plan) -> LocalGet:
    return LocalGet(binding=binding, schema=schema_of(plan))


def _columns(plan: Plan) -> list[ColumnReference]:
    return [ColumnReference(index=i, type=kind) for i, kind in enumerate(schema_of(plan).types)]


def _nulls(plan: Plan) -> list[Expression]:
    return [null(kind) for kind in schema_of(plan).types]


def _unmatched(rows: Plan, pairs: Plan, first: int) -> Plan:
    """The rows that are in no pair, whose columns from `first` on they would be. Equal rows are
    all in pairs, or none is."""
    own = ties_of(tuple(_columns(rows)))
    places = range(first, first + width_of(rows))
    matched = Distinct(input=computed(projected(pairs, places), own))
    return Join(
        kind=JoinKind.ANTI, left=rows, right=matched, left_keys=own,
        right_keys=tuple(_columns(matched)), nulls_match=True,
    )  # fmt: skip
