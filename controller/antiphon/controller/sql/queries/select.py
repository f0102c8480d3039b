"""One SELECT: from its clauses to a plan.

The order is SQL's: FROM, WHERE, GROUP BY, HAVING, window functions, the select list, DISTINCT,
ORDER BY. Expressions of the later clauses are lowered first, over the columns of FROM, with
placeholders for aggregates, windows and subqueries; then each step gives its placeholders a place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import columns_of, rewrite
from antiphon.controller.sql.algebra.plans import filtered
from antiphon.controller.sql.binding.coercion import Typed, Unknown, settle
from antiphon.controller.sql.binding.naming import output_name
from antiphon.controller.sql.binding.relation import Context, Query, Relation
from antiphon.controller.sql.binding.scope import (
    AGGREGATES,
    SUBQUERIES,
    Inseparable,
    Scope,
    ScopeColumn,
    inseparable,
    is_outer,
    is_subquery,
    is_window,
)
from antiphon.controller.sql.parsing.syntax import (
    conjunct_nodes,
    describe,
    expect_only,
    is_set_returning,
    is_subquery_value,
    name_of,
)
from antiphon.controller.sql.queries import clock
from antiphon.controller.sql.queries.aggregates import Aggregates
from antiphon.controller.sql.queries.ending import distinct_on, ended, with_ties
from antiphon.controller.sql.queries.grouping import grouped, grouping_of
from antiphon.controller.sql.queries.ordering import (
    keeps_ties,
    limit_and_offset,
    order_items,
    output_position,
)
from antiphon.controller.sql.queries.output import (
    Output,
    is_star,
    shown_by,
    star_outputs,
    with_names,
)
from antiphon.controller.sql.queries.table_functions import SetCalls
from antiphon.controller.sql.queries.windows import Windows, place_windows
from antiphon.controller.sql.scalars.nested import fields_of
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.controller.sql.subqueries.correlation import SubqueryValue
from antiphon.controller.sql.subqueries.domain import narrowed
from antiphon.controller.sql.subqueries.subquery import Subqueries
from antiphon.controller.sql.subqueries.taken import read_when
from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.plan import Plan, TemporalFilter

_CLAUSES = (
    "expressions", "from_", "joins", "where", "group", "having", "distinct", "order", "limit",
    "offset", "with_", "windows", "qualify",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class SelectLowering:
    """The state of one SELECT: its rows so far, and what still has no place in them."""

    context: Context
    relation: Relation
    subqueries: Subqueries
    plan: Plan
    outer: Scope | None = None
    domain: Relation | None = None  # what it is computed over: the first columns of FROM
    aggregates: Aggregates = field(default_factory=Aggregates)
    windows: Windows = field(default_factory=Windows)
    sets: SetCalls = field(default_factory=SetCalls)
    values: list[SubqueryValue] = field(default_factory=list)  # of subqueries, to be joined
    asked: list[str] = field(default_factory=list)  # what each of these stands for
    keys: tuple[Expression, ...] | None = None  # of the groups; None: rows are not grouped
    places: dict[int, Expression] = field(default_factory=dict)  # where placeholders went
    ties: tuple[ColumnReference, ...] = ()  # where the domain's columns are

    def __post_init__(self) -> None:
        if self.domain is not None:
            self.ties = self.domain.references

    def query(self, node: exp.Select) -> Query:
        """The whole SELECT, after its FROM."""
        expect_only(self.context.source, node, *_CLAUSES)
        self.windows.name(self.context.source, node.args.get("windows") or ())
        self.where(node.args.get("where"))
        outputs = self.outputs(node)
        source, shown = self.context.source, shown_by(outputs)
        order = order_items(source, node.args.get("order"), shown, self.scalars("ORDER BY").lower)
        on = distinct_on(source, node, shown, self.scalars("DISTINCT ON").lower)
        qualify = node.args.get("qualify")
        chosen = None if qualify is None else self._qualified(qualify.this, outputs)
        above = [item.value for item in (*order, *(on or ())) if item.value is not None]
        above += [] if chosen is None else [chosen]
        self.group(node, outputs, above)
        if chosen is not None:
            self.plan = filtered(self.plan, [self.place(chosen, qualify)])
        self.plan = self.sets.placed(self.plan, self.places, self.place)
        columns = [self.place(settle(source, o.node, o.value), o.node) for o in outputs]
        columns += self.ties
        unknown = frozenset(i for i, o in enumerate(outputs) if type(o.value) is Unknown)
        limit, offset = limit_and_offset(self.context.source, node)
        ties = len(self.ties)
        plan, order_by = ended(source, node, self.plan, columns, ties, order, on, self.place)
        query = Query(
            plan=plan, columns=self._shown(outputs, columns), order_by=order_by, limit=limit,
            offset=offset, unknown=unknown, ties=ties,
        )  # fmt: skip
        return with_ties(query) if keeps_ties(source, node) else query

    def _qualified(self, node: exp.Expr, outputs: Sequence[Output]) -> Expression:
        """The condition of QUALIFY, which may name what the select list names."""
        known = self.relation.scope.within(self.outer)
        return self.scalars("QUALIFY").predicate(
            with_names(self.context.source, node, known, outputs)
        )

    def _shown(
        self, outputs: Sequence[Output], columns: Sequence[Expression]
    ) -> tuple[ScopeColumn, ...]:
        """What the answer's columns are called; ties have no name."""
        named = [(o.name, o.nullable or self.keys is not None) for o in outputs]
        named += [("", True)] * len(self.ties)
        return tuple(
            ScopeColumn(name=name, qualifier=None, index=i, type=c.type, nullable=nullable)
            for i, ((name, nullable), c) in enumerate(zip(named, columns, strict=True))
        )

    # Lowering expressions.

    def scalars(self, place: str, *, special: bool = True) -> Scalars:
        return Scalars(
            source=self.context.source,
            scope=self.relation.scope,
            outer=self.outer,
            place=place,
            special=(lambda node: self._special(node, place)) if special else None,
            now_us=self.context.now_us,
            statement=self.context.place,
        )

    def _special(self, node: exp.Expr, place: str) -> Expression:
        """Aggregates, windows, sets and subqueries, as placeholders."""
        if is_set_returning(node):
            return self.sets.lower(self.scalars(place), node, place)
        if isinstance(node, exp.Window):
            return self.windows.lower(self.scalars("a window function"), node)
        if is_subquery_value(node):
            return self._subquery(node)
        return self.aggregates.lower(self._only_subqueries("an aggregate"), node)

    def _only_subqueries(self, place: str) -> Scalars:
        """For what stands below the groups: nothing that needs them may be in it."""

        def special(node: exp.Expr) -> Expression:
            if is_subquery_value(node):
                return self._subquery(node)
            raise self.context.source.unsupported(node, f"{describe(node)} in {place}")

        return replace(self.scalars(place, special=False), special=special)

    def _subquery(self, node: exp.Expr) -> Expression:
        """The placeholder of a subquery's value; one that is written twice is computed once."""
        written = repr(node)
        if written not in self.asked:
            value = self.subqueries.value(node, self.scalars("a subquery", special=False))
            self.values.append(value)
            self.asked.append(written)
        index = self.asked.index(written)
        return ColumnReference(index=SUBQUERIES + index, type=self.values[index].value.type)

    def outputs(self, node: exp.Expr, place: str = "SELECT") -> list[Output]:
        """The select list, with `*` spelled out, lowered over the columns of FROM."""
        scalars = self.scalars(place)
        result: list[Output] = []
        if not node.expressions:
            raise self.context.source.invalid(node, f"{place} of no columns")
        for item in node.expressions:
            if is_star(item):
                result += star_outputs(scalars, self.relation.scope, self.outer, item)
                continue
            if isinstance(item, exp.Dot) and isinstance(item.expression, exp.Star):
                fields = fields_of(scalars, item)
                result += [Output(name=n, value=value, node=item) for n, value in fields]
                continue
            expression = item.this if isinstance(item, exp.Alias) else item
            value = scalars.typed(expression)
            if not isinstance(value, Unknown):
                self.sets.check(scalars, expression, value)
            nullable = not isinstance(value, ColumnReference) or any(
                c.nullable for c in self.relation.scope.columns if c.index == value.index
            )
            if isinstance(value, ColumnReference) and value.index >= AGGREGATES:
                nullable = True
            result.append(
                Output(name=output_name(item), value=value, node=expression, nullable=nullable)
            )
        return result

    # The clauses.

    def where(self, node: exp.Expr | None) -> None:
        """Filters, then semijoins, then filters that read a subquery's value."""
        for condition, spot in self.split_where(node):
            self._refuse_outer(condition, spot)

    def split_where(self, node: exp.Expr | None) -> list[tuple[Expression, exp.Expr]]:
        """Apply all conditions but those that mention the outer query; return these."""
        if node is None:
            return []
        return self._split(conjunct_nodes(node.this), "WHERE")

    def hold(self, conditions: Sequence[exp.Expr], place: str) -> None:
        """What WHERE makes of the conditions, which stand in another place."""
        for condition, spot in self._split(conditions, place):
            self._refuse_outer(condition, spot)

    def _split(
        self, conditions: Sequence[exp.Expr], place: str
    ) -> list[tuple[Expression, exp.Expr]]:
        scalars = self.scalars(place)
        plain: list[Expression] = []
        late: list[tuple[Expression, exp.Expr]] = []
        ties: list[tuple[Expression, exp.Expr]] = []
        semijoins: list[exp.Expr] = []
        clocked: list[exp.Expr] = []
        for part in _of_the_clock(conditions):
            if self.subqueries.is_semijoin(part):
                semijoins.append(part)
                continue
            if self.context.now_us is None and clock.asks_clock(part):
                clocked.append(part)
                continue
            before = len(self.values)
            predicate = scalars.predicate(part)
            if any(is_outer(index) for index in columns_of(predicate)):
                ties.append((predicate, part))
            elif len(self.values) == before:
                plain.append(predicate)
            else:
                late.append((predicate, part))
        self.refuse_grouping(conditions[0], place)
        self.plan = narrowed(self.context, self.plan, plain)
        for part in clocked:
            self._let_be(part)
        inner = self.scalars("IN or EXISTS", special=False)
        for part in semijoins:
            self.plan = self.subqueries.semijoin(part, inner, self.plan)
        self.join_values([value for value, _ in late])
        self.plan = filtered(self.plan, [self.place(value, spot) for value, spot in late])
        return ties

    def _let_be(self, node: exp.Expr) -> None:
        """Rows come and go as a comparison with the clock says."""
        scalars = self.scalars("a comparison with the current time", special=False)
        when = clock.validity(scalars, node)
        for bound in when.bounds:
            self._refuse_outer(bound, node)
        self.plan = TemporalFilter(
            input=self.plan, valid_from=when.valid_from, valid_until=when.valid_until
        )

    def refuse_grouping(self, spot: exp.Expr, place: str) -> None:
        """
        Raises:
            InvalidSql: an aggregate or window function has been lowered, where none may stand.
        """
        if self.aggregates.is_used or self.windows.calls:
            what = "an aggregate" if self.aggregates.is_used else "a window function"
            raise self.context.source.invalid(spot, f"{what} cannot stand in {place}")

    def sort_values(
        self, node: exp.Select, outputs: Sequence[Output]
    ) -> list[tuple[Expression, bool, bool]]:
        """ORDER BY as (value, descending, nulls first), over the columns of FROM."""
        source = self.context.source
        lower = self.scalars("ORDER BY").lower
        items = order_items(source, node.args.get("order"), shown_by(outputs), lower)
        sorts: list[tuple[Expression, bool, bool]] = []
        for item in items:
            value = item.value
            if item.output is not None:
                shown = outputs[item.output]
                value = settle(source, shown.node, shown.value)
            assert value is not None, "an output or a value"
            sorts.append((value, item.descending, item.nulls_first))
        return sorts

    def group(
        self, node: exp.Select, outputs: Sequence[Output], above: Sequence[Expression]
    ) -> None:
        """GROUP BY, HAVING and aggregates; then the values of subqueries, then windows. `above`:
        what is read after that, beside the outputs."""
        having = node.args.get("having")
        condition = None if having is None else self.scalars("HAVING").predicate(having.this)
        if condition is not None and any(is_window(index) for index in columns_of(condition)):
            raise self.context.source.invalid(having, "a window function cannot stand in HAVING")
        group = node.args.get("group")
        if group is not None or having is not None or self.aggregates.is_used:
            self._reduce(group, outputs)
        shown = [output.value for output in outputs if not isinstance(output.value, Unknown)]
        read = [*shown, *above, *([] if condition is None else [condition])]
        self.join_values([*read, *self.windows.read, *self.sets.read])
        if condition is not None:
            assert having is not None, "the condition came from it"
            self.plan = filtered(self.plan, [self.place(condition, having)])
        self.plan = place_windows(self.plan, self.windows.calls, self.places, self.place, self.ties)

    def _reduce(self, group: exp.Expr | None, outputs: Sequence[Output]) -> None:
        source = self.context.source
        shown = [settle(source, output.node, output.value) for output in outputs]
        grouping = grouping_of(source, group, lambda n: self._group_key(n, outputs), shown)
        for asked in self.aggregates.groupings:
            if not all(key in grouping.keys for key in asked):
                raise source.invalid(group, "the arguments of grouping must stand in GROUP BY")
        keys = (*grouping.keys, *self.ties)
        self.join_values([*grouping.keys, *self.aggregates.read])
        self.plan, places = grouped(
            self.plan, grouping.placed(self.place), self.aggregates.placed(self.place),
            self.context.next_binding, self.domain,
        )  # fmt: skip
        self.keys = keys
        # What was joined below the groups is in their columns alone.
        self.places = {i: place for i, place in self.places.items() if not is_subquery(i)}
        self.ties = tuple(
            ColumnReference(index=len(grouping.keys) + i, type=tie.type)
            for i, tie in enumerate(self.ties)
        )
        self.places.update(places)
        for number, aggregate in enumerate(self.aggregates.calls):
            self.places[AGGREGATES + number] = ColumnReference(
                index=len(self.keys) + number, type=aggregate.type
            )

    def _group_key(self, node: exp.Expr, outputs: Sequence[Output]) -> Expression:
        """A key: a position or an alias of the select list, or an expression."""
        source = self.context.source
        chosen: Typed | None = None
        if isinstance(node, exp.Literal | exp.Neg | exp.Null):
            place = output_position(source, node, shown_by(outputs))
            chosen = None if place is None else outputs[place].value
        elif isinstance(node, exp.Column) and not node.args.get("table"):
            # A column of FROM goes before an alias of the same name.
            name = name_of(node.this)
            if not self.relation.scope.find(name, None):
                place = output_position(source, node, shown_by(outputs))
                chosen = None if place is None else outputs[place].value
        key = (
            self._only_subqueries("GROUP BY").lower(node)
            if chosen is None
            else settle(source, node, chosen)
        )
        self._refuse_outer(key, node)
        if any(index >= AGGREGATES and not is_subquery(index) for index in columns_of(key)):
            raise source.invalid(node, "GROUP BY cannot hold an aggregate, window or set")
        return key

    def join_values(self, readers: Sequence[Expression] | None = None) -> None:
        """Append the columns of subqueries that have no place yet: of those that the expressions
        read, for the rows of which they do, or of all; what is within a group's key is there."""
        keys = self.keys or ()
        read = None if readers is None else read_when(readers, lambda part: part in keys)
        for number, value in enumerate(self.values):
            index = SUBQUERIES + number
            if index in self.places or (read is not None and index not in read):
                continue
            taken = None if read is None else self._placed_condition(read[index])
            self.plan, column = value.join_to(self.plan, self.place, taken)
            self.places[index] = column

    def _placed_condition(self, condition: Expression | None) -> Expression | None:
        """The condition over the plan's columns; None, which is all rows, where it reads what has
        no place yet."""
        if condition is None:
            return None
        special = [index for index in columns_of(condition) if index >= AGGREGATES]
        if any(index not in self.places for index in special):
            return None
        return self.place(condition)

    # Giving placeholders their places.

    def place(self, expression: Expression, spot: exp.Expr | None = None) -> Expression:
        """An expression over FROM's columns as one over the columns of the plan as it is now."""
        return rewrite(expression, lambda part: self._replace(part, spot))

    def _replace(self, part: Expression, spot: exp.Expr | None) -> Expression | None:
        if self.keys is not None and part in self.keys:
            return ColumnReference(index=self.keys.index(part), type=part.type)
        if not isinstance(part, ColumnReference):
            return None
        if part.index in self.places:
            return self.places[part.index]
        if is_outer(part.index):
            raise inseparable(self.context.source, spot)
        if self.keys is None:
            return part
        owner = next(c for c in self.relation.scope.columns if c.index == part.index)
        shown = owner.name if owner.qualifier is None else f"{owner.qualifier}.{owner.name}"
        raise self.context.source.invalid(
            spot, f'column "{shown}" must stand in GROUP BY or inside an aggregate'
        )

    def inseparable(self, spot: exp.Expr) -> Inseparable:
        """The query around is mentioned where no condition can be set apart."""
        return inseparable(self.context.source, spot)

    def _refuse_outer(self, expression: Expression, spot: exp.Expr) -> None:
        if any(is_outer(index) for index in columns_of(expression)):
            raise inseparable(self.context.source, spot)


def _of_the_clock(conditions: Sequence[exp.Expr]) -> Iterator[exp.Expr]:
    """The conditions; of the clock, none with two bounds."""
    for part in conditions:
        yield from clock.split_between(part) if clock.asks_clock(part) else [part]
