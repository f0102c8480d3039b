"""What a tail has missed: whole, contiguous, and cut only between times."""

from __future__ import annotations

import itertools

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.backlog import windows
from antiphon.protocol.delta import ERROR_SCHEMA, Delta, delta_schema
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import INT64, Column, Schema

SCHEMA = delta_schema(Schema((Column(name="v", type=INT64),)))
A, B = CollectionId(1), CollectionId(2)


def rows(*times: int) -> Delta:
    columns = {"v": times, "antiphon_time": times, "antiphon_diff": [1] * len(times)}
    return Delta(rows=(pa.RecordBatch.from_pydict(columns, schema=SCHEMA),))


def errors(*times: int) -> Delta:
    text = ["x"] * len(times)
    columns = {"code": text, "message": text, "expression": text}
    columns |= {"antiphon_time": times, "antiphon_diff": [1] * len(times)}  # type: ignore[dict-item]
    return Delta(errors=(pa.RecordBatch.from_pydict(columns, schema=ERROR_SCHEMA),))


def times_of(delta: Delta | None) -> list[int]:
    if delta is None:
        return []
    batches = (*delta.rows, *delta.errors)
    return [time for batch in batches for time in batch.column("antiphon_time").to_pylist()]


def test_a_small_backlog_is_one_window() -> None:
    (window,) = windows({A: [rows(5, 6)], B: [rows(7)]}, 5, 10, 1_000_000)
    assert (window.lower, window.upper) == (5, 10)
    assert times_of(window.deltas[A]) == [5, 6]


def test_nothing_missed_still_says_up_to_where() -> None:
    (window,) = windows({}, 5, 10, 1)
    assert (window.lower, window.upper, dict(window.deltas)) == (5, 10, {})


def test_one_time_is_never_cut() -> None:
    found = list(windows({A: [rows(5, 5, 5, 5)]}, 5, 10, 1))
    assert len(found) == 1
    assert times_of(found[0].deltas[A]) == [5, 5, 5, 5]


def test_errors_are_cut_with_the_rows() -> None:
    found = list(windows({A: [rows(5, 6, 7), errors(5, 7)]}, 0, 10, 1))
    assert [times_of(window.deltas.get(A)) for window in found] == [[5, 5], [6], [7, 7]]


@given(
    st.dictionaries(
        st.sampled_from([A, B]),
        st.lists(st.lists(st.integers(10, 30), min_size=1, max_size=8), max_size=4),
    ),
    st.integers(1, 400),
)
def test_windows_cover_everything_once(
    parts: dict[CollectionId, list[list[int]]], bytes_max: int
) -> None:
    deltas = {c: [rows(*sorted(times)) for times in lists] for c, lists in parts.items()}
    found = list(windows(deltas, 10, 31, bytes_max))
    assert found[0].lower == 10
    assert found[-1].upper == 31
    for before, after in itertools.pairwise(found):
        assert before.upper == after.lower
    for collection, lists in parts.items():
        seen = [time for window in found for time in times_of(window.deltas.get(collection))]
        assert sorted(seen) == sorted(time for times in lists for time in times)
    for window in found:
        for delta in window.deltas.values():
            assert all(window.lower <= time < window.upper for time in times_of(delta))
