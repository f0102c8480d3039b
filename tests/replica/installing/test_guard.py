"""What a row must be to concern a dataflow, as far as its plan says so."""

from __future__ import annotations

import pytest

from antiphon.protocol.expression import ColumnReference, Literal
from antiphon.protocol.plan import Get, Plan, Union
from antiphon.protocol.schema import FLOAT64, INT64
from antiphon.replica.installing.guard import Guard, guard_of
from tests.replica.filters import K, V, compared, modulo, number, ratio, text, where
from tests.replica.scripted import FEED, PAIRS, TABLE

SEVEN = Guard(expression=K, value=7)
IS_SEVEN = compared(K, number(7))
REAL = ColumnReference(index=0, type=FLOAT64)


@pytest.mark.parametrize(
    ("plan", "guard"),
    [
        (where(IS_SEVEN), SEVEN),
        (where(compared(number(7), K)), SEVEN),
        (where(compared(modulo(10), number(3))), Guard(expression=modulo(10), value=3)),
        (where(compared(V, text("a"))), Guard(expression=V, value="a")),
        # What fails in a row is found out where it is computed.
        (where(compared(ratio(10), number(5))), Guard(expression=ratio(10), value=5)),
        (where(compared(K, number(3), "less"), IS_SEVEN), SEVEN),
        (where(IS_SEVEN, compared(ratio(10), number(5))), SEVEN),
        (Union(inputs=(where(IS_SEVEN), where(IS_SEVEN))), SEVEN),
    ],
)
def test_the_first_equality_with_a_constant_is_the_guard(plan: Plan, guard: Guard) -> None:
    assert guard_of(plan, TABLE) == guard


@pytest.mark.parametrize(
    "plan",
    [
        Get(collection=TABLE, schema=PAIRS),
        where(),
        where(compared(K, number(7), "less")),
        where(compared(K, K)),
        where(compared(K, Literal(value=None, type=INT64))),
        # A row that the second keeps away may be an error of the first.
        where(compared(ratio(10), number(5), "less"), IS_SEVEN),
        # Zeros of both signs are equal, and not the same.
        where(compared(REAL, Literal(value=0.0, type=FLOAT64))),
        # A map is not of the row that comes in.
        where(compared(ColumnReference(index=2, type=INT64), number(7)), maps=(modulo(10),)),
        Union(inputs=(where(IS_SEVEN), where(compared(K, number(8))))),
        Union(inputs=(where(IS_SEVEN), Get(collection=TABLE, schema=PAIRS))),
    ],
)
def test_there_is_none_where_another_row_may_matter(plan: Plan) -> None:
    assert guard_of(plan, TABLE) is None


def test_each_import_has_a_guard_of_its_own() -> None:
    plan = Union(inputs=(where(IS_SEVEN), Get(collection=FEED, schema=PAIRS)))
    assert guard_of(plan, TABLE) == SEVEN
    assert guard_of(plan, FEED) is None
