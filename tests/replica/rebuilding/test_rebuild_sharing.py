"""What was rebuilt together looks up the same arrangements, as it did before."""

from __future__ import annotations

import pytest

from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import RebuildCompleted
from tests.replica.bench import compact
from tests.replica.rebuilding.test_rebuild import accept, cancel, results, start
from tests.replica.scripted import FEED, TABLE
from tests.replica.test_sharing import JOINED
from tests.replica.town import GROUPED_ID, OTHER, Town, rows_at

VIEWS = (
    JOINED,
    "SELECT b.v, a.v AS w FROM b JOIN a ON a.k = b.k",
    "SELECT b.v, a.v AS w FROM b LEFT JOIN a ON a.k = b.k",
    "SELECT a.k, f.v FROM a JOIN f ON a.k = f.k",
    "SELECT g.n, b.v FROM b JOIN grouped g ON g.k = b.k",
    "SELECT k, v FROM f",
)


def sharing(seed: int) -> Town:
    """A town whose views share arrangements of tables, of a feed, and of what a view puts out."""
    town = Town(seed)
    for query in VIEWS:
        town.create(query)
    settle(town)
    town.check()
    return town


def settle(town: Town) -> None:
    for _ in range(4):
        town.tick()
        town.bench.run()


def ask(town: Town, number: int, *views: int) -> None:
    last = town.store.upper - 1
    town.bench.send(start(number, *views, base=last - 1, target=last))
    town.bench.run()
    for _ in range(3):
        town.tick()
        town.bench.run()


def rebuild(town: Town, number: int, *views: int) -> None:
    ask(town, number, *views)
    (_, result) = results(town.bench)[-1]
    assert isinstance(result, RebuildCompleted), result
    town.bench.send(accept(number))
    town.bench.run()


def check(town: Town) -> None:
    """Each view now, and at the tick before."""
    for view in sorted(town.scheduled):
        query, _ = town.views[view]
        found = town.bench.worker._held.installed.find(CollectionId(view))
        assert found is not None, query
        assert found.failure is None, query
        for time in (town.store.upper - 2, town.store.upper - 1):
            assert rows_at(found.trace.snapshot(time)) == town.oracle.at(query, time), query


@pytest.mark.parametrize("seed", range(4))
def test_after_a_rebuild_there_are_as_many_arrangements_as_before(seed: int) -> None:
    town = sharing(seed)
    held = town.bench.worker._held
    before, kept = sorted(town.arranged), [each for _, each in held.arranged]
    assert {collection for collection, _, _ in before} >= {TABLE, OTHER, FEED, GROUPED_ID}
    rebuild(town, 1, *sorted(town.scheduled))
    settle(town)
    check(town)
    assert sorted(town.arranged) == before
    assert not any(each is other for _, each in held.arranged for other in kept), "made anew"
    town.create(JOINED)
    settle(town)
    check(town)
    shared = [(c, key, n) for c, key, n in town.arranged if c in (TABLE, OTHER) and key == (0,)]
    assert len(shared) == 2, "who comes later joins them"
    town.reconnect()
    settle(town)
    check(town)


def test_what_was_not_rebuilt_keeps_its_own_until_it_is() -> None:
    town = sharing(5)
    first, second = [view for view in sorted(town.scheduled) if view != GROUPED_ID][:2]
    before = sorted(town.arranged)
    rebuild(town, 1, first)
    settle(town)
    check(town)
    assert len(town.arranged) == len(before) + 2
    rebuild(town, 2, *sorted(town.scheduled))
    settle(town)
    check(town)
    assert sorted(town.arranged) == before
    town.drop(second)
    town.bench.run()
    check(town)


def test_of_a_rebuild_that_was_given_up_no_arrangement_is_left() -> None:
    town = sharing(6)
    before = sorted(town.arranged)
    ask(town, 1, *sorted(town.scheduled))
    assert len(town.arranged) > len(before)
    town.bench.send(cancel(1))
    town.bench.run()
    settle(town)
    town.check()
    assert sorted(town.arranged) == before
    assert town.bench.worker._held.inputs.unread == ()
    for view in [view for view in town.views if view != GROUPED_ID]:
        town.drop(view)
    town.bench.send(compact(GROUPED_ID, None))
    town.bench.run()
    assert town.arranged == []
