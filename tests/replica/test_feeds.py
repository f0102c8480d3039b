"""Feeds on one worker: their rows are held once, whoever joins them by their key, and views of them
hold what DuckDB says at every time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.replica.importing.arrangements import Arranging
from antiphon.replica.installing.installed import InstalledDataflow
from tests.replica.rebuilding.test_rebuild import accept, results, start
from tests.replica.scripted import FEED, Row
from tests.replica.test_sharing import story
from tests.replica.town import GROUPED_ID, Town

BY_KEY = "SELECT a.v, f.v AS w FROM a JOIN f ON a.k = f.k"
BY_KEY_OUTER = "SELECT f.k, f.v, a.v AS w FROM f LEFT JOIN a ON a.k = f.k"
BY_KEY_EXISTS = "SELECT k, v FROM b WHERE NOT EXISTS (SELECT 1 FROM f WHERE f.k = b.k)"
COPY = "SELECT k, v FROM f"
GROUPED = "SELECT v, count(*) AS n, max(k) AS k FROM f GROUP BY v"
BY_ANOTHER = "SELECT a.k, f.k AS l FROM a JOIN f ON a.v = f.v"
SELECTED = "SELECT a.v, f.v AS w FROM a JOIN f ON a.k = f.k WHERE f.v <> 'b'"
TWICE = "SELECT x.k, y.v FROM f x JOIN f y ON x.k = y.k"
QUERIES = (
    BY_KEY, BY_KEY_OUTER, BY_KEY_EXISTS, COPY, GROUPED, BY_ANOTHER, SELECTED, TWICE,
)  # fmt: skip
MANY = 2_000


def held(town: Town) -> list[Arranging]:
    """What is arranged of the feed by its key, all of it."""
    arranged = town.bench.worker._held.arranged
    return [each for c, each in arranged if c == FEED and each.what == ((0,), ())]


def large(seed: int) -> Town:
    """A town whose feed has many keys."""
    town = Town(seed)
    many: list[tuple[Row, int]] = [((key, "abc"[key % 3]), 1) for key in range(MANY)]
    town.store.append(town.store.upper, FEED, *many)
    town.store.upper += 1
    town.bench.run()
    return town


def keys(town: Town) -> int:
    return sum(town.store.content(FEED, town.store.upper - 1).values())


@pytest.mark.parametrize("query", [BY_KEY, COPY, TWICE])
def test_who_joins_a_feed_by_its_key_holds_its_rows_once(query: str) -> None:
    town = large(1)
    everything = town.bench.worker._held
    town.create(GROUPED)
    town.check()
    (newest,) = held(town)
    assert newest.reader_count == 0, "its source alone"
    assert keys(town) >= MANY
    assert newest.arrangement.row_count < 1.02 * keys(town)
    town.create(query)
    town.check()
    assert held(town) == [newest]
    assert newest.reader_count == 1
    assert newest.arrangement.row_count < 1.02 * keys(town)
    assert newest.arrangement.columns == (0, 1)
    of_feed = [each for c, each in everything.arranged if c == FEED]
    assert of_feed == [newest], "nothing else has its rows"
    town.create(BY_KEY)
    town.check()
    assert held(town) == [newest]
    assert newest.reader_count == 2


def test_two_dataflows_read_a_feed_where_it_becomes_differences() -> None:
    town = large(2)
    first, second = town.create(BY_KEY), town.create(BY_KEY_OUTER)
    town.bench.run()
    (newest,) = held(town)
    for number in range(12):
        town.tick(push=number % 4 == 3)  # several at once
        town.bench.work()
    town.check()
    assert newest.reader_count == 2
    town.drop(first)
    town.tick()
    town.check()
    assert held(town) == [newest]
    town.drop(second)
    town.create(GROUPED)
    for _ in range(3):
        town.tick()
        town.bench.run()
    (anew,) = held(town)
    assert anew is not newest, "it went with the feed's last reader"
    town.check()


def test_it_stays_while_the_feed_is_read_and_serves_who_comes_later() -> None:
    town = large(3)
    town.create(GROUPED)
    joined = town.create(BY_KEY)
    town.bench.run()
    (newest,) = held(town)
    for _ in range(3):
        town.drop(joined)
        for _ in range(4):
            town.tick()
            town.bench.run()
        assert held(town) == [newest]
        assert newest.reader_count == 0
        read = len([each for each in town.bench.snapshots() if each.collection == FEED])
        joined = town.create(BY_KEY)
        town.check()
        assert newest.reader_count == 1
        again = len([each for each in town.bench.snapshots() if each.collection == FEED])
        assert again == read, "nothing is read of the store for it"
    town.reconnect()
    town.check()
    assert held(town) == [newest]


def test_of_a_feed_that_nobody_reads_nothing_is_left() -> None:
    town = large(4)
    views = [town.create(query) for query in QUERIES]
    town.check()
    for view in views:
        town.drop(view)
    town.bench.run()
    assert [c for c, _, _ in town.arranged if c == FEED] == []
    assert town.bench.worker._held.inputs.unread == ()


def test_a_slow_reader_holds_back_what_is_folded_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A view stands still while ticks come; the feed's own differences go on."""
    town = large(5)
    slow, fast = town.create(BY_KEY), town.create(GROUPED)
    town.bench.run()
    stopped = town.bench.worker._held.installed.dataflows[-2]
    assert int(stopped.exports[0].collection) == slow
    is_ready = InstalledDataflow.is_ready.fget
    assert is_ready is not None
    with monkeypatch.context() as patch:
        ready = property(lambda each: each is not stopped and is_ready(each))
        patch.setattr(InstalledDataflow, "is_ready", ready)
        for _ in range(30):
            town.tick()
            town.bench.run()
        (newest,) = held(town)
        assert newest.arrangement.since <= stopped.reads_from
        town.check([fast, GROUPED_ID])
    town.bench.worker._held.agenda.stir(stopped)
    town.bench.work()
    town.check()
    for key in (1, 2):
        town.bench.tick(town.store.upper, ((key, "z"), 1), collection=FEED)
    assert newest.arrangement.since == town.store.upper - 2, "the tick before the last"
    town.check()


