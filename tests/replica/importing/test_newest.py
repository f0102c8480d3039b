"""What a feed has by its key: differences of overwrites, and where others look it up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pytest

from antiphon.protocol.frontier import Frontier
from antiphon.protocol.selection import ALL
from antiphon.replica.dataflow.arrangements.batch import Batch
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.arrangements import Arrangements
from antiphon.replica.importing.deltas import Ticks, decode
from antiphon.replica.importing.lookups import Sought
from antiphon.replica.importing.newest import Newest
from tests.replica.scripted import PAIRS, Change, Row, delta, feed

SOUGHT = Sought((0,), (0, 1))


@dataclass
class Reads:
    """A dataflow, to what it reads."""

    reads_from: int


def overwrites(*rows: tuple[Row, int]) -> Zset:
    changes: list[Change] = [(row, 1, diff) for row, diff in rows]
    return Zset.concat(PAIRS, [change for _, change in decode(delta(*changes), PAIRS)])


def added(parts: Iterable[Zset]) -> Counter[Row]:
    found: Counter[Row] = Counter()
    for part in parts:
        columns = [column.to_pylist() for column in part.columns]
        for row, diff in zip(zip(*columns, strict=True), part.diffs.tolist(), strict=True):
            found[row] += diff
    return Counter({row: count for row, count in found.items() if count})


def rows_of(batches: Iterable[Batch]) -> Counter[Row]:
    """As whoever looks there sees them."""
    seen = (batch.seen() for batch in batches)
    return added(Zset(batch.columns, batch.diffs) for batch in seen)


def kept(*rows: tuple[Row, int]) -> tuple[Newest, Arrangements]:
    """With this content at 10."""
    arrangements = Arrangements(len(PAIRS))
    newest = Newest(feed(), 10, arrangements.untidied)
    arrangements.keep(newest)
    newest.absorb(overwrites(*rows))
    newest.complete(10)
    return newest, arrangements


def test_several_ticks_at_once_are_taken_in_one_after_another() -> None:
    """The second needs the first, which is nowhere else yet."""
    newest, _ = kept(((1, "a"), 1))
    first = newest.overwrite(11, overwrites(((1, "b"), 1), ((2, "c"), 1)))
    second = newest.overwrite(12, overwrites(((1, "d"), 1), ((2, None), -1)))
    assert added([first]) == {(1, "a"): -1, (1, "b"): 1, (2, "c"): 1}
    assert added([second]) == {(1, "b"): -1, (1, "d"): 1, (2, "c"): -1}


def test_alone_it_holds_each_key_once() -> None:
    newest, _ = kept(*(((key, "a"), 1) for key in range(100)))
    assert newest.arrangement.row_count == 100
    for time in range(11, 60):
        newest.overwrite(time, overwrites(((time % 100, f"w{time}"), 1)))
        assert newest.arrangement.since == time - 1, "nobody reads what is before"
        while newest.arrangement.maintain(1_000):
            pass
    newest.overwrite(60, overwrites(((0, None), -1)))
    newest.overwrite(61, overwrites(((1, None), -1)))
    assert sum(added(newest.arrangement.parts(61)).values()) == 98
    assert newest.arrangement.row_count < 100 + 2 * 49 + 2, "what was overwritten is merged away"


def test_it_is_found_by_whoever_looks_the_feed_up_by_its_key() -> None:
    newest, arrangements = kept(((1, "a"), 1))
    for columns in ((0, 1), (0,), (1,)):
        assert arrangements.find(Sought((0,), columns), 10, Frontier(11)) is newest
    assert arrangements.find(Sought((1,), (0, 1)), 10, Frontier(11)) is None
    assert arrangements.find(Sought((0, 1), (0, 1)), 10, Frontier(11)) is None


def test_it_stays_when_its_last_reader_goes_and_folds_what_that_held() -> None:
    newest, arrangements = kept(((1, "a"), 1))
    slow = newest.read(Reads(10), 10, ())
    for time in range(11, 40):
        newest.overwrite(time, overwrites(((time % 3, f"w{time}"), 1)))
    assert newest.arrangement.since == 10
    assert arrangements.release(slow) is None, "its input is of no dataflow"
    assert list(arrangements) == [newest]
    assert newest.reader_count == 0
    newest.overwrite(40, overwrites(((1, "z"), 1)))
    assert newest.arrangement.since == 39
    assert arrangements.find(SOUGHT, 40, Frontier(41)) is newest


def test_a_content_that_starts_over_forgets_its_first_parts() -> None:
    arrangements = Arrangements(len(PAIRS))
    newest = Newest(feed(), 10, arrangements.untidied)
    newest.absorb(overwrites(((1, "a"), 1)))
    newest.restart()
    newest.absorb(overwrites(((2, "b"), 1)))
    newest.complete(10)
    assert added(newest.parts(10)) == {(2, "b"): 1}
    assert not newest.arrangement.errors(10)


def test_its_key_is_in_the_order_of_the_columns() -> None:
    """As in what looks it up."""
    imported = replace(feed(), key_columns=(1, 0))
    newest = Newest(imported, 10, Arrangements(len(PAIRS)).untidied)
    assert newest.what == ((0, 1), ALL)
    newest.absorb(overwrites(((1, "a"), 1), ((1, "b"), 1)))
    newest.complete(10)
    assert added([newest.overwrite(11, overwrites(((1, "b"), -1)))]) == {(1, "b"): -1}


@pytest.mark.parametrize("seed", range(6))
def test_at_each_time_it_has_what_a_dictionary_had(seed: int) -> None:
    """Readers come and go, are fast or slow; several ticks wait for each; what is folded is taken
    back by what changed since."""
    random = Random(seed)
    newest, arrangements = kept()
    live: dict[int, Row] = {}
    contents = {10: Counter[Row]()}
    ticks: Ticks = []
    readers: list[tuple[Reads, int]] = []
    for time in range(11, 120):
        rows = []
        for key in random.sample(range(12), random.randint(1, 6)):
            row = (key, random.choice("abc"))
            live.pop(key, None)
            diff = random.choice([1, 1, -1])
            if diff > 0:
                live[key] = row
            rows.append((row, diff))
        ticks.append((time, newest.overwrite(time, overwrites(*rows))))
        contents[time] = Counter(live.values())
        if random.random() < 0.1:
            since = newest.arrangement.since
            start = random.randint(max(10, since - 5), time)
            reads = Reads(start)
            later = [(at, change) for at, change in ticks if start < at <= since]
            newest.read(reads, start, later)
            readers.append((reads, start))
        for place, reading in enumerate(newest.readings):
            reads, start = readers[place]
            assert rows_of(reading.until(reads.reads_from)) == contents[reads.reads_from]
            if random.random() < 0.7:
                reads.reads_from = min(time, reads.reads_from + random.randint(1, 12))
        if newest.readings and random.random() < 0.05:
            place = random.randrange(len(readers))
            assert arrangements.release(newest.readings[place]) is None
            del readers[place]
        if random.random() < 0.3:
            newest.arrangement.maintain(random.choice([3, 1_000]))
        asked = random.randint(10, time)
        since = newest.arrangement.since
        later = [(at, change) for at, change in ticks if asked < at <= since]
        held = newest.held(asked, later)
        assert all(batch.times is None for batch in held), "whoever gets it looks at no times"
        assert rows_of(held) == contents[asked]
    assert sum(int(np.sum(part.diffs)) for part in newest.arrangement.parts(119)) == len(live)
