"""GROUP BY: its keys, and the grouping sets that ROLLUP, CUBE and GROUPING SETS stand for.

One set is a reduce. Of several each is a reduce by its own keys, over the rows bound once; the keys
that a set leaves out are null in its groups. What GROUPING() says is a constant of the set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import columns_of, columns_of_all, null, remap
from antiphon.controller.sql.algebra.plans import computed, width_of
from antiphon.controller.sql.binding.relation import Relation
from antiphon.controller.sql.binding.scope import AGGREGATES, is_subquery
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.parsing.syntax import expect_only
from antiphon.controller.sql.queries.aggregates import GROUPINGS, Aggregates
from antiphon.controller.sql.subqueries.correlation import COUNT_ROWS, of_empty_group
from antiphon.protocol.expression import ColumnReference, Expression, Literal
from antiphon.protocol.limits import GROUPING_SETS_MAX
from antiphon.protocol.plan import (
    Join,
    JoinKind,
    Let,
    LocalGet,
    Plan,
    Reduce,
    Union,
    schema_of,
)
from antiphon.protocol.schema import INT32

_Set = tuple[Expression, ...]
_NESTED: Final = (exp.Rollup, exp.Cube, exp.GroupingSets)


@dataclass(frozen=True, slots=True)
class Grouping:
    """All keys, and of each set which of them it groups by."""

    keys: tuple[Expression, ...]
    sets: tuple[frozenset[int], ...]

    @property
    def is_plain(self) -> bool:
        """Whether it is one set of all keys."""
        return len(self.sets) == 1 and len(self.sets[0]) == len(self.keys)

    def placed(self, place: Callable[[Expression], Expression]) -> Grouping:
        """The same over the columns that `place` gives."""
        return replace(self, keys=tuple(map(place, self.keys)))


def grouping_of(
    source: Source,
    group: exp.Expr | None,
    lower: Callable[[exp.Expr], Expression],
    shown: Sequence[Expression],
) -> Grouping:
    """`shown`: the select list, of which GROUP BY ALL takes what holds no aggregate or window.

    Raises:
        LimitExceeded: more sets than a plan may have.
    """
    if group is None:
        return Grouping((), (frozenset(),))
    if group.args.get("all") and not group.expressions:
        keys = tuple(dict.fromkeys(value for value in shown if _may_be_key(value)))
        return Grouping(keys, (frozenset(range(len(keys))),))
    expect_only(source, group, "expressions")
    parts = [_sets_of(source, item, lower) for item in group.expressions]
    count = 1
    for sets in parts:
        count *= len(sets)
    if count > GROUPING_SETS_MAX:
        raise source.unsupported(
            group, f"GROUP BY of {count} grouping sets", f"; at most {GROUPING_SETS_MAX} are"
        )
    whole = [tuple(key for part in chosen for key in part) for chosen in product(*parts)]
    keys = tuple(dict.fromkeys(key for one in whole for key in one))
    found = [frozenset(keys.index(key) for key in one) for one in whole]
    if group.args.get("all") is False:  # GROUP BY DISTINCT
        found = list(dict.fromkeys(found))
    return Grouping(keys, tuple(found))


def _may_be_key(value: Expression) -> bool:
    """Whether it reads something, and nothing that is there only after the groups."""
    read = columns_of(value)
    return bool(read) and all(index < AGGREGATES or is_subquery(index) for index in read)


def _sets_of(source: Source, node: exp.Expr, lower: Callable[[exp.Expr], Expression]) -> list[_Set]:
    """The sets of one item of GROUP BY."""
    if not isinstance(node, _NESTED):
        return [_keys_of(node, lower)]
    expect_only(source, node, "expressions")
    if isinstance(node, exp.GroupingSets):
        return [one for part in node.expressions for one in _sets_of(source, part, lower)]
    units = [_keys_of(part, lower) for part in node.expressions]
    if isinstance(node, exp.Rollup):
        chosen = [units[:count] for count in range(len(units), -1, -1)]
    else:
        if len(units) > GROUPING_SETS_MAX.bit_length():
            raise source.unsupported(node, f"CUBE of {len(units)} columns")
        chosen = [
            list(some) for count in range(len(units), -1, -1) for some in combinations(units, count)
        ]
    return [tuple(key for unit in some for key in unit) for some in chosen]


def _keys_of(node: exp.Expr, lower: Callable[[exp.Expr], Expression]) -> _Set:
    if isinstance(node, exp.Tuple):
        return tuple(lower(part) for part in node.expressions)
    return (lower(node.this if isinstance(node, exp.Paren) else node),)


def grouped(
    plan: Plan,
    grouping: Grouping,
    aggregates: Aggregates,
    next_binding: Callable[[], int],
    domain: Relation | None = None,
) -> tuple[Plan, dict[int, Expression]]:
    """The keys' columns, those of the domain, which are keys of every set, those of the aggregates,
    then those of the GROUPING() calls; and where the placeholders of these calls went."""
    if domain is not None:
        return _over_domain(plan, grouping, aggregates, next_binding, domain)
    if grouping.is_plain:
        return _with_one(aggregates.reduce(plan, grouping.keys)), _all_grouped(aggregates)
    binding = next_binding()
    whole = aggregates.reduce(plan, grouping.keys)
    value, reduce = _narrowed(whole)
    rows = LocalGet(binding=binding, schema=schema_of(value))
    parts = [
        _of_set(reduce, one, grouping, aggregates.groupings, _with_one(_by(rows, reduce, one)))
        for one in grouping.sets
    ]
    return _united(binding, value, parts, grouping, aggregates, whole)


def _over_domain(
    plan: Plan,
    grouping: Grouping,
    aggregates: Aggregates,
    next_binding: Callable[[], int],
    domain: Relation,
) -> tuple[Plan, dict[int, Expression]]:
    """The same with the domain's columns as keys of every set. A set of no other keys has a group
    for each of the domain's rows, whether there is anything to group or not."""
    ties = range(len(grouping.keys), len(grouping.keys) + domain.width)
    wide = Grouping(
        (*grouping.keys, *domain.references), tuple(one | frozenset(ties) for one in grouping.sets)
    )
    if wide.is_plain and grouping.keys:
        return aggregates.reduce(plan, wide.keys), _all_grouped(aggregates)
    if wide.is_plain:
        return _for_all(domain, aggregates.reduce(plan, wide.keys)), _all_grouped(aggregates)
    binding = next_binding()
    whole = aggregates.reduce(plan, wide.keys)
    value, reduce = _narrowed(whole)
    rows = LocalGet(binding=binding, schema=schema_of(value))
    parts: list[Plan] = []
    for one in wide.sets:
        own = _by(rows, reduce, one)
        groups = _for_all(domain, own) if len(one) == domain.width else own
        parts.append(_of_set(reduce, one, wide, aggregates.groupings, groups))
    return _united(binding, value, parts, wide, aggregates, whole)


