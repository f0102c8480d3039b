"""Inputs and sources: who gets what, from when on."""

from __future__ import annotations

from collections import Counter

import pytest

from antiphon.protocol.frontier import Frontier
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.deltas import decode
from antiphon.replica.importing.input import Input
from antiphon.replica.importing.lookups import Sought
from antiphon.replica.importing.source import RECENT_ROWS_MAX, Source
from tests.replica.scripted import (
    FEED,
    PAIRS,
    TABLE,
    Change,
    Row,
    at,
    delta,
    feed,
    table,
)


def content(*changes: Change) -> Zset:
    return Zset.concat(PAIRS, [change for _, change in decode(delta(*changes), PAIRS)])


def initial(reader: Input) -> Counter[Row]:
    found: Counter[Row] = Counter()
    for part in reader.take_content(1_000):
        for row, diff in zip(zip(*(c.to_pylist() for c in part.columns), strict=True), part.diffs,
                             strict=True):  # fmt: skip
            found[row] += int(diff)
    return Counter({row: count for row, count in found.items() if count})


def live_source(as_of: int, *base: Change) -> tuple[Source, Input]:
    source, reader = Source(table(), as_of), Input(TABLE, as_of)
    source.attach(reader)
    source.base_part(content(*base), len(base))
    source.base_complete()
    return source, reader


def advance(source: Source, upper: int, *changes: Change) -> None:
    source.advance(decode(delta(*changes), PAIRS), at(upper))


def test_an_input_is_at_as_of_until_its_content_is_whole() -> None:
    source, reader = Source(table(), 10), Input(TABLE, 10)
    assert not source.attach(reader)
    source.base_part(content(((1, "a"), 10, 1)), 2)
    assert reader.frontier == at(10)
    assert (reader.rows_received, reader.rows_total) == (1, 2)
    source.base_part(content(((2, "b"), 10, 1)), 2)
    source.base_complete()
    assert reader.frontier == at(11)
    assert initial(reader) == Counter({(1, "a"): 1, (2, "b"): 1})


def test_changes_up_to_as_of_are_content_and_later_ones_wait() -> None:
    source, early = Source(table(), 10), Input(TABLE, 10)
    later = Input(TABLE, 12)
    source.attach(early)
    source.attach(later)
    source.base_part(content(((1, "a"), 10, 1)), 1)
    source.base_complete()
    advance(source, 15, ((2, "b"), 12, 1), ((3, "c"), 14, 1))
    assert initial(later) == Counter({(1, "a"): 1, (2, "b"): 1})
    assert later.next_time == 14
    assert early.next_time == 12
    assert early.take(14) is None
    assert early.take(12) is not None
    assert early.next_time == 14


def test_what_a_source_has_is_trimmed() -> None:
    source, reader = live_source(10)
    advance(source, 13, ((1, "a"), 12, 1))
    advance(source, 15, ((1, "a"), 12, 1), ((2, "b"), 13, 1))
    assert [reader.take(12) is not None, reader.take(13) is not None] == [True, True]
    assert reader.pending_count == 0


def test_a_late_reader_brings_its_content_and_gets_the_rest() -> None:
    source, _ = live_source(10)
    advance(source, 15, ((1, "a"), 11, 1), ((2, "b"), 13, 1))
    late = Input(TABLE, 12)
    assert source.serves(12)
    assert source.attach(late), "it needs a snapshot of its own"
    assert late.frontier == at(12)
    late.load(content(((1, "a"), 12, 1)))
    late.loaded = True
    assert late.frontier == at(15)
    assert late.next_time == 13


def test_a_late_reader_ahead_of_the_source_takes_nothing_twice() -> None:
    """Its snapshot at as_of holds what the source has yet to bring up to there."""
    source, _ = live_source(5)
    late = Input(TABLE, 7)
    assert source.attach(late), "it brings a snapshot of its own"
    advance(source, 9, ((1, "a"), 6, 1), ((2, "b"), 8, 1))
    late.load(content(((1, "a"), 7, 1)))
    late.loaded = True
    assert initial(late) == Counter({(1, "a"): 1})
    assert late.next_time == 8


