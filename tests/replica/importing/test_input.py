"""What an input gives, and once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from antiphon.protocol.frontier import Frontier
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.input import Input
from tests.replica.scripted import TABLE


def rows(count: int) -> Zset:
    return Zset((pa.array(range(count), pa.int64()),), np.ones(count, np.int64))


def test_content_is_taken_in_pieces_of_any_size_and_each_row_once() -> None:
    reader = Input(TABLE, 10)
    for size in (3, 0, 4):
        reader.load(rows(size))
    taken = [sum(part.row_count for part in reader.take_content(2)) for _ in range(4)]
    assert taken == [2, 2, 2, 1]
    assert not reader.has_content
    assert reader.rows_taken == reader.rows_received == 7


def test_changes_up_to_as_of_are_content_unless_a_snapshot_has_them() -> None:
    for own in (False, True):
        reader = Input(TABLE, 10)
        reader.has_own_snapshot = own
        reader.loaded = True
        reader.deliver([(9, rows(1)), (11, rows(2))], Frontier(12))
        assert reader.has_content is not own
        assert reader.next_time == 11


def test_one_that_looks_its_content_up_takes_only_changes_and_what_it_is_brought() -> None:
    reader = Input(TABLE, 10)
    reader.looks_up = True
    reader.load(rows(5))
    reader.loaded = True
    reader.deliver([(9, rows(1)), (11, rows(2))], Frontier(12))
    assert not reader.has_content
    assert reader.frontier == Frontier(12)
    reader.bring(rows(3))
    assert sum(part.row_count for part in reader.take_content(9)) == 3
    assert reader.take(11) is not None


def test_content_after_the_last_part_is_refused() -> None:
    reader = Input(TABLE, 10)
    reader.loaded = True
    with pytest.raises(AssertionError, match="after the last part"):
        reader.load(rows(1))
