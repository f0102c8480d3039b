"""No tick pays for what many have left: what it sorts and merges is in proportion to its rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from antiphon.replica.dataflow.arrangements.batch import build_batch
from antiphon.replica.dataflow.arrangements.intake import Change
from antiphon.replica.dataflow.arrangements.spine import Spine

BASE_ROWS = 200_000
FUEL_ROWS = 65_536
EACH = 14  # rows that a tick may sort and merge for each of its own
CALLS = 2_560  # and what is moved in about the time that the calls take


class Keys:
    """Changes of random rows, from a seed."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(5)

    def change(self, rows: int) -> Change:
        return Change((pa.array(self._random.integers(0, 10**9, rows)),), np.ones(rows, np.int64))

    def spine(self, rows: int) -> Spine:
        """With so many rows in it, and nothing left to do."""
        spine = Spine((0,))
        base = self.change(rows)
        spine.insert(build_batch(base.columns, base.diffs, (0,)))
        while spine.maintain(10**6):
            pass
        return spine


@pytest.mark.parametrize(
    ("rows", "ticks"), [(1, 3_000), (10, 2_000), (100, 1_000), (1_000, 300), (20_000, 60)]
)
@pytest.mark.parametrize("looks", [False, True])
def test_a_tick_moves_rows_in_proportion_to_its_own(rows: int, ticks: int, looks: bool) -> None:
    keys = Keys()
    spine = keys.spine(BASE_ROWS)
    fuel_rows = max(FUEL_ROWS, 8 * rows)  # as whoever drives it spends for a large tick
    most = total = 0
    for _ in range(ticks):
        before = spine.moved_rows
        spine.take_in(keys.change(rows))
        if looks:
            assert spine.batches
        spine.maintain(fuel_rows)
        moved = spine.moved_rows - before
        most, total = max(most, moved), total + moved
    assert most <= EACH * rows + CALLS
    assert sum(int(batch.diffs.sum()) for batch in spine.batches) == BASE_ROWS + rows * ticks
    if not looks:
        assert total <= 8 * rows * ticks, "nor do all together pay much more than is needed"


def test_a_small_tick_does_not_sort_what_large_ones_left() -> None:
    keys = Keys()
    spine = keys.spine(BASE_ROWS)
    random = np.random.default_rng(6)
    largest, total = 0, BASE_ROWS
    for rows in random.choice(
        [1, 3, 40, 700, 1_200, 3_000], 3_000, p=[0.4, 0.4, 0.1, 0.05, 0.04, 0.01]
    ):
        before = spine.moved_rows
        spine.take_in(keys.change(int(rows)))
        largest, total = max(largest, rows), total + rows
        assert spine.moved_rows - before <= max(16 * rows + 512, largest)
        spine.maintain(FUEL_ROWS)
    assert sum(int(batch.diffs.sum()) for batch in spine.batches) == total


def test_small_ticks_share_their_sorts() -> None:
    """Each sort costs some thirty calls, however few its rows are."""
    keys = Keys()
    spine = keys.spine(BASE_ROWS)
    sorts = 0
    for _ in range(1_000):
        spine.take_in(keys.change(10))
        sorts += spine._intake.row_count == 0
        spine.maintain(FUEL_ROWS)
    assert sorts <= 1_000 // 40


def test_a_merge_that_stays_behind_ends_at_once() -> None:
    keys = Keys()
    spine = keys.spine(BASE_ROWS)
    for _ in range(100):
        spine.take_in(keys.change(10_000))
        spine.maintain(1)
        assert len(spine.batches) <= 24
    assert sum(int(batch.diffs.sum()) for batch in spine.batches) == BASE_ROWS + 1_000_000
