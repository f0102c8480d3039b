"""Which arrangement a dataflow finds, what it folds, and when it goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from antiphon.protocol.frontier import Frontier
from antiphon.protocol.selection import ALL, Selection, selection_of
from antiphon.replica.dataflow.arrangements.batch import Batch
from antiphon.replica.dataflow.columns.zset import Diffs, Zset
from antiphon.replica.importing.arrangements import Arrangements, Arranging
from antiphon.replica.importing.lookups import Sought
from tests.replica.filters import K, compared, number
from tests.replica.scripted import TABLE

WIDTH = 3


@dataclass
class Reads:
    """A dataflow, to what it reads."""

    reads_from: int


def rows(*values: int, diff: int = 1) -> Zset:
    column = pa.array(values, pa.int64())
    return Zset((column,) * WIDTH, np.full(len(values), diff, np.int64))


def filled(
    arrangements: Arrangements,
    columns: tuple[int, ...],
    as_of: int = 10,
    selection: Selection = ALL,
) -> Arranging:
    made = arrangements.made(TABLE, Sought((0,), columns, selection), as_of)
    made.has_own_snapshot = True
    made.load(rows(1, 2))
    made.loaded = True
    made.deliver((), Frontier(as_of + 1))
    return made


def count(arranging: Arranging, time: int) -> int:
    return sum(int(part.diffs.sum()) for part in arranging.arrangement.parts(time))


def test_one_that_has_the_columns_is_found_and_no_other() -> None:
    arrangements = Arrangements(WIDTH)
    made = filled(arrangements, (0, 1))
    assert arrangements.find(Sought((0,), (0,)), 12, Frontier(11)) is made
    assert arrangements.find(Sought((0,), (0, 2)), 12, Frontier(11)) is None
    assert arrangements.find(Sought((1,), (0,)), 12, Frontier(11)) is None


def test_one_that_has_folded_as_of_serves_once_the_changes_since_are_known() -> None:
    arrangements = Arrangements(WIDTH)
    made = filled(arrangements, (0, 1))
    assert arrangements.find(Sought((0,), (0,)), 8, Frontier(10)) is None
    assert arrangements.find(Sought((0,), (0,)), 8, Frontier(11)) is made


def test_the_second_by_a_key_has_all_columns_and_the_readers_of_the_first_move_to_it() -> None:
    arrangements = Arrangements(WIDTH)
    narrow = filled(arrangements, (0, 1))
    reading = narrow.read(Reads(12), 10, ())
    wide = filled(arrangements, (0, 2))
    wide.read(Reads(12), 10, ())
    assert wide.arrangement.columns == (0, 1, 2)
    assert arrangements.settled() == [narrow]
    assert reading.arrangement is wide.arrangement
    assert list(arrangements) == [wide]


def test_a_reader_that_is_behind_a_wider_one_stays_until_it_has_got_there() -> None:
    arrangements = Arrangements(WIDTH)
    narrow, reader = filled(arrangements, (0, 1)), Reads(10)
    reading = narrow.read(reader, 10, ())
    wide = filled(arrangements, (0, 2), as_of=15)
    wide.read(Reads(15), 15, ())
    assert arrangements.settled() == []
    assert reading.arrangement is narrow.arrangement
    reader.reads_from = 15
    assert arrangements.settled() == [narrow]


def test_it_folds_what_all_readers_have_behind_them_and_not_more() -> None:
    arranging = filled(Arrangements(WIDTH), (0, 1))
    slow, fast = Reads(10), Reads(10)
    arranging.read(slow, 10, ())
    arranging.read(fast, 10, ())
    for time in range(11, 40):
        arranging.deliver([(time, rows(time))], Frontier(time + 1))
        fast.reads_from = time
        assert arranging.arrangement.since == 10
    assert [count(arranging, time) for time in (10, 11, 20, 39)] == [2, 3, 12, 31]
    slow.reads_from = 25
    arranging.deliver([(40, rows(40))], Frontier(41))
    assert arranging.arrangement.since == 25
    assert [count(arranging, time) for time in (25, 40)] == [17, 32]


def test_an_arrangement_goes_with_its_last_reader() -> None:
    arrangements = Arrangements(WIDTH)
    made = filled(arrangements, (0, 1))
    first, second = made.read(Reads(10), 10, ()), made.read(Reads(10), 10, ())
    assert arrangements.release(first) is None
    assert arrangements.release(second) is made
    assert list(arrangements) == []


def test_who_waits_is_told_once_when_the_content_is_whole() -> None:
    made = Arrangements(WIDTH).made(TABLE, Sought((0,), (0,)), 10)
    told: list[int] = []
    reading = made.read(Reads(10), 10, ())
    reading.stir = lambda: told.append(1)
    made.load(rows(1))
    made.deliver([(11, rows(2))], Frontier(12))
    assert not told
    made.loaded = True
    made.stir()
    made.deliver([(12, rows(3))], Frontier(13))
    assert told == [1]
    assert count(made, 12) == 3


def test_content_that_starts_over_forgets_its_first_parts_and_no_change() -> None:
    made = Arrangements(WIDTH).made(TABLE, Sought((0,), (0,)), 10)
    made.has_own_snapshot = True
    made.read(Reads(10), 10, ())
    made.load(rows(1))
    made.deliver([(11, rows(5))], Frontier(12))
    made.restart()
    made.load(rows(1, 2))
    made.loaded = True
    assert [count(made, time) for time in (10, 11)] == [2, 3]


def seen(batch: Batch) -> Diffs:
    if batch.times is None or batch.until is None:
        return batch.diffs
    return batch.diffs[batch.times <= batch.until]


LARGE = selection_of([compared(K, number(1), "greater")])


def test_what_is_selected_is_arranged_by_itself_and_widened_among_itself() -> None:
    arrangements = Arrangements(WIDTH)
    whole = filled(arrangements, (0, 1))
    whole.read(Reads(12), 10, ())
    large = filled(arrangements, (0,), selection=LARGE)
    reading = large.read(Reads(12), 10, ())
    assert large.arrangement.columns == (0,), "the other has other rows: no reason for all columns"
    assert [count(each, 10) for each in (whole, large)] == [2, 1]
    assert arrangements.find(Sought((0,), (0,), LARGE), 12, Frontier(11)) is large
    assert arrangements.find(Sought((0,), (0,)), 12, Frontier(11)) is whole
    assert arrangements.settled() == []
    wide = filled(arrangements, (2,), selection=LARGE)
    wide.read(Reads(12), 10, ())
    assert arrangements.settled() == [large]
    assert reading.arrangement is wide.arrangement


def test_only_what_is_selected_comes_and_is_taken_back() -> None:
    large = filled(Arrangements(WIDTH), (0, 1), selection=LARGE)
    reader = Reads(10)
    large.read(reader, 10, ())
    for time in range(11, 20):
        large.deliver([(time, rows(0, 1, time))], Frontier(time + 1))
        reader.reads_from = time
    assert large.arrangement.since > 11
    assert large.arrangement.row_count == 10
    later = [(time, rows(0, 1, time)) for time in range(12, large.arrangement.since + 1)]
    late = large.read(Reads(11), 11, later)
    assert sum(int(seen(batch).sum()) for batch in late.until(11)) == 2
