"""Joins of every kind, made of the inner join, distinct keys and differences.

Each of those is incremental by itself, so their composition is; and equal arrangements are shared.
With a residual whether a row matches depends on all of it, so anti is then L - semi.

    semi     L looked up in the distinct keys of R
    anti     L where the distinct keys of R have no match
    left     inner + anti beside nulls; right and full likewise
    not in   anti, less every row that a null on either side makes unknown
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from antiphon.protocol.expression import Call, ColumnReference, Expression, Literal
from antiphon.protocol.plan import Join, JoinKind, schema_of
from antiphon.protocol.ranges import Range, range_of
from antiphon.protocol.remapping import remapped
from antiphon.protocol.schema import BOOLEAN, Type
from antiphon.replica.dataflow.building.builder import Graph, Keyed, Node, keyed_by_all
from antiphon.replica.dataflow.operators.joining.join import LEFT, RIGHT
from antiphon.replica.dataflow.operators.joining.range_join import Bounds

Types = tuple[Type, ...]
Expressions = tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class _Side:
    node: Node
    types: Types
    keys: Expressions

    @property
    def width(self) -> int:
        return len(self.types)


@dataclass(frozen=True, slots=True)
class _Match:
    """When a left and a right row match. `residual`: over left columns, then right columns."""

    left: _Side
    right: _Side
    residual: Expression | None
    nulls_match: bool

    def flipped(self) -> _Match:
        left, right = self.left.width, self.right.width
        residual = self.residual
        if residual is not None:
            residual = remapped(residual, lambda i: i + right if i < left else i - left)
        return _Match(self.right, self.left, residual, self.nulls_match)


def render_join(
    graph: Graph, plan: Join, left: Node, right: Node, filters: Expressions = ()
) -> Node:
    """`filters`: what the pairs of an inner join are tested for afterwards."""
    match_ = _Match(
        _Side(left, schema_of(plan.left).types, plan.left_keys),
        _Side(right, schema_of(plan.right).types, plan.right_keys),
        plan.residual,
        plan.nulls_match,
    )
    match plan.kind:
        case JoinKind.INNER:
            return _inner(graph, match_, filters=filters)
        case JoinKind.LEFT:
            alone = _alone_left(graph, match_)
            return graph.sum(_inner(graph, match_, (LEFT,)), alone)
        case JoinKind.RIGHT:
            alone = _alone_right(graph, match_)
            return graph.sum(_inner(graph, match_, (RIGHT,)), alone)
        case JoinKind.FULL:
            both = (_alone_left(graph, match_), _alone_right(graph, match_))
            return graph.sum(_inner(graph, match_, (LEFT, RIGHT)), *both)
        case JoinKind.SEMI:
            return _semi(graph, match_)
        case JoinKind.ANTI:
            return _not_in(graph, match_) if plan.null_aware else _anti(graph, match_)
        case _:
            assert_never(plan.kind)


def _inner(
    graph: Graph, match_: _Match, own: Sequence[int] = (), filters: Expressions = ()
) -> Node:
    """`own`: sides whose rows without a match are sought too; that is rendered before."""
    left, right = match_.left, match_.right
    if not left.keys:
        conditions = filters if match_.residual is None else (match_.residual, *filters)
        ranges = range_of(conditions, left.width, left.width + right.width)
        if ranges is not None:
            pairs = _ranged(graph, left, right, ranges)
            return graph.filtered(pairs, left.width + right.width, match_.residual)
    output = [(LEFT, i) for i in range(left.width)] + [(RIGHT, i) for i in range(right.width)]
    node = graph.lookup(
        graph.keyed(left.node, left.types, left.keys),
        graph.keyed(right.node, right.types, right.keys),
        output,
        nulls_match=match_.nulls_match,
        own=own if match_.residual is None else (),
    )
    return graph.filtered(node, len(output), match_.residual)


def _ranged(graph: Graph, left: _Side, right: _Side, ranges: Range) -> Node:
    """A left row begins where `below` says that it is not above the right one's end."""

    def moved(expression: Expression) -> Expression:
        return remapped(expression, lambda i: i - left.width)

    ours, theirs = Bounds(None, None), Bounds(None, None)
    if ranges.below is not None:
        ours = replace(ours, low=ranges.below[0])
        theirs = replace(theirs, high=moved(ranges.below[1]))
    if ranges.above is not None:
        ours = replace(ours, high=ranges.above[0])
        theirs = replace(theirs, low=moved(ranges.above[1]))
    return graph.ranged(left.node, right.node, ours, theirs)


