"""WITH RECURSIVE: a query that reads its own result, `first UNION [ALL] more`.

`UNION` gives the least set of rows that holds `first` and what `more` makes of it; `UNION ALL` adds
what `more` makes of each round to the round before. Both are followed through every change, which
needs a `more` that only gains rows when what it reads gains some: monotone. What is not is refused
by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from sqlglot import exp

from antiphon.controller.sql.algebra.plans import computed, rewrite_plan, walk_plan
from antiphon.controller.sql.binding.coercion import Unknown, coerce
from antiphon.controller.sql.binding.relation import CommonTable, Context, Environment, Query
from antiphon.controller.sql.binding.scope import ScopeColumn
from antiphon.controller.sql.parsing.syntax import expect_only
from antiphon.protocol.plan import (
    Constant,
    Distinct,
    FlatMap,
    Get,
    Join,
    JoinKind,
    Let,
    LocalGet,
    MapFilterProject,
    Negate,
    Plan,
    Recursion,
    Reduce,
    TemporalFilter,
    Threshold,
    TopK,
    Union,
    Window,
)
from antiphon.protocol.schema import Column, Schema

Lower = Callable[[exp.Expr, Environment], Query]
Rename = Callable[[tuple[ScopeColumn, ...]], tuple[ScopeColumn, ...]]


def mentions_itself(name: str, query: exp.Expr) -> bool:
    """Whether a query may read a table of this name."""
    return any(
        table.name == name and not table.args.get("db") for table in query.find_all(exp.Table)
    )


def lower_recursive(
    context: Context,
    name: str,
    node: exp.Expr,
    environment: Environment,
    lower: Lower,
    rename: Rename,
) -> Query:
    """The result of a query that reads itself as `name`.

    Raises:
        InvalidSql: it is no `first UNION more`, or the sides do not fit.
        UnsupportedSql: it is not monotone, or UNION ALL reads itself more than once.
    """
    source = context.source
    while isinstance(node, exp.Subquery) and not node.args.get("alias"):
        expect_only(source, node, "this")
        node = node.this
    if not isinstance(node, exp.Union) or mentions_itself(name, node.this):
        raise source.invalid(node, f'"{name}" reads itself, so it must be: first UNION [ALL] more')
    expect_only(source, node, "this", "expression", "distinct", "with_")
    first = lower(node.this, environment)
    columns = tuple(replace(column, nullable=True) for column in rename(first.columns))
    schema = Schema(tuple(Column(name=c.name, type=c.type) for c in columns))
    binding = context.next_binding()
    own = CommonTable(binding=binding, columns=columns, schema=schema)
    more = lower(node.expression, {**environment, name: own})
    step = _fitted(context, name, node, first, more)
    value: Plan = Union(inputs=(first.finished(), step))
    is_set = bool(node.args.get("distinct"))
    reason = _obstacle(step, binding, is_set=is_set)
    if reason is not None:
        raise source.unsupported(node.expression, f'{reason} "{name}", inside of "{name}",')
    if is_set:
        value = Distinct(input=value)
    body = LocalGet(binding=binding, schema=schema)
    return Query(
        plan=Recursion(binding=binding, schema=schema, value=value, body=body), columns=columns
    )


def _fitted(context: Context, name: str, node: exp.Union, first: Query, more: Query) -> Plan:
    """What comes afterwards, with the types of what was there at first."""
    source = context.source
    if len(first.columns) != len(more.columns):
        counts = f"{len(first.columns)} and {len(more.columns)}"
        raise source.invalid(node, f"the sides of a set operation have {counts} columns")
    outputs = [
        coerce(
            source,
            node.expression,
            Unknown(None) if place in more.unknown else theirs.reference,
            ours.type,
            f'afterwards, column "{ours.name}" of "{name}"',
        )
        for place, (ours, theirs) in enumerate(zip(first.columns, more.columns, strict=True))
    ]
    return computed(more.finished(), outputs)


def _obstacle(plan: Plan, binding: int, *, is_set: bool) -> str | None:
    """Why a plan that reads the binding is not followed through its changes, as the beginning of a
    sentence; None: it is."""
    if not is_set and _count(plan, binding) > 1:
        return "UNION ALL with more than one reading of"
    return _not_monotone(plan, binding, is_set=is_set)


def _not_monotone(plan: Plan, binding: int, *, is_set: bool) -> str | None:
    if _count(plan, binding) == 0:
        return None
    parts: tuple[Plan, ...]
    match plan:
        case LocalGet():
            return None
        case Join():
            if (reason := _join_obstacle(plan, binding, is_set=is_set)) is not None:
                return reason
            parts = (plan.left, plan.right)
        case Union():
            parts = plan.inputs
        case MapFilterProject() | TemporalFilter() | FlatMap():
            parts = (plan.input,)
        case Distinct():
            if not is_set:
                return "DISTINCT over"
            parts = (plan.input,)
        case Let():
            # What is bound may be read in any way, so it is looked at where it is read.
            parts = (_inlined(plan),)
        case Recursion():
            return "another recursion over"
        case Reduce():
            return "an aggregate over"
        case TopK():
            return "LIMIT or DISTINCT ON over"
        case Window():
            return "a window function over"
        case Negate() | Threshold():
            return "EXCEPT or INTERSECT over"
        case Get() | Constant():
            raise AssertionError(f"{type(plan).__name__} reads no binding")
        case _:
            assert_never(plan)
    reasons = (_not_monotone(part, binding, is_set=is_set) for part in parts)
    return next((reason for reason in reasons if reason is not None), None)


def _join_obstacle(join: Join, binding: int, *, is_set: bool) -> str | None:
    left, right = _count(join.left, binding) > 0, _count(join.right, binding) > 0
    match join.kind:
        case JoinKind.INNER:
            return None
        case JoinKind.SEMI:
            return None if is_set or not right else "IN or EXISTS, with UNION ALL, over"
        case JoinKind.ANTI:
            return "NOT IN, NOT EXISTS or EXCEPT over" if right else None
        case JoinKind.LEFT:
            return "an outer join to" if right else None
        case JoinKind.RIGHT:
            return "an outer join to" if left else None
        case JoinKind.FULL:
            return "an outer join to"
        case _:
            assert_never(join.kind)


def _count(plan: Plan, binding: int) -> int:
    return sum(isinstance(n, LocalGet) and n.binding == binding for n in walk_plan(plan))


def _inlined(let: Let) -> Plan:
    def replaced(node: Plan) -> Plan | None:
        own = isinstance(node, LocalGet) and node.binding == let.binding
        return let.value if own else None

    return rewrite_plan(let.body, replaced)
