"""The place that a row would have, through inserts and deletes: it is put among the rows, and
found."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.replica.dataflow.columns.zset import Zset
from tests.controller.sql.ticking import View
from tests.controller.sql.world import World

Row = tuple[int | None, float | None]
ROWS = st.tuples(
    st.sampled_from([None, 1, 2, 3]), st.sampled_from([None, -1.5, 0.0, 2.0, math.nan])
)
ASKED: tuple[Row, ...] = ((2, 0.0), (None, math.nan), (9, None))
NAMES = ("rank", "dense_rank", "percent_rank", "cume_dist")


def key(row: Row) -> tuple[object, ...]:
    """ORDER BY a, b DESC NULLS LAST: nulls of `a` are above all."""
    a, b = row
    down = (1, 0.0) if b is None else (0, -math.inf if math.isnan(b) else -b)
    return (a is None, a or 0, *down)


def places(asked: Row, rows: list[Row]) -> tuple[float, ...]:
    ordered = sorted([*map(key, rows), key(asked)])
    rank = ordered.index(key(asked)) + 1
    dense = sorted(set(ordered)).index(key(asked)) + 1
    upto = len(ordered) - ordered[::-1].index(key(asked))
    return rank, dense, (rank - 1) / max(len(rows), 1), upto / len(ordered)


def literal(value: float | None) -> str:
    return "NULL" if value is None else f"'{value}'"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.lists(ROWS, max_size=4), st.integers(0, 3)), max_size=5))
def test_a_place_is_that_of_the_row_among_the_others(ticks: list[tuple[list[Row], int]]) -> None:
    world = World()
    world.run("CREATE TABLE r (a int, b double precision)")
    table = world.catalog.find("r")
    assert table is not None
    calls = [
        f"{name}({literal(a)}, {literal(b)}) WITHIN GROUP (ORDER BY a, b DESC NULLS LAST)"
        for a, b in ASKED
        for name in NAMES
    ]
    view, present = View(world, f"SELECT {', '.join(calls)} FROM r"), list[Row]()
    for come, gone in [*ticks, ([], 99)]:
        going, present = present[:gone], [*present[gone:], *come]
        changes = [*going, *come]
        kinds = (pa.int32(), pa.float64())
        columns = tuple(pa.array([row[i] for row in changes], k) for i, k in enumerate(kinds))
        diffs = np.array([-1] * len(going) + [1] * len(come), np.int64)
        view.step({table.id: Zset(columns, diffs).consolidated()} if changes else {})
        assert view.rows() == [tuple(p for asked in ASKED for p in places(asked, present))]


def test_filter_keeps_other_rows_from_being_compared() -> None:
    world = World()
    world.run("CREATE TABLE r (a int); INSERT INTO r VALUES (0), (1), (4)")
    query = "SELECT rank(5) WITHIN GROUP (ORDER BY 8 / a) FILTER (WHERE a <> 0) FROM r"
    assert world.select(query) == [(2,)]