def _semi(graph: Graph, match_: _Match) -> Node:
    left, right = match_.left, match_.right
    output = [(LEFT, i) for i in range(left.width)]
    if match_.residual is None:
        keys = graph.distinct_keys(right.node, right.types, right.keys)
        return graph.lookup(
            graph.keyed(left.node, left.types, left.keys),
            keys,
            output,
            nulls_match=match_.nulls_match,
        )
    # Whether a row matches depends on all of it: find the distinct left rows that do.
    pairs = _inner(graph, match_)
    # Which of equal rows it is that match, their intervals' parts may decide.
    rows = graph.projected(pairs, left.width + right.width, range(left.width))
    matching = graph.with_parts(rows, left.types, range(left.width))
    ours = graph.with_parts(left.node, left.types, range(left.width))
    width = left.width + (ours != left.node)
    found = keyed_by_all(graph.distinct(matching), width)
    return graph.lookup(keyed_by_all(ours, width), found, output, nulls_match=True)


def _anti(graph: Graph, match_: _Match, by: Sequence[_Side] = ()) -> Node:
    """`by`: sides in the order in which the inner join of the same asks them for the order of its
    keys; the left one alone if there is no such join."""
    if match_.residual is not None:
        return graph.minus(match_.left.node, _semi(graph, match_))
    left, right = match_.left, match_.right
    keys = graph.distinct_keys(right.node, right.types, right.keys)
    return graph.unmatched(
        graph.keyed(left.node, left.types, left.keys),
        keys,
        left.width,
        nulls_match=match_.nulls_match,
        by=[keyed for side in by or (left,) if (keyed := _by_columns(side)) is not None],
    )


def _by_columns(side: _Side) -> Keyed | None:
    """None: some keys are computed."""
    found = tuple([key.index for key in side.keys if isinstance(key, ColumnReference)])
    return Keyed(side.node, side.width, found) if len(found) == len(side.keys) else None


def _alone_left(graph: Graph, match_: _Match) -> Node:
    """The left rows without a match, beside nulls."""
    width = match_.left.width
    nulls = tuple(Literal(value=None, type=kind) for kind in match_.right.types)
    alone = _anti(graph, match_, (match_.right, match_.left))
    return graph.mapped(alone, width, nulls, (), range(width + len(nulls)))


def _alone_right(graph: Graph, match_: _Match) -> Node:
    """Nulls beside the right rows without a match."""
    width = match_.right.width
    nulls = tuple(Literal(value=None, type=kind) for kind in match_.left.types)
    project = (*range(width, width + len(nulls)), *range(width))
    alone = _anti(graph, match_.flipped(), (match_.right, match_.left))
    return graph.mapped(alone, width, nulls, (), project)


def _not_in(graph: Graph, match_: _Match) -> Node:
    """Rows l for which `l = r` is false for every right row r: neither true nor unknown.

    The keys alone are null-aware; the residual is the subquery's own condition, so it must be true
    for a right row to count at all.
    """
    left, right = match_.left, match_.right
    definite = _anti(graph, match_)
    maybe = _could_match(match_)
    with_null = graph.filtered(right.node, right.width, _any_null(right.keys))
    without = graph.filtered(right.node, right.width, _negation(_any_null(right.keys)))
    # A right row with a null key is unknown to every left row that it could match.
    nulls = _Match(_Side(definite, left.types, ()), _Side(with_null, right.types, ()), maybe, False)
    kept = graph.minus(definite, _semi(graph, nulls))
    # So is every right row that a left row with a null key could match.
    known = graph.filtered(kept, left.width, _negation(_any_null(left.keys)))
    unknown = graph.filtered(kept, left.width, _any_null(left.keys))
    others = _Match(_Side(unknown, left.types, ()), _Side(without, right.types, ()), maybe, False)
    return graph.sum(known, graph.minus(unknown, _semi(graph, others)))


def _could_match(match_: _Match) -> Expression | None:
    """Every pair of keys is equal or has a null; and the residual. None: always.

    Used only where one of the two rows has a null key: with a single key that decides it.
    """
    offset = match_.left.width
    parts: list[Expression] = []
    if len(match_.left.keys) > 1:
        for left, right in zip(match_.left.keys, match_.right.keys, strict=True):
            moved = remapped(right, lambda i: i + offset)
            same = _call("equal", left, moved)
            parts.append(_call("or", same, _call("is_null", left), _call("is_null", moved)))
    if match_.residual is not None:
        parts.append(match_.residual)
    if len(parts) < 2:
        return parts[0] if parts else None
    return _call("and", *parts)


def _any_null(keys: Expressions) -> Expression:
    tests = [_call("is_null", key) for key in keys]
    return tests[0] if len(tests) == 1 else _call("or", *tests)


def _negation(expression: Expression) -> Expression:
    return _call("not", expression)


def _call(function: str, *arguments: Expression) -> Call:
    return Call(function=function, arguments=arguments, type=BOOLEAN)
