"""Chunks of a content: in canonical order, alike however it is held, a little at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.content_digest import digest_bytes
from antiphon.protocol.frontier import Frontier
from antiphon.replica.dataflow.arrangements.batch import Batch
from antiphon.replica.dataflow.arrangements.trace import Trace
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.deltas import decode
from antiphon.replica.ports import StatePart
from antiphon.replica.rebuilding import chunks
from antiphon.replica.rebuilding.chunks import Chunks, Content
from antiphon.replica.reporting.digest import digest_of
from tests.replica.scripted import PAIRS, Row

ROWS = 8  # of a chunk

Update = tuple[Row, int, int]  # row, time, diff


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "BUCKET_ROWS", 3)


def zset(rows: Iterable[tuple[Row, int]]) -> Zset:
    found = list(rows)
    return Zset(
        (pa.array([row[0] for row, _ in found], pa.int64()),
         pa.array([row[1] for row, _ in found], pa.string())),
        np.array([diff for _, diff in found], np.int64),
    )  # fmt: skip


def trace(updates: Iterable[Update], key_columns: tuple[int, ...] = ()) -> Trace:
    """One insert for each time, so that the batches are many."""
    found = Trace(PAIRS, key_columns)
    ordered = sorted(updates, key=lambda update: update[1])
    for time in sorted({time for _, time, _ in ordered}):
        change = zset((row, diff) for row, when, diff in ordered if when == time)
        found.insert(found.upper, Frontier(time + 1), [(time, change)])
        found.held(time)  # settles what was taken in: a batch of its own
    found.insert(found.upper, found.upper.join(Frontier(6)), ())
    return found


def content(of: Trace, time: int) -> Content:
    batches, errors = of.held(time)
    return Content(schema=PAIRS, time=time, batches=batches, errors=errors)


def served(of: Content, fuel: int = 1_000, first_chunk: int = 0) -> list[StatePart]:
    pass_ = Chunks(of, first_chunk, ROWS)
    parts = []
    while not pass_.is_done:
        _, part = pass_.work(fuel)
        parts += [] if part is None else [part]
    return parts


def rows(parts: Iterable[StatePart]) -> list[tuple[Row, int]]:
    """In the order in which they came."""
    found = []
    for part in parts:
        for time, change in decode(part.delta, PAIRS):
            assert time == part.time
            values = zip(*(column.to_pylist() for column in change.columns), strict=True)
            found += list(zip(values, change.diffs.tolist(), strict=True))
    return found


def summed(updates: Iterable[Update], time: int) -> Counter[Row]:
    found: Counter[Row] = Counter()
    for row, when, diff in updates:
        if when <= time:
            found[row] += diff
    return Counter({row: count for row, count in found.items() if count})


UPDATES = st.lists(
    st.tuples(
        st.tuples(st.integers(0, 30), st.sampled_from("abc")), st.integers(1, 5), st.just(1)
    ),
    max_size=80,
)  # fmt: skip


@given(UPDATES, st.integers(1, 4), st.integers(1, 50), st.booleans())
def test_the_content_at_exactly_that_time_whatever_a_slice_is(
    updates: list[Update], time: int, fuel: int, keyed: bool
) -> None:
    gone = [(row, when + 1, -1) for row, when, _ in updates[::3]]
    of = trace([*updates, *gone, ((0, "later"), 9, 1)], (0,) if keyed else ())
    parts = served(content(of, time), fuel)
    whole = of.snapshot(time)
    assert rows(parts) == rows(served(content(trace(updates + gone), time))), "cut alike"
    assert Counter(dict(rows(parts))) == summed(updates + gone, time)
    assert [part.index for part in parts] == list(range(len(parts)))
    assert [part.last for part in parts] == [*([False] * (len(parts) - 1)), True]
    assert parts[-1].digest == digest_bytes(digest_of(whole))
    assert parts[-1].rows_total == whole.row_count
    assert all(part.rows_total >= whole.row_count for part in parts)
    canonical = zip(*(column.to_pylist() for column in whole.columns), strict=True)
    assert [row for row, _ in rows(parts)] == list(canonical)


@given(UPDATES, st.integers(0, 5))
def test_it_goes_on_where_it_is_asked_to(updates: list[Update], first: int) -> None:
    of = trace(updates)
    whole = served(content(of, 4))
    if first < len(whole):
        assert served(content(of, 4), first_chunk=first) == whole[first:]


def test_a_slice_takes_no_more_than_its_fuel() -> None:
    held = trace(((n, "x"), 1 + n % 3, 1) for n in range(500))
    pass_ = Chunks(content(held, 3), chunk_rows=ROWS)
    steps = 0
    while not pass_.is_done:
        used, part = pass_.work(10)
        steps += 1
        assert used <= 10 + 4 * chunks.BUCKET_ROWS, "a bucket is never cut in two"
        assert part is None or part.rows_total >= 500
    assert steps >= 2 * 500 // (10 + 4 * chunks.BUCKET_ROWS), "dealt, then taken"


def test_wide_rows_make_short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 1_000)
    held = trace(((n, "w" * 400), 1, 1) for n in range(20))
    sizes = [len(rows([part])) for part in served(content(held, 1))]
    assert set(sizes[:-1]) == {3}, "the row that fills it is the last"
    assert sum(sizes) == 20
    assert len(served(content(trace([((1, "w" * 5_000), 1, 1)]), 1))) == 1


def test_what_is_computed_meanwhile_changes_nothing() -> None:
    held = trace(((n, "x"), 1, 1) for n in range(40))
    pass_ = Chunks(content(held, 1), chunk_rows=ROWS)
    parts = []
    for time in range(6, 200):
        held.insert(held.upper, Frontier(time + 1), [(time, zset([((time, "y"), 1)]))])
        held.allow_compaction(Frontier(time))
        held.maintain(1_000)
        if not pass_.is_done:
            _, part = pass_.work(2)
            parts += [] if part is None else [part]
    assert pass_.is_done
    assert Counter(dict(rows(parts))) == Counter({(n, "x"): 1 for n in range(40)})


def test_errors_come_with_the_last_chunk_and_count_in_the_digest() -> None:
    code = tuple(pa.array([text]) for text in ("division_by_zero", "by zero", "k / 0"))
    errors = Zset(code, np.array([2], np.int64))
    whole = Zset(*_columns(zset(((n, "x"), 1) for n in range(20))), errors)
    held = Trace(PAIRS)
    held.insert(held.upper, Frontier(2), [(1, whole)])
    parts = served(content(held, 1))
    assert [bool(part.delta.errors) for part in parts] == [*([False] * (len(parts) - 1)), True]
    assert parts[-1].digest == digest_bytes(digest_of(held.snapshot(1)))


@pytest.mark.parametrize("make", [lambda: [], lambda: [_batch(zset([]))]])
def test_nothing_is_one_empty_chunk(make: Callable[[], list[Batch]]) -> None:
    (part,) = served(Content(schema=PAIRS, time=3, batches=make()))
    assert (part.index, part.last, part.rows_total, part.digest) == (0, True, 0, bytes(16))
    assert rows([part]) == []


def _columns(of: Zset) -> tuple[tuple[pa.Array, ...], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    return of.columns, of.diffs


def _batch(of: Zset) -> Batch:
    return Batch(np.zeros(of.row_count, np.uint64), of.columns, of.diffs)
