"""Sync 24, 26 and 28, of one collection: two lanes in any order add up to the source's content."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.dataflow import CollectionKind, Import
from antiphon.protocol.errors import LimitExceeded, Unavailable
from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.deltas import decode
from antiphon.replica.importing.input import Input
from antiphon.replica.rebuilding.lanes import Lanes
from tests.replica.scripted import FEED, PAIRS, TABLE, Change, Row, at, delta, feed, table
from tests.replica.stored import Store

B = 20
HISTORY = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from("abc"), st.sampled_from([1, 1, 1, -1])),
    min_size=4,
    max_size=24,
)


def zset(changes: list[Change]) -> Zset:
    return Zset.concat(PAIRS, [change for _, change in decode(delta(*changes), PAIRS)])


def history(collection: int, rows: list[tuple[int, str, int]]) -> Store:
    """One change a tick, around b."""
    store = Store(upper=1)
    first = B - len(rows) // 2
    for time, (key, word, diff) in enumerate(rows, first):
        row = (key, word)
        if collection == TABLE and diff < 0 and not store.content(TABLE, time)[row]:
            continue  # a table deletes what is there
        store.append(time, TABLE if collection == TABLE else FEED, (row, diff))
    store.upper = max(first + len(rows), B + 1)
    return store


def content(reader: Input) -> Counter[Row]:
    found: Counter[Row] = Counter()
    for part in reader.take_content(10_000):
        columns = [column.to_pylist() for column in part.columns]
        for row, diff in zip(zip(*columns, strict=True), part.diffs.tolist(), strict=True):
            found[row] += diff
    return Counter({row: count for row, count in found.items() if count})


def chunks(store: Store, collection: int, times: list[int]) -> list[tuple[int, list[Change], int]]:
    """The base in two chunks by key, each at its own time."""
    found = []
    for index, time in enumerate(times):
        rows = [
            change
            for change in store.snapshot(TABLE if collection == TABLE else FEED, time)
            if change[0][0] % len(times) == index
        ]
        found.append((index, rows, time))
    return found


@pytest.mark.parametrize("collection", [TABLE, FEED])
@settings(max_examples=150)
@given(rows=HISTORY, seed=st.integers(0, 2**32))
def test_any_interleaving_of_the_lanes_gives_the_source_s_content(
    collection: int, rows: list[tuple[int, str, int]], seed: int
) -> None:
    random = Random(seed)
    store = history(collection, rows)
    kind = TABLE if collection == TABLE else FEED
    lanes = Lanes(table() if collection == TABLE else feed(), B)
    newest = store.upper - 1
    # Additive state from exactly b; keyed state chunk by chunk from whenever it was read.
    times = [B if collection == TABLE else random.randint(B, newest) for _ in range(2)]
    waiting = chunks(store, collection, times)
    reached = B + 1
    while waiting or reached < store.upper:
        lane = random.choice(["base", "again", "live", "late"])
        if lane == "base" and waiting:
            index, base, time = waiting.pop(random.randrange(len(waiting)))
            lanes.chunk(index, zset(base), time=time, last=index == 1, rows_total=len(base))
        elif lane == "again" and len(waiting) < 2:
            # A chunk that is sent again, as it was or with what changed meanwhile.
            index = next(i for i in range(2) if i not in [one[0] for one in waiting])
            base = chunks(store, collection, times)[index][1]
            lanes.chunk(index, zset(base), time=times[index], last=index == 1, rows_total=0)
        elif lane == "live" and reached < store.upper:
            upper = random.randint(reached, store.upper)
            # Doubled, overlapping, with what is at or below b: the lane trims it.
            lower = random.randint(B - 3, reached)
            changes = store.between(kind, lower, upper)
            lanes.advance(decode(delta(*changes), PAIRS), at(upper))
            reached = upper
        elif lane == "late":
            old = store.between(kind, 0, reached)
            lanes.advance(decode(delta(*old), PAIRS), lanes.frontier)
    assert lanes.is_whole
    settled = lanes.settle()
    reader = Input(kind, settled)
    lanes.attach(reader)
    lanes.release()
    assert settled == store.upper - 1
    assert content(reader) == store.content(kind, settled)
    # And then it is a source like any other.
    store.append(store.upper, kind, ((1, "z"), 1))
    changes = store.between(kind, store.upper, store.upper + 1)
    lanes.advance(decode(delta(*changes), PAIRS), at(store.upper + 1))
    late = reader.take(store.upper)
    seen = store.content(kind, settled)
    assert late is not None
    for row, diff in zip(
        zip(*(column.to_pylist() for column in late.columns), strict=True),
        late.diffs.tolist(),
        strict=True,
    ):
        seen[row] += diff
    assert Counter({row: n for row, n in seen.items() if n}) == store.content(kind, store.upper)


def test_neither_lane_is_enough() -> None:
    lanes = Lanes(feed(), B)
    lanes.advance([], at(B + 9))
    assert not lanes.is_whole, "no base"
    lanes.chunk(1, zset([]), time=B, last=True, rows_total=0)
    assert not lanes.is_whole, "a chunk is missing"
    lanes.chunk(0, zset([((1, "a"), B, 1)]), time=B + 9, last=False, rows_total=1)
    assert not lanes.is_whole, "the live lane has not passed what the chunk anticipates"
    lanes.advance([], at(B + 10))
    assert lanes.is_whole


def test_a_base_never_overwrites_what_the_live_lane_applied() -> None:
    lanes = Lanes(feed(), B)
    lanes.advance(
        decode(delta(((1, "live"), B + 1, 1), ((2, "gone"), B + 1, -1)), PAIRS), at(B + 2)
    )
    base: list[Change] = [((1, "old"), B, 1), ((2, "old"), B, 1), ((3, "old"), B, 1)]
    lanes.chunk(0, zset(base), time=B, last=True, rows_total=3)
    reader = Input(FEED, lanes.settle())
    lanes.attach(reader)
    assert content(reader) == Counter({(1, "live"): 1, (3, "old"): 1})


def test_the_key_of_a_feed_may_be_any_of_its_columns() -> None:
    """Marks are by the key, wherever it stands."""
    turned = Schema(tuple(reversed(PAIRS.columns)))

    def overwrites(changes: list[Change]) -> Zset:
        whole = zset(changes)
        return Zset(tuple(reversed(whole.columns)), whole.diffs)

    lanes = Lanes(
        Import(collection=FEED, kind=CollectionKind.FEED, schema=turned, key_columns=(1,)), B
    )
    live: list[Change] = [((1, "live"), B + 1, 1), ((2, "gone"), B + 1, -1)]
    lanes.advance([(B + 1, overwrites(live))], at(B + 2))
    base: list[Change] = [((1, "old"), B, 1), ((2, "old"), B, 1), ((3, "old"), B, 1)]
    lanes.chunk(0, overwrites(base), time=B, last=True, rows_total=3)
    reader = Input(FEED, lanes.settle())
    lanes.attach(reader)
    assert content(reader) == Counter({("live", 1): 1, ("old", 3): 1})


def test_what_the_live_lane_takes_away_the_base_has_brought_before() -> None:
    """However late it comes: a reader takes it row by row, and each sum is one that could be."""
    lanes = Lanes(table(), B)
    lanes.advance(decode(delta(((1, "a"), B + 1, -1), ((2, "b"), B + 1, 1)), PAIRS), at(B + 2))
    lanes.chunk(0, zset([((1, "a"), B, 1)]), time=B, last=True, rows_total=1)
    reader = Input(TABLE, lanes.settle())
    lanes.attach(reader)
    held: Counter[Row] = Counter()
    while reader.has_content:
        for part in reader.take_content(1):
            row = tuple(column[0].as_py() for column in part.columns)
            held[row] += int(part.diffs[0])
            assert held[row] >= 0, f"{row} is gone before it was there"
    assert held == Counter({(1, "a"): 0, (2, "b"): 1})


@pytest.mark.parametrize("imported", [table(), feed()])
def test_an_empty_content_is_given_like_any_other(imported: Import) -> None:
    lanes = Lanes(imported, B)
    lanes.chunk(0, zset([]), time=B, last=True, rows_total=0)
    reader = Input(imported.collection, lanes.settle())
    assert not lanes.attach(reader)
    assert reader.loaded
    assert content(reader) == Counter()


def test_additive_state_has_one_base_time() -> None:
    lanes = Lanes(table(), B)
    with pytest.raises(AssertionError, match="additive"):
        lanes.chunk(0, zset([]), time=B + 1, last=True, rows_total=0)


def test_a_live_lane_that_grows_too_long_fails_and_loses_nothing() -> None:
    """Sync 28"""
    lanes = Lanes(table(), B, live_rows_max=2)
    lanes.advance(decode(delta(((1, "a"), B + 1, 1), ((2, "b"), B + 1, 1)), PAIRS), at(B + 2))
    assert lanes.failure is None
    lanes.advance(decode(delta(((3, "c"), B + 2, 1)), PAIRS), at(B + 3))
    assert isinstance(lanes.failure, LimitExceeded)
    lanes.chunk(0, zset([]), time=B, last=True, rows_total=0)
    reader = Input(TABLE, lanes.settle())
    lanes.attach(reader)
    assert sum(content(reader).values()) == 3


def test_the_first_failure_counts() -> None:
    lanes = Lanes(table(), B)
    lanes.base_failed(Unavailable("gone"))
    lanes.base_failed(LimitExceeded("other", limit="x"))
    assert isinstance(lanes.failure, Unavailable)
