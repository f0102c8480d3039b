"""Aggregates of two values: exact through every insert and delete."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.replica.dataflow.columns.zset import Zset
from tests.controller.sql.ticking import View
from tests.controller.sql.world import World

NUMBERS = st.none() | st.one_of(
    st.floats(-1e120, 1e120), st.integers(-9, 9).map(float), st.sampled_from([1e-150, 1e17, 0.1])
)
PAIRS = st.tuples(NUMBERS, NUMBERS)
KEYED = st.tuples(
    st.integers(0, 1), st.sampled_from([None, "a", "b", "c"]),
    st.sampled_from([None, 0.0, 1.5, math.inf, math.nan]),
)  # fmt: skip
QUERY = "SELECT covar_pop(y, x), covar_samp(y, x), regr_count(y, x), corr(y, x) FROM r"


def exact(rows: list[tuple[float | None, float | None]]) -> tuple[float | None, float | None, int]:
    both = [(Fraction(y), Fraction(x)) for y, x in rows if y is not None and x is not None]
    count = len(both)
    total = count * sum(y * x for y, x in both) - sum(y for y, _ in both) * sum(x for _, x in both)
    population = float(total / count**2) if count else None
    return population, float(total / (count * (count - 1))) if count > 1 else None, count


def same(ours: float | None, wanted: float | None) -> bool:
    if ours is None or wanted is None:
        return ours is wanted
    return math.isclose(ours, wanted, rel_tol=4e-16)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.lists(PAIRS, max_size=4), st.integers(0, 3)), max_size=5))
def test_every_covariance_is_the_exact_one(ticks: list[tuple[list[tuple], int]]) -> None:  # type: ignore[type-arg]
    world = World()
    world.run("CREATE TABLE r (y double precision, x double precision)")
    table = world.catalog.find("r")
    assert table is not None
    view, present = View(world, QUERY), list[tuple[float | None, float | None]]()
    for come, gone in [*ticks, ([], 99)]:
        going, present = present[:gone], [*present[gone:], *come]
        changes = [*going, *come]
        columns = tuple(pa.array([row[i] for row in changes], pa.float64()) for i in (0, 1))
        diffs = np.array([-1] * len(going) + [1] * len(come), np.int64)
        view.step({table.id: Zset(columns, diffs).consolidated()} if changes else {})
        ((population, sample, count, likeness),) = view.rows()
        wanted = exact(present)
        assert same(population, wanted[0])
        assert same(sample, wanted[1])
        assert count == wanted[2]
        assert likeness is None or -1 <= likeness <= 1


def ordered(value: float) -> tuple[bool, float]:
    """As SQL orders floats: NaN is above all."""
    return math.isnan(value), value


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.lists(KEYED, max_size=4), st.integers(0, 3)), max_size=6))
def test_of_equal_keys_the_value_decides(ticks: list[tuple[list[tuple], int]]) -> None:  # type: ignore[type-arg]
    world = World()
    world.run("CREATE TABLE r (g int, v text, k double precision)")
    table = world.catalog.find("r")
    assert table is not None
    view = View(world, "SELECT g, max_by(v, k), arg_min(v, k) FROM r GROUP BY g")
    present: list[tuple[int, str | None, float | None]] = []
    kinds = (pa.int32(), pa.string(), pa.float64())
    for come, gone in [*ticks, ([], 99)]:
        going, present = present[:gone], [*present[gone:], *come]
        changes = [*going, *come]
        columns = tuple(pa.array([row[i] for row in changes], k) for i, k in enumerate(kinds))
        diffs = np.array([-1] * len(going) + [1] * len(come), np.int64)
        view.step({table.id: Zset(columns, diffs).consolidated()} if changes else {})
        wanted = []
        for group in sorted({g for g, _, _ in present}):
            both = [(ordered(k), v) for g, v, k in present if group == g and v and k is not None]
            wanted.append((group, max(both)[1] if both else None, min(both)[1] if both else None))
        assert sorted(view.rows()) == wanted
