"""Plans are taken apart and put together."""

from __future__ import annotations

from antiphon.controller.sql.algebra.expressions import TRUE, equal
from antiphon.controller.sql.algebra.plans import (
    ONE_ROW,
    computed,
    extended,
    filtered,
    joined,
    projected,
    rewrite_plan,
    walk_plan,
    width_of,
    with_children,
)
from antiphon.protocol.expression import ColumnReference, Literal
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import (
    Constant,
    Distinct,
    FlatMap,
    Get,
    Join,
    JoinKind,
    Let,
    LocalGet,
    Negate,
    Plan,
    Recursion,
    Reduce,
    TemporalFilter,
    Threshold,
    TopK,
    Union,
    Window,
    children,
)
from antiphon.protocol.schema import INT32, Column, Schema

SCHEMA = Schema((Column(name="a", type=INT32), Column(name="b", type=INT32)))
GET = Get(collection=CollectionId(1), schema=SCHEMA)
OTHER = Get(collection=CollectionId(2), schema=SCHEMA)
A, B = (ColumnReference(index=index, type=INT32) for index in range(2))
JOIN = joined(JoinKind.LEFT, GET, OTHER, [(A, B)], [equal(A, B), TRUE])
PLANS: tuple[Plan, ...] = (
    GET,
    LocalGet(binding=1, schema=SCHEMA),
    Constant(schema=SCHEMA, rows=()),
    filtered(GET, [equal(A, B)]),
    JOIN,
    Reduce(input=GET, keys=(A,), aggregates=()),
    Distinct(input=GET),
    TopK(input=GET, group_by=(0,), order_by=(), limit=1),
    Window(input=GET, partition_by=(0,), order_by=(), functions=()),
    Union(inputs=(GET, OTHER)),
    Negate(input=GET),
    Threshold(input=GET),
    TemporalFilter(input=GET, valid_from=None, valid_until=None),
    FlatMap(input=GET, functions=(), with_ordinality=True),
    Let(binding=1, value=GET, body=OTHER),
    Recursion(binding=1, schema=SCHEMA, value=GET, body=OTHER),
)


def test_every_node_is_rebuilt_from_its_inputs() -> None:
    for plan in PLANS:
        assert with_children(plan, children(plan)) == plan
        assert rewrite_plan(plan, lambda node: None) is plan


def test_a_node_is_replaced_wherever_it_stands() -> None:
    def swap(node: Plan) -> Plan | None:
        return OTHER if node == GET else None

    for plan in PLANS:
        assert GET not in list(walk_plan(rewrite_plan(plan, swap)))


def test_steps_that_do_nothing_are_not_made() -> None:
    assert filtered(GET, [TRUE]) is GET
    assert extended(GET, []) is GET
    assert projected(GET, [0, 1]) is GET
    assert computed(GET, [A, B]) is GET


def test_steps_have_the_columns_that_were_asked_for() -> None:
    one = Literal(value=1, type=INT32)
    assert width_of(extended(GET, [one])) == 3
    assert width_of(projected(GET, [1])) == 1
    assert width_of(computed(GET, [one, A, one])) == 3
    assert width_of(ONE_ROW) == 0
    assert width_of(JOIN) == 4


def test_a_join_has_no_residual_that_says_nothing() -> None:
    assert joined(JoinKind.INNER, GET, OTHER, [(A, B)], [TRUE]).residual is None
    assert isinstance(JOIN, Join)
    assert JOIN.residual == equal(A, B)
