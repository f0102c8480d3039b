"""What in FROM reads the relations to its left: calls of functions, and LATERAL subqueries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from antiphon.controller.sql.algebra.expressions import TRUE, all_of, remap
from antiphon.controller.sql.algebra.plans import ONE_ROW, computed, filtered, width_of
from antiphon.controller.sql.binding.relation import Context, Relation
from antiphon.controller.sql.binding.scope import Scope
from antiphon.controller.sql.queries.table_functions import TableCall
from antiphon.controller.sql.subqueries.domain import Applied, beside, new_domain
from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.plan import FlatMap, JoinKind, LocalGet, Plan, schema_of

# What a FROM that is not there reads.
NOTHING = Relation(plan=ONE_ROW, width=0, scope=Scope())


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateral:
    """A subquery over what it mentions of the relations to its left."""

    context: Context
    applied: Applied
    scope: Scope  # of its own columns

    @property
    def reads(self) -> bool:
        return self.applied.domain is not None

    @property
    def width(self) -> int:
        return self.applied.width

    def alone(self) -> Relation:
        """Where it reads nothing: a relation like any other."""
        return Relation(plan=self.applied.query.finished(), width=self.width, scope=self.scope)

    def beside(self, kind: JoinKind, left: Plan, conditions: Sequence[Expression]) -> Plan:
        """Each row of the left beside the rows that belong to it, where the conditions hold."""
        domain = self.applied.domain
        assert domain is not None, "it reads something"
        condition = all_of(list(conditions))
        residual = None if condition == TRUE else condition
        return beside(domain, kind, left, self.applied.query.finished(), residual)


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """Functions of columns to their left."""

    context: Context
    call: TableCall

    @property
    def reads(self) -> bool:
        return bool(self.call.reads)

    @property
    def scope(self) -> Scope:
        return self.call.scope

    @property
    def width(self) -> int:
        return len(self.call.scope.columns)

    def alone(self) -> Relation:
        return Relation(
            plan=self.call.over(ONE_ROW, keep_empty=False), width=self.width, scope=self.scope
        )

    def beside(self, kind: JoinKind, left: Plan, conditions: Sequence[Expression]) -> Plan:
        """Each row of the left beside what the functions make of it; with a condition on which
        of these belong to it, an outer join needs to know of all of them."""
        kept = [part for part in conditions if part != TRUE]
        if kind is JoinKind.LEFT and kept:
            return self._matched(left, all_of(kept))
        return filtered(self.call.over(left, keep_empty=kind is JoinKind.LEFT), kept)

    def _matched(self, left: Plan, condition: Expression) -> Plan:
        types = schema_of(left).types
        columns = tuple(ColumnReference(index=i, type=types[i]) for i in sorted(self.call.reads))
        places = {column.index: place for place, column in enumerate(columns)}
        domain = new_domain(self.context, columns)
        functions = tuple(
            replace(f, arguments=tuple(remap(part, places) for part in f.arguments))
            for f in self.call.functions
        )
        combinations = LocalGet(binding=domain.binding, schema=domain.schema)
        values = FlatMap(
            input=combinations, functions=functions, with_ordinality=self.call.with_ordinality
        )
        width = len(domain.columns)
        ours = [
            ColumnReference(index=width + i, type=kind)
            for i, kind in enumerate(schema_of(values).types[width:])
        ]
        right = computed(values, [*ours, *domain.ties(0)])
        assert width_of(right) == width + self.width, "the ties come last"
        return beside(domain, JoinKind.LEFT, left, right, condition)


Reader = Lateral | Called
