"""Dataflows that look up the same arrangements, at times of their own, against DuckDB.

Views come and go while tables change: some start in the past, some are scheduled late, some run
only now and then, and sessions are cut. Each must hold what DuckDB says at every time from its
as_of on.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.replica.dataflow.operators.arrange import Arrange
from tests.replica.rebuilding.test_rebuild import cancel
from tests.replica.scripted import TABLE
from tests.replica.town import GROUPED_ID, OTHER, QUERIES, Town, description

STEPS = (
    "tick", "tick", "tick", "work", "work", "run", "run", "create", "create", "late", "schedule",
    "drop", "hold", "release", "push", "cut", "forget", "read", "read", "rebuild", "accept",
)  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_every_view_beside_itself(query: str) -> None:
    """One from the beginning, one that comes late and starts in the past."""
    town = Town(7)
    town.create(query)
    for number in range(6):
        town.tick()
        town.bench.run()
        if number == 2:
            town.create(query)
    town.check()


def story(town: Town, steps: int) -> None:
    """So many things happen; then all views are up to date."""
    random = town.random
    for _ in range(steps):
        step = random.choice(STEPS)
        others = [view for view in town.views if view != GROUPED_ID]
        waiting = [view for view in others if view not in town.scheduled]
        if step == "tick":
            town.tick(push=random.random() < 0.8)
        elif step == "work":
            town.bench.work()
        elif step == "run":
            town.bench.run()
        elif step in ("create", "late") and len(others) < 8:
            town.create(late=step == "late")
        elif step == "schedule" and waiting:
            town.schedule(random.choice(waiting))
        elif step == "drop" and others:
            town.drop(random.choice(others))
        elif step == "hold":
            town.bench.holds_snapshots = True
        elif step == "release":
            town.bench.release()
        elif step == "push":
            town.bench.push(lower=max(0, town.bench.tail_reached - 3))
        elif step in ("forget", "read"):
            act = town.forget if step == "forget" else town.read
            act(random.choice(sorted(town.scheduled)))
        elif step == "rebuild" and not town.rebuilding:
            town.rebuild()
        elif step == "accept" and town.rebuilding:
            town.accept()
        elif step == "cut" and random.random() < 0.5:
            random.choice([town.reconnect, town.reconnect, town.restart])()
    for view in sorted(view for view in town.views if view not in town.scheduled):
        town.schedule(view)
    town.bench.send(cancel(max(town.sessions, 1)))
    town.check()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_views_that_come_and_go_hold_what_duckdb_says(seed: int) -> None:
    town = Town(seed)
    story(town, 50)
    for view in sorted(view for view in town.views if view != GROUPED_ID):
        town.drop(view)
    for _ in range(3):  # past the reads that wait: what they read stays until then
        town.tick()
    town.bench.run()
    left = [(collection, readers) for collection, _, readers in town.arranged]
    assert left in ([], [(GROUPED_ID, 1)]), "nobody reads them but an index that is still there"


BY_THE_CLOCK = (
    "SELECT k, v FROM a WHERE to_timestamp(k) > now()",
    "SELECT a.k, b.v FROM a JOIN b ON a.k = b.k WHERE to_timestamp(a.k) > now()",
    "SELECT a.k, b.v FROM a JOIN b ON a.k = b.k WHERE to_timestamp(a.k) <= now() AND b.v <> 'a'",
    "SELECT a.v, b.v AS w FROM a LEFT JOIN b ON a.k = b.k AND b.v <> 'a' "
    "WHERE to_timestamp(a.k) > now()",
    "SELECT f.k, count(*) AS n FROM f JOIN b ON f.k = b.k AND b.v <> 'a' "
    "WHERE to_timestamp(f.k) > now() GROUP BY f.k",
    "SELECT a.k, b.v FROM a JOIN b ON a.k = b.k WHERE b.v <> 'a'",
)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_rows_come_and_go_by_the_clock_across_restarts(seed: int) -> None:
    town = Town(seed, BY_THE_CLOCK, pause_ms=600)
    story(town, 40)
    town.restart()
    town.check()


JOINED = "SELECT b.v, count(*) AS n FROM b JOIN a ON a.k = b.k GROUP BY b.v"


def filled(seed: int, count: int) -> Town:
    """A town whose tables a and b have many rows more."""
    town = Town(seed)
    for collection in (TABLE, OTHER):
        many = [((number, "abc"[number % 3]), 1) for number in range(count)]
        town.store.append(town.store.upper, collection, *many)
    town.store.upper += 1
    town.bench.run()
    return town


def test_ten_views_over_one_arrangement_hold_little_more_than_one() -> None:
    town = filled(3, 2_000)
    held = town.bench.worker._held
    before = held.state_bytes
    town.create(JOINED)
    town.check()
    one = held.state_bytes - before
    for _ in range(9):
        town.create(JOINED)
    town.check()
    assert held.state_bytes - before < 1.2 * one
    assert sorted(town.arranged) == [(TABLE, (0,), 10), (OTHER, (0,), 10)]


@pytest.mark.parametrize("kind", ["LEFT", "RIGHT"])
def test_an_outer_side_is_looked_up_in_the_arrangement_of_an_inner_join(kind: str) -> None:
    town = filled(5, 2_000)
    held = town.bench.worker._held
    town.create("SELECT a.v, b.v AS w FROM b JOIN a ON a.k = b.k")
    town.check()
    town.create(f"SELECT a.v, b.v AS w FROM b {kind} JOIN a ON a.k = b.k")
    town.check()
    assert sorted(town.arranged) == [(TABLE, (0,), 2), (OTHER, (0,), 2)]
    engine = held.installed.dataflows[-1]._engine
    assert engine is not None
    own = [each for _, each in engine.operators() if isinstance(each, Arrange)]
    assert [each.key_indices for each in own] == [(0,)], "the distinct keys, and no rows"
    town.reconnect()
    town.check()


def test_a_small_outer_side_comes_after_a_large_other_one() -> None:
    town = Town(6)
    town.bench.fuel = 3
    town.store.append(town.store.upper, OTHER, *[((number, "a"), 1) for number in range(90)])
    town.store.upper += 5
    town.create("SELECT a.k, a.v, b.v AS w FROM a LEFT JOIN b ON a.k = b.k")
    town.create("SELECT k, v FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k)")
    town.check()


def test_a_further_view_reads_nothing_from_the_store() -> None:
    town = filled(4, 50)
    town.create(JOINED)
    town.bench.run()
    for _ in range(5):
        town.tick()
    town.bench.run()
    read = len(town.bench.snapshots())
    town.create(JOINED)
    town.create("SELECT a.v FROM a JOIN b ON a.k = b.k")
    town.check()
    late = town.bench.snapshots()[read:]
    assert [request.collection for request in late] == [TABLE], "by a key it lacked a column"
    town.create("SELECT a.v, b.v AS w FROM b JOIN a ON a.k = b.k")
    town.check()
    assert len(town.bench.snapshots()) == read + 1


def test_a_reconnect_keeps_who_shares() -> None:
    town = filled(5, 50)
    for _ in range(3):
        town.create(JOINED)
    town.bench.run()
    shared = town.arranged
    town.tick(push=False)
    town.reconnect()
    town.check()
    assert town.arranged == shared
    assert {verdict.outcome.value for verdict in town.bench.told.verdicts} == {"kept"}


def test_a_view_that_starts_before_what_is_folded_takes_it_back() -> None:
    town = filled(6, 20)
    town.create(JOINED)
    start = town.store.upper - 1
    for _ in range(12):
        town.tick()
        town.bench.run()
    town.last += 1
    created = description(JOINED, town.last, start)
    town.views[town.last], town.since[town.last] = (JOINED, created), start
    town.bench.send(created)
    read = len(town.bench.snapshots())
    town.schedule(town.last)
    town.check()
    assert len(town.bench.snapshots()) == read
    assert [readers for _, _, readers in town.arranged] == [2, 2]


@pytest.mark.parametrize("first", ["index", "join"])
def test_an_index_on_a_table_and_a_join_by_its_key_are_one_arrangement(first: str) -> None:
    town = filled(8, 500)
    held = town.bench.worker._held
    made = {
        "index": "SELECT k, v FROM a",
        "join": "SELECT a.v, b.v AS w FROM b JOIN a ON a.k = b.k",
    }
    town.create(made.pop(first))
    town.check()
    before = [each.arrangement for c, each in held.arranged if c == TABLE]
    town.create(*made.values())
    for _ in range(3):
        town.tick()
        town.bench.run()
    town.check()
    (arranging,) = [each for c, each in held.arranged if c == TABLE]
    assert [arranging.arrangement] == before
    assert arranging.reader_count == 2


def test_an_index_is_read_in_the_past_that_its_arrangement_has_folded() -> None:
    """`check` reads at each time from as_of on: what is gone since is taken back."""
    town = filled(9, 20)
    town.create("SELECT k, v FROM a")
    for _ in range(15):
        town.tick()
        town.bench.run()
    town.check()
    ((_, arranging),) = town.bench.worker._held.arranged
    assert arranging.arrangement.since > town.store.upper - 5
