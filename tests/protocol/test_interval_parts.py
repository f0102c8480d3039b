"""Columns of intervals, of lists and structs of them, by their parts."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.protocol.consolidate import consolidate
from antiphon.protocol.interval_parts import (
    from_parts,
    has_intervals,
    in_one_spelling,
    in_parts,
    part_words,
)
from antiphon.protocol.row_hash import hash_rows

INTERVAL = pa.month_day_nano_interval()
HOUR = 3600 * 10**9


def of(months: int, days: int = 0, hours: int = 0) -> pa.MonthDayNano:
    return pa.MonthDayNano([months, days, hours * HOUR])


def hashed(column: pa.Array) -> list[list[int]]:
    return [half.tolist() for half in hash_rows([column])]


SPELLINGS = [of(1), of(0, 30), of(0, 29, 24), of(2, -30), of(0, 0, 720)]
NESTED = pa.struct([pa.field("x", INTERVAL), pa.field("y", pa.list_(INTERVAL))])
COLUMNS = [
    pa.array([of(1), None, of(0, 30), of(-1, 5, -7)], INTERVAL),
    pa.array([[of(1), None], None, [], [of(0, 30)]], pa.list_(INTERVAL)),
    pa.array(
        [{"x": of(1), "y": [of(2)]}, None, {"x": None, "y": None}, {"x": of(0, 1), "y": [None]}],
        NESTED,
    ),
]


@pytest.mark.parametrize("column", COLUMNS, ids=["plain", "list", "struct"])
def test_parts_say_all_that_the_column_does(column: pa.Array) -> None:
    for taken in (column, column.slice(1), column.slice(0, 1), column.slice(4)):
        parts = in_parts(taken)
        assert not has_intervals(parts.type)
        back = from_parts(parts, taken.type)
        back.validate(full=True)
        assert back.to_pylist() == taken.to_pylist()


def test_what_has_no_intervals_stays_as_it_is() -> None:
    column = pa.array([[1], None], pa.list_(pa.int64()))
    assert in_parts(column) is column
    assert in_one_spelling(column) is column
    assert part_words([column], 2) == ()


def test_equal_intervals_have_one_hash_and_several_parts() -> None:
    column = pa.array(SPELLINGS, INTERVAL)
    assert len(set(hash_rows([column])[0].tolist())) == 1
    assert len(set(part_words([column], len(column))[0].tolist())) == len(SPELLINGS)


@pytest.mark.parametrize("value", [of(1), of(0, 1), of(0, -1), of(-7, 3, -1), of(0, 0, 1)])
def test_one_spelling_is_one_for_all_that_are_equal(value: pa.MonthDayNano) -> None:
    months, days, nanoseconds = value
    otherwise = pa.MonthDayNano([months - 1, days + 29, nanoseconds + 24 * HOUR])
    found = in_one_spelling(pa.array([value, otherwise, None], INTERVAL))
    first, second, missing = found.to_pylist()
    assert first == second
    assert missing is None
    assert hashed(found.slice(0, 1)) == hashed(pa.array([value], INTERVAL))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_longest_interval_has_its_one_spelling(sign: int) -> None:
    most = 2**31 - 1 if sign > 0 else -(2**31)
    longest = pa.array([pa.MonthDayNano([most, most, sign * (2**63 - 1)])], INTERVAL)
    found = in_one_spelling(longest)
    assert hashed(found) == hashed(longest)
    assert in_one_spelling(found).to_pylist() == found.to_pylist()


def test_a_deleted_spelling_leaves_the_other() -> None:
    def change(rows: list[tuple[pa.MonthDayNano, int]]) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(
            [
                pa.array([value for value, _ in rows], INTERVAL),
                pa.array([7] * len(rows), pa.uint64()),
                pa.array([diff for _, diff in rows], pa.int64()),
            ],
            names=["v", "antiphon_time", "antiphon_diff"],
        )

    rows = [(of(1), 1), (of(0, 30), 1), (of(1), -1), (of(0, 29, 24), 2)]
    kept = consolidate(change(rows))
    assert consolidate(change(rows[::-1])).equals(kept)
    assert sorted(kept.column(0).to_pylist()) == [of(0, 29, 24), of(0, 30)]
