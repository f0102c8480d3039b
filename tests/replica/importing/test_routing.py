"""A change finds whom it concerns: nobody too few."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.deltas import decode
from antiphon.replica.importing.input import Input
from antiphon.replica.importing.routing import Router
from antiphon.replica.installing.guard import Guard
from tests.replica.filters import K, V, modulo, ratio
from tests.replica.scripted import PAIRS, TABLE, delta, error_delta


def change(*rows: tuple[int | None, str]) -> Zset:
    keys = pa.array([key for key, _ in rows], pa.int64())
    texts = pa.array([value for _, value in rows], pa.string())
    return Zset((keys, texts), np.ones(len(rows), np.int64))


def resting(router: Router, guard: Guard | None) -> Input:
    reader = Input(TABLE, 0)
    router.add(reader, guard)
    return reader


@given(
    st.lists(st.tuples(st.none() | st.integers(-5, 5), st.sampled_from("abc")), max_size=8),
    st.lists(st.integers(-3, 3), max_size=6),
)
def test_they_are_those_whose_constant_a_row_has(
    rows: list[tuple[int | None, str]], constants: list[int]
) -> None:
    router = Router()
    by_key = [(resting(router, Guard(expression=K, value=c)), c) for c in constants]
    by_rest = [(resting(router, Guard(expression=modulo(3), value=c)), c) for c in constants]
    by_text = [(resting(router, Guard(expression=V, value=c)), c) for c in "ab"]
    keys = {key for key, _ in rows}
    rests = {abs(key) % 3 * (1 if key >= 0 else -1) for key in keys if key is not None}
    wanted = [reader for reader, c in by_key if c in keys]
    wanted += [reader for reader, c in by_rest if c in rests]
    wanted += [reader for reader, c in by_text if c in {value for _, value in rows}]
    found = router.concerned([change(*rows)] if rows else [])
    assert len(found) == len(set(found))
    assert set(found) == set(wanted)


def test_whoever_has_no_guard_is_concerned_by_any_change() -> None:
    router = Router()
    reader = resting(router, None)
    assert router.concerned([]) == []
    assert router.concerned([change()]) == []
    assert router.concerned([change((1, "a"))]) == [reader]


def test_an_error_is_everybodys() -> None:
    router = Router()
    readers = [resting(router, Guard(expression=K, value=c)) for c in range(3)]
    ((_, errors),) = decode(error_delta("x", 5), PAIRS)
    assert router.concerned([errors]) == readers


def test_where_the_expression_fails_everybody_who_asks_for_it_is_concerned() -> None:
    router = Router()
    failing = [resting(router, Guard(expression=ratio(10), value=c)) for c in (5, 6)]
    other = resting(router, Guard(expression=K, value=9))
    assert router.concerned([change((2, "a"))]) == failing[:1]
    assert router.concerned([change((0, "a"))]) == failing
    assert other not in router.concerned([change((0, "a"))])


def test_one_that_woke_is_not_found() -> None:
    router = Router()
    first, second = (resting(router, Guard(expression=K, value=1)) for _ in range(2))
    ((_, ones),) = decode(delta(((1, "a"), 5, 1)), PAIRS)
    assert router.concerned([ones]) == [first, second]
    router.remove(first)
    assert first not in router
    assert router.concerned([ones]) == [second]
    router.remove(second)
    assert router.concerned([ones]) == []


def test_nobody_rests_twice() -> None:
    router = Router()
    reader = resting(router, None)
    with pytest.raises(AssertionError, match="rests already"):
        router.add(reader, None)
