"""Filters that cannot fail have one form, and select the same rows in it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.expression import Branch, Call, Case, Cast, ColumnReference, Expression
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.limits import SELECTION_PARTS_MAX
from antiphon.protocol.schema import BOOLEAN, INT32, INT64
from antiphon.protocol.selection import ALL, Selected, cannot_fail, holds, selection_of
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.expressions.selecting import selected
from antiphon.replica.dataflow.operators.linear import MapFilterProject
from antiphon.replica.dataflow.operators.operator import Step
from tests.replica.filters import K, V, compared, modulo, number, ratio, text

COLLECTION = CollectionId(1)


def call(function: str, *arguments: Expression) -> Call:
    return Call(function=function, arguments=arguments, type=BOOLEAN)


SIGNS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
NUMBERS = st.one_of(st.just(K), st.integers(0, 3).map(number), st.just(modulo(2)))
TEXTS = st.one_of(st.just(V), st.sampled_from("ab").map(text))
ATOMS = st.one_of(
    st.builds(compared, NUMBERS, NUMBERS, st.sampled_from(SIGNS)),
    st.builds(compared, TEXTS, TEXTS, st.sampled_from((*SIGNS, "is_distinct_from"))),
    st.sampled_from([K, V]).map(lambda column: call("is_null", column)),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: call("and", *parts)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: call("or", *parts)),
        inner.map(lambda part: call("not", part)),
    ),
    max_leaves=6,
)
KS, VS = [None, 0, 1, 2, 3], [None, "a", "b"]
ROWS = Zset(
    (pa.array([k for k in KS for _ in VS], pa.int64()), pa.array(VS * len(KS), pa.string())),
    np.arange(1, 16, dtype=np.int64),  # tells rows from each other
)
MIRRORED = {"less": "greater", "greater": "less", "less_equal": "greater_equal",
            "greater_equal": "less_equal"}  # fmt: skip


def turned(condition: Expression) -> Expression:
    """The same, written the other way round throughout."""
    if not isinstance(condition, Call) or condition.function in ("is_null", "modulo"):
        return condition
    arguments = tuple(turned(part) for part in reversed(condition.arguments))
    function = MIRRORED.get(condition.function, condition.function)
    return Call(function=function, arguments=arguments, type=condition.type)


@given(st.lists(CONDITIONS, min_size=1, max_size=3))
def test_it_selects_what_the_filters_let_through_however_they_are_written(
    filters: list[Expression],
) -> None:
    selection = selection_of(filters)
    assert all(map(cannot_fail, filters))
    assert selection_of(selection) == selection
    assert selection_of([turned(part) for part in reversed(filters)]) == selection
    assert selection_of([call("and", *filters, filters[0])]) == selection
    step = Step(1, is_first=True)
    wanted = MapFilterProject(2, (), filters, (0, 1)).step([ROWS], step)
    assert not step.errors
    found = selected(ROWS, selection, (0, 1))
    assert found.diffs.tolist() == ([] if wanted is None else wanted.diffs.tolist())


@given(CONDITIONS, CONDITIONS)
def test_one_that_holds_another_has_all_of_its_rows(one: Expression, other: Expression) -> None:
    few, more = selection_of([one, other]), selection_of([one])
    assert holds(more, [few])
    assert holds(ALL, [few, more])
    kept = selected(ROWS, more, (0, 1)).diffs
    assert set(selected(ROWS, few, (0, 1)).diffs) <= set(kept)


def test_none_holds_what_it_lacks_a_row_of() -> None:
    ones, large = selection_of([compared(K, number(1))]), selection_of([compared(K, number(2))])
    assert not holds(ones, [ALL])
    assert not holds(ones, [ones, large])


IS_ONE = compared(K, number(1))


@pytest.mark.parametrize(
    ("expression", "is_safe"),
    [
        (IS_ONE, True),
        (compared(modulo(10), number(3)), True),
        (compared(modulo(0), number(3)), False),
        (compared(ratio(10), number(3)), False),
        (compared(Cast(input=K, type=INT64), number(3)), True),
        (compared(Cast(input=K, type=INT32), number(3)), False),
        (compared(Cast(input=V, type=INT64), number(3)), False),
        (call("like", V, text("a%")), True),
        (call("like", V, text("a\\")), False),
        (call("like", V, V), False),
        (call("regexp_match", V, text("a")), False),
        (Call(function="now", arguments=(), type=BOOLEAN), False),
        (
            Case(
                branches=(Branch(condition=IS_ONE, value=IS_ONE),),
                otherwise=compared(ratio(10), number(3)),
                type=BOOLEAN,
            ),
            False,
        ),
    ],
)
def test_what_may_fail_is_not_selected_by(expression: Expression, is_safe: bool) -> None:
    assert cannot_fail(expression) is is_safe
    table = Selected(COLLECTION, (0, 1))
    assert (table.narrowed([expression], (0,)) is not None) is is_safe


def test_filters_over_some_columns_are_about_the_collections() -> None:
    swapped = Selected(COLLECTION, (1, 0))
    condition = compared(ColumnReference(index=1, type=INT64), number(1))
    narrowed = swapped.narrowed([condition], (1,))
    assert narrowed == Selected(COLLECTION, (0,), selection_of([IS_ONE]))
    first = ColumnReference(index=0, type=INT64)
    again = narrowed.narrowed([compared(first, number(2), "less")], ())
    assert again is not None
    assert again.selection == selection_of([compared(K, number(2), "less"), IS_ONE])


def test_a_long_filter_is_not_told_to_anybody() -> None:
    table = Selected(COLLECTION, (0, 1))
    many = [compared(K, number(value), "not_equal") for value in range(SELECTION_PARTS_MAX)]
    assert table.narrowed(many[: SELECTION_PARTS_MAX // 4], (0,)) is not None
    assert table.narrowed(many, (0,)) is None


def test_columns_that_nobody_asks_for_are_left_as_nulls() -> None:
    found = selected(ROWS, selection_of([IS_ONE]), (1,))
    assert found.columns[0].null_count == found.row_count == len(VS)
    assert found.columns[1].to_pylist() == VS
