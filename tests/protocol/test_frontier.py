"""Frontiers: a total order with closed on top."""

from __future__ import annotations

import pytest
from hypothesis import given

from antiphon.protocol.frontier import CLOSED, START, TIME_MAX, Frontier, meet_all
from tests.protocol.strategies import frontiers


@given(frontiers, frontiers)
def test_any_two_frontiers_are_ordered(left: Frontier, right: Frontier) -> None:
    assert left.less_equal(right) or right.less_equal(left)
    assert (left.less_equal(right) and right.less_equal(left)) == (left == right)
    assert left.less_than(right) == (not right.less_equal(left))


@given(frontiers, frontiers, frontiers)
def test_the_order_is_transitive(a: Frontier, b: Frontier, c: Frontier) -> None:
    if a.less_equal(b) and b.less_equal(c):
        assert a.less_equal(c)


@given(frontiers, frontiers)
def test_meet_is_the_earlier_and_join_the_later(left: Frontier, right: Frontier) -> None:
    assert {left.meet(right), left.join(right)} == {left, right}
    assert left.meet(right).less_equal(left.join(right))
    assert left.meet(right) == right.meet(left)


@given(frontiers)
def test_everything_lies_between_the_start_and_closed(frontier: Frontier) -> None:
    assert START.less_equal(frontier)
    assert frontier.less_equal(CLOSED)


def test_a_frontier_passes_the_times_before_it() -> None:
    assert Frontier(5).passes(4)
    assert not Frontier(5).passes(5)
    assert CLOSED.passes(TIME_MAX)
    assert not START.passes(0)
    assert CLOSED.is_closed
    assert not START.is_closed


def test_stepping_back_stops_at_the_start() -> None:
    assert Frontier(5).step_back() == Frontier(4)
    assert START.step_back() == START
    with pytest.raises(AssertionError, match="no last time"):
        CLOSED.step_back()


def test_the_meet_of_none_is_closed() -> None:
    assert meet_all([]) == CLOSED
    assert meet_all([Frontier(7), CLOSED, Frontier(3)]) == Frontier(3)


def test_a_frontier_is_a_u64() -> None:
    assert Frontier(TIME_MAX + 1).passes(TIME_MAX)
    for wrong in (-1, 2**64):
        with pytest.raises(AssertionError, match="not a time"):
            Frontier(wrong)


def test_frontiers_are_shown_in_brackets() -> None:
    assert (str(Frontier(5)), str(CLOSED)) == ("[5]", "[]")