@pytest.mark.parametrize("seed", range(4))
def test_a_rebuild_settles_into_one_arrangement_for_all(seed: int) -> None:
    """The live lane brings overwrites while the base comes; then the content is where it is looked
    up, and goes on there."""
    town = Town(seed, QUERIES)
    views = [town.create(query) for query in QUERIES]
    for _ in range(4):
        town.tick()
        town.bench.run()
    town.check()
    (before,) = held(town)
    readers = before.reader_count
    last = town.store.upper - 1
    town.bench.holds_snapshots = True
    town.bench.send(start(1, *sorted(town.scheduled), base=last - 1, target=last))
    for _ in range(3):
        town.tick()
        town.bench.run()
    (_, lanes) = held(town)
    assert lanes.reader_count == 0
    assert not lanes.arrangement.is_complete, "the base is not there"
    town.bench.release()
    for _ in range(3):
        town.tick()
        town.bench.run()
    assert [session for session, _ in results(town.bench)] == [1]
    town.bench.send(accept(1))
    town.bench.run()
    (after,) = held(town)
    assert after is lanes
    assert after.reader_count == readers
    for view in (GROUPED_ID, *views):
        found = town.trace(view).since.time
        assert found is not None
        town.since[view] = max(town.since[view], found)
    for _ in range(3):
        town.tick()
        town.bench.run()
    town.create(BY_KEY)
    town.check()
    assert held(town) == [after]
    town.restart()
    town.check()
    (anew,) = held(town)
    assert anew.reader_count == readers + 1
    assert anew.arrangement.row_count >= keys(town)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32))
def test_views_of_feeds_that_come_and_go_hold_what_duckdb_says(seed: int) -> None:
    town = Town(seed, QUERIES)
    town.create(BY_KEY)
    story(town, 40)
    for view in sorted(view for view in town.views if view != GROUPED_ID):
        town.drop(view)
    for _ in range(3):  # past the reads that wait
        town.tick()
    town.bench.run()
    assert [c for c, _, _ in town.arranged if c == FEED] == []