def test_a_source_does_not_serve_what_it_has_forgotten() -> None:
    source, _ = live_source(10)
    assert source.serves(10)
    assert not source.serves(9)
    many = [((number, "x"), 12, 1) for number in range(RECENT_ROWS_MAX // 2 + 1)]
    advance(source, 13, *many)
    advance(source, 14, *[(row, 13, 1) for row, _, _ in many])
    assert not source.serves(11)
    assert source.serves(12)


def test_a_content_that_starts_over_forgets_its_first_parts() -> None:
    source, reader = Source(feed(), 10), Input(FEED, 10)
    source.attach(reader)
    source.base_part(content(((1, "a"), 10, 1)), 2)
    source.restart_base()
    source.base_part(content(((1, "a"), 10, 1), ((2, "b"), 10, 1)), 2)
    source.base_complete()
    assert initial(reader) == Counter({(1, "a"): 1, (2, "b"): 1})


def test_overwrites_of_a_feed_become_differences() -> None:
    source, reader = Source(feed(), 10), Input(FEED, 10)
    source.attach(reader)
    source.base_part(content(((1, "a"), 10, 1)), 1)
    source.base_complete()
    advance(source, 12, ((1, "b"), 11, 1), ((2, "c"), 11, 1))
    advance(source, 13, ((1, None), 12, -1))
    first, second = reader.take(11), reader.take(12)
    assert first is not None
    assert second is not None
    assert sorted(zip(first.columns[1].to_pylist(), first.diffs.tolist(), strict=True)) == [
        ("a", -1),
        ("b", 1),
        ("c", 1),
    ]
    assert second.diffs.tolist() == [-1]


def live_feed(*base: Change) -> tuple[Source, Input]:
    source, reader = Source(feed(), 10), Input(FEED, 10)
    source.attach(reader)
    source.base_part(content(*base), len(base))
    source.base_complete()
    return source, reader


def peer_s(source: Source, time: int) -> tuple[int, Counter[Row]] | None:
    """(the time of what a peer is given that asks for `time`, its rows)."""
    found = source.keyed_state(time)
    if found is None:
        return None
    rows: Counter[Row] = Counter()
    for batch in found.batches:
        columns = [column.to_pylist() for column in batch.columns]
        for row, diff in zip(zip(*columns, strict=True), batch.diffs.tolist(), strict=True):
            rows[row] += diff
    return found.time, Counter({row: count for row, count in rows.items() if count})


def test_a_peer_is_given_a_feed_at_the_time_it_asks_for() -> None:
    source, _ = live_feed(((1, "a"), 10, 1))
    assert peer_s(source, 11) is None, "it is not there yet"
    advance(source, 14, ((1, "b"), 11, 1), ((2, "c"), 12, 1), ((1, None), 13, -1))
    assert peer_s(source, 10) == (10, {(1, "a"): 1})
    assert peer_s(source, 11) == (11, {(1, "b"): 1})
    assert peer_s(source, 12) == (12, {(1, "b"): 1, (2, "c"): 1})
    assert peer_s(source, 13) == (13, {(2, "c"): 1})
    assert peer_s(source, 9) == (13, {(2, "c"): 1}), "not known any more"
    assert peer_s(Source(table(), 10), 10) is None


def test_what_a_feed_has_by_its_key_is_no_reader_of_it() -> None:
    """It goes with the last one that is."""
    source, reader = live_feed(((1, "a"), 10, 1))
    assert source.reader_count == 1
    assert [each.reader_count for each in source.arrangements] == [0]
    source.detach(reader)
    assert not source.is_read
    assert list(Source(table(), 10).arrangements) == []


def test_a_feed_that_is_looked_up_by_its_key_has_no_other_arrangement() -> None:
    source, reader = live_feed(((1, "a"), 10, 1), ((2, "b"), 10, 1))
    (newest,) = source.arrangements
    assert newest.arrangement.is_complete
    assert newest.arrangement.row_count == 2
    assert source.arrangements.find(Sought((0,), (0,)), 10, source.frontier) is newest
    advance(source, 13, ((1, "c"), 11, 1), ((1, "d"), 12, 1))
    assert newest.arrangement.since == 11, "nobody has yet to read at 11"
    words = [reader.take(11), newest.arrangement.words(12)]
    assert all(found is not None for found in words)


def test_an_input_never_moves_back() -> None:
    reader = Input(TABLE, 10)
    reader.deliver((), at(15))
    with pytest.raises(AssertionError, match="moves back"):
        reader.deliver((), Frontier(14))


def test_a_reader_starts_from_a_base_that_is_kept() -> None:
    source, first = Source(table(), 10), Input(TABLE, 10)
    source.attach(first)
    source.base_part(content(((1, "a"), 10, 1)), 1)
    source.base_complete(keep=True)
    advance(source, 15, ((2, "b"), 12, 1), ((1, "a"), 14, -1))
    late = Input(TABLE, 12)
    assert not source.attach(late), "it needs no snapshot"
    assert initial(late) == Counter({(1, "a"): 1, (2, "b"): 1})
    assert (late.frontier, late.next_time) == (at(15), 14)
    source.forget_base()
    assert source.attach(Input(TABLE, 12)), "nobody was expected any more"


def test_a_base_is_of_no_use_once_what_followed_it_is_forgotten() -> None:
    source, first = Source(table(), 10), Input(TABLE, 10)
    source.attach(first)
    source.base_complete(keep=True)
    many = [((number, "x"), 12, 1) for number in range(RECENT_ROWS_MAX + 1)]
    advance(source, 13, *many)
    late = Input(TABLE, 12)
    assert source.attach(late), "it brings a snapshot of its own"
    source.keep_base(content(((0, "x"), 12, 1)), 12)
    assert not source.attach(Input(TABLE, 12))


def test_a_reader_behind_a_kept_base_brings_its_own() -> None:
    source, _ = live_source(10)
    source.keep_base(content(((1, "a"), 12, 1)), 12)
    assert source.attach(Input(TABLE, 11))


def test_a_reader_that_comes_between_two_parts_of_the_base_gets_both() -> None:
    source, first, second = Source(table(), 10), Input(TABLE, 10), Input(TABLE, 11)
    source.attach(first)
    source.base_part(content(((1, "a"), 10, 1)), 2)
    source.forget_base()
    assert not source.attach(second)
    source.base_part(content(((2, "b"), 10, 1)), 2)
    source.base_complete(keep=True)
    third = Input(TABLE, 10)
    assert not source.attach(third)
    advance(source, 12)
    for reader in (first, second, third):
        assert initial(reader) == Counter({(1, "a"): 1, (2, "b"): 1})