def _for_all(domain: Relation, reduce: Reduce) -> Plan:
    """Groups by the domain's columns, and one of nothing for each of its rows that has none."""
    ties = domain.references
    join = Join(
        kind=JoinKind.LEFT, left=domain.plan, right=reduce, left_keys=ties, right_keys=ties,
        nulls_match=True,
    )  # fmt: skip
    outputs: list[Expression] = list(ties)
    for number, aggregate in enumerate(reduce.aggregates):
        column = ColumnReference(index=2 * len(ties) + number, type=aggregate.type)
        outputs.append(of_empty_group(aggregate, column))
    return computed(join, outputs)


def _all_grouped(aggregates: Aggregates) -> dict[int, Expression]:
    """What GROUPING() says where every key is grouped by."""
    count = len(aggregates.groupings)
    return {GROUPINGS + number: Literal(value=0, type=INT32) for number in range(count)}


def _united(
    binding: int,
    value: Plan,
    parts: Sequence[Plan],
    grouping: Grouping,
    aggregates: Aggregates,
    whole: Reduce,
) -> tuple[Plan, dict[int, Expression]]:
    first = len(grouping.keys) + len(whole.aggregates)
    places: dict[int, Expression] = {
        GROUPINGS + number: ColumnReference(index=first + number, type=INT32)
        for number in range(len(aggregates.groupings))
    }
    body = parts[0] if len(parts) == 1 else Union(inputs=tuple(parts))
    return Let(binding=binding, value=value, body=body), places


def _with_one(reduce: Reduce) -> Reduce:
    """Without keys something must stand for the one row."""
    if reduce.keys or reduce.aggregates:
        return reduce
    return Reduce(input=reduce.input, keys=(), aggregates=(COUNT_ROWS,))


def _narrowed(reduce: Reduce) -> tuple[Plan, Reduce]:
    """The keys, computed once, then what the aggregates read; and the reduce over these."""
    needed: set[int] = set()
    for aggregate in reduce.aggregates:
        conditions = () if aggregate.filter is None else (aggregate.filter,)
        needed |= columns_of_all((*aggregate.arguments, *conditions))
        needed |= {key.column for key in aggregate.order_by}
    types = schema_of(reduce.input).types
    columns = sorted(needed)
    count = len(reduce.keys)
    read = [ColumnReference(index=index, type=types[index]) for index in columns]
    places = {index: count + place for place, index in enumerate(columns)}
    value = computed(reduce.input, [*reduce.keys, *read])
    keys = tuple(ColumnReference(index=i, type=k.type) for i, k in enumerate(reduce.keys))
    aggregates = tuple(
        replace(
            aggregate,
            arguments=tuple(remap(part, places) for part in aggregate.arguments),
            filter=None if aggregate.filter is None else remap(aggregate.filter, places),
            order_by=tuple(replace(k, column=places[k.column]) for k in aggregate.order_by),
        )
        for aggregate in reduce.aggregates
    )
    return value, Reduce(input=value, keys=keys, aggregates=aggregates)


def _by(rows: LocalGet, reduce: Reduce, chosen: frozenset[int]) -> Reduce:
    """The rows grouped by the keys of one set."""
    keys = tuple(reduce.keys[i] for i in sorted(chosen))
    return Reduce(input=rows, keys=keys, aggregates=reduce.aggregates)


def _of_set(
    reduce: Reduce,
    chosen: frozenset[int],
    grouping: Grouping,
    groupings: Sequence[tuple[Expression, ...]],
    plan: Plan,
) -> Plan:
    """The groups of one set, `plan`, with a column for every key."""
    present = sorted(chosen)
    outputs: list[Expression] = []
    for index, key in enumerate(reduce.keys):
        if index in chosen:
            outputs.append(ColumnReference(index=present.index(index), type=key.type))
        else:
            outputs.append(null(key.type))
    for number, aggregate in enumerate(reduce.aggregates):
        outputs.append(ColumnReference(index=len(present) + number, type=aggregate.type))
    for arguments in groupings:
        bits = 0
        for argument in arguments:
            bits = 2 * bits + (grouping.keys.index(argument) not in chosen)
        outputs.append(Literal(value=bits, type=INT32))
    assert width_of(plan) >= len(present), "keys come first"
    return computed(plan, outputs)
