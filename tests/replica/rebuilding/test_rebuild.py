"""Rebuild sessions on a worker: beside what is in force, never seen before the acceptance."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from antiphon.protocol.command import AcceptRebuild, CancelRebuild, StartRebuild
from antiphon.protocol.content_digest import digest_bytes, digest_of_rows
from antiphon.protocol.dataflow import MaterializedViewExport, SubscribeExport
from antiphon.protocol.errors import SinceViolation, Unavailable
from antiphon.protocol.ids import CollectionId, SessionId
from antiphon.protocol.response import Failure, RebuildCompleted, RebuildResult
from antiphon.replica.held import REPORT_WAIT_MS
from antiphon.replica.installing.installed import InstalledDataflow
from antiphon.replica.ports import AppendShard, SnapshotFailed, SnapshotPart, TailFailed
from antiphon.replica.rebuilding.chunks import CHUNK_ROWS
from tests.replica.bench import Bench, J, S, X, compact, counted, schedule
from tests.replica.scripted import (
    FEED,
    TABLE,
    Row,
    above,
    at,
    dataflow,
    delta,
    feed,
    get,
    index,
    index_import,
    peek_id,
    read_index,
    table,
)
from tests.replica.stored import Store

V = CollectionId(9)  # reads X


def serving(chunk_rows: int = CHUNK_ROWS) -> Bench:
    """X over the table, J over the feed, V over X; up to date at 30."""
    store = Store(upper=11)
    store.changes[TABLE] += [((number % 5, f"w{number}"), 4, 1) for number in range(9)]
    store.changes[FEED] += [((number, "old"), 4, 1) for number in range(6)]
    bench = Bench(store, chunk_rows)
    bench.connect(
        index(X),
        index(J, imports=(feed(),), plan=get(FEED)),
        index(V, imports=(index_import(X),), plan=above(get(X), 2)),
        *(schedule(number) for number in (X, J, V)),
    )
    bench.run()
    for time in (20, 25, 30):
        bench.tick(time, ((time, "x"), 1))
        bench.tick(time + 1, ((time % 6, "new"), 1), collection=FEED)
    bench.wait(REPORT_WAIT_MS)
    bench.take()
    return bench


def start(
    number: int,
    *collections: int,
    base: int = 25,
    target: int = 28,
    deadline_ms: int = 0,
    peer: str = "",
) -> StartRebuild:
    return StartRebuild(
        session_id=SessionId(number),
        collections=tuple(CollectionId(one) for one in collections),
        base_time=base,
        target_time=target,
        deadline_ms=deadline_ms,
        peer=peer,
    )


def accept(number: int) -> AcceptRebuild:
    return AcceptRebuild(session_id=SessionId(number))


def cancel(number: int) -> CancelRebuild:
    return CancelRebuild(session_id=SessionId(number), reason="enough")


def results(bench: Bench) -> list[tuple[int, RebuildCompleted | Failure]]:
    found = [r for r in bench.responses if isinstance(r, RebuildResult)]
    return [(result.session_id, result.result) for result in found]


def completed(bench: Bench) -> RebuildCompleted:
    ((_, result),) = results(bench)
    assert isinstance(result, RebuildCompleted), result
    return result


def failure(bench: Bench) -> Failure:
    ((_, result),) = results(bench)
    assert isinstance(result, Failure), result
    return result


def owner(bench: Bench, collection: CollectionId) -> InstalledDataflow:
    found = bench.worker._held.installed.find(collection)
    assert found is not None
    return found.owner


def digest(content: Counter[Row]) -> bytes:
    keys = pa.array([row[0] for row in content], pa.int64())
    words = pa.array([row[1] for row in content], pa.string())
    return digest_bytes(digest_of_rows((keys, words), np.array(list(content.values()), np.int64)))


def read(bench: Bench, number: int, collection: CollectionId, time: int) -> Counter[Row]:
    bench.send(read_index(number, collection, time))
    bench.run()
    return counted(bench.answers()[peek_id(number)])


def tamper(bench: Bench, collection: CollectionId) -> None:
    """A row that nobody wrote gets into what is kept."""
    (found,) = owner(bench, collection).exports
    strange = next(iter(found.trace.parts(found.owner.frontier.time - 1)))  # type: ignore[operator]
    shared = found.trace.shared
    assert shared is not None, "an index on a table is arranged for others too"
    shared.load(strange.slice(0, 1))


def nothing_is_left(bench: Bench) -> bool:
    held = bench.worker._held
    count = sum(map(len, held.inputs._sources.values()))
    strays = {*held.agenda._stirred, *held.agenda._untidy} - {*held.installed.dataflows}
    return count == 2 and not strays and not held.inputs._loads


def test_a_tampered_view_is_replaced_by_what_the_store_says() -> None:
    """Sync 27"""
    bench = serving()
    tamper(bench, X)
    assert read(bench, 1, X, 30) != bench.store.content(TABLE, 30)
    bench.send(start(1, X, V))
    bench.run()
    assert read(bench, 2, X, 30) != bench.store.content(TABLE, 30), "not accepted yet"
    bench.send(accept(1))
    bench.run()
    assert read(bench, 3, X, 30) == bench.store.content(TABLE, 30)
    bench.tick(40, ((3, "later"), 1))
    assert read(bench, 4, X, 40) == bench.store.content(TABLE, 40)
    over = Counter({row: n for row, n in bench.store.content(TABLE, 40).items() if row[0] > 2})
    assert read(bench, 5, V, 40) == over
    assert nothing_is_left(bench)


def test_the_result_names_a_time_past_the_target_and_the_digests_there() -> None:
    bench = serving()
    bench.send(start(1, V, X, J))
    bench.run()
    result = completed(bench)
    assert result.achieved_time >= 28
    time = result.achieved_time
    whole = bench.store.content(TABLE, time)
    over = Counter({row: n for row, n in whole.items() if row[0] > 2})
    assert result.digest == digest(over) + digest(whole) + digest(bench.store.content(FEED, time))


def test_nothing_of_a_rebuild_is_reported_before_it_is_accepted() -> None:
    """Sync 23"""
    bench = serving()
    bench.send(start(1, J))
    bench.run()
    assert bench.frontiers(J)["output"] == []
    before = owner(bench, J)
    bench.tick(40, ((1, "z"), 1), collection=FEED)
    assert bench.frontiers(J)["output"][-1] == at(41), "what is in force goes on"
    bench.send(accept(1))
    bench.run()
    assert owner(bench, J) is not before
    bench.tick(50, ((2, "z"), -1), collection=FEED)
    reports = bench.frontiers(J)["output"]
    assert reports == sorted(reports, key=lambda frontier: frontier.time or 0)
    assert reports[-1] == at(51)
    assert read(bench, 1, J, 50) == bench.store.content(FEED, 50)


def test_a_target_in_the_future_is_waited_for() -> None:
    bench = serving()
    bench.send(start(1, X, V, target=45))
    bench.run()
    assert not results(bench), "the base alone is not enough"
    bench.tick(45, ((7, "x"), 1))
    assert completed(bench).achieved_time >= 45


def test_the_live_lane_alone_is_not_enough() -> None:
    """Sync 22"""
    bench = serving()
    bench.holds_snapshots = True
    bench.send(start(1, J))
    bench.tick(40, ((1, "z"), 1), collection=FEED)
    assert not results(bench)
    bench.send(accept(1))
    before = owner(bench, J)
    bench.release()
    assert completed(bench).digest == digest(bench.store.content(FEED, 40))
    assert owner(bench, J) is before, "the acceptance came too early"


def test_a_canceled_session_has_no_result_and_leaves_nothing() -> None:
    bench = serving()
    bench.holds_snapshots = True
    bench.send(start(1, X, V, J))
    bench.run()
    bench.send(cancel(2))
    assert not nothing_is_left(bench), "another session was canceled"
    bench.send(cancel(1), accept(1))
    bench.release()
    assert not results(bench)
    assert nothing_is_left(bench)
    bench.tick(40, ((7, "x"), 1))
    assert read(bench, 1, X, 40) == bench.store.content(TABLE, 40)


def test_a_newer_session_supersedes_and_an_older_one_does_not() -> None:
    """Sync 20"""
    bench = serving()
    bench.holds_snapshots = True
    bench.send(start(3, J), start(2, J), start(5, J))
    bench.release()
    kinds = {number: type(result) for number, result in results(bench)}
    assert kinds == {2: Failure, 3: Failure, 5: RebuildCompleted}
    assert len(results(bench)) == 3, "one result each"


def test_a_start_that_is_refused_leaves_the_one_before_in_place() -> None:
    bench = serving()
    bench.holds_snapshots = True
    bench.send(start(1, J), start(2, 99))
    bench.release()
    kinds = {number: type(result) for number, result in results(bench)}
    assert kinds == {1: RebuildCompleted, 2: Failure}


def test_a_base_that_is_lost_fails_the_session_and_the_next_begins_from_scratch() -> None:
    """Sync 26"""
    bench = serving()
    bench.holds_snapshots = True
    bench.send(start(1, J))
    bench.run()
    (request,) = bench.held_back
    bench.holds_snapshots = False
    changes = bench.store.snapshot(FEED, 25)
    part = SnapshotPart(
        snapshot=request.snapshot, delta=delta(*changes[:2]), rows_total=6, last=False
    )
    bench.handle(part)
    bench.handle(SnapshotFailed(snapshot=request.snapshot, error=Unavailable("it is gone")))
    assert failure(bench).code == "unavailable"
    assert nothing_is_left(bench)
    bench.take()
    bench.send(start(2, J, base=30, target=30))
    bench.run()
    result = completed(bench)
    assert result.digest == digest(bench.store.content(FEED, result.achieved_time))


def test_a_base_before_since_fails_the_session_alone() -> None:
    bench = serving()
    bench.store.since = 26
    bench.send(start(1, X, V))
    bench.run()
    assert failure(bench).code == SinceViolation.code
    bench.tick(40, ((7, "x"), 1))
    assert read(bench, 1, X, 40) == bench.store.content(TABLE, 40)


def test_a_tail_that_reaches_back_too_far_fails_the_session_alone() -> None:
    bench = serving()
    bench.holds_snapshots = True
    bench.send(start(1, J))
    bench.run()
    assert bench.tail is not None
    bench.handle(TailFailed(tail=bench.tail.tail, error=SinceViolation("gone")))
    assert failure(bench).code == SinceViolation.code
    bench.run()
    bench.tick(40, ((1, "z"), 1), collection=FEED)
    assert read(bench, 1, J, 40) == bench.store.content(FEED, 40)


def test_the_deadline_fails_the_session() -> None:
    bench = serving()
    bench.holds_snapshots = True
    bench.send(start(1, J, deadline_ms=500))
    bench.run()
    bench.wait(499)
    assert not results(bench)
    bench.wait(1)
    assert failure(bench).details["reason"] == "deadline_exceeded"
    assert nothing_is_left(bench)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (start(1), "invalid_argument"),
        (start(1, X, V, base=9, target=8), "invalid_argument"),
        (start(1, X), "invalid_argument"),
        (start(1, 99), "collection_missing"),
        (start(1, S), "collection_missing"),
    ],
)
def test_what_cannot_be_rebuilt_is_answered_with_why(command: StartRebuild, code: str) -> None:
    bench = serving()
    bench.send(command)
    assert failure(bench).code == code
    assert nothing_is_left(bench)


def test_a_drop_ends_the_rebuild_of_what_is_dropped() -> None:
    bench = serving()
    bench.holds_snapshots = True
    bench.send(start(1, J))
    bench.run()
    bench.send(compact(J, None))
    bench.release()
    assert failure(bench).code == "collection_missing"
    assert bench.dropped() == [J]
    bench.send(start(2, X, V))
    bench.run()
    bench.send(compact(V, None), accept(2))
    bench.run()
    assert bench.dropped() == [J, V]
    assert read(bench, 1, X, 31) == bench.store.content(TABLE, 31)


def test_a_subscribe_on_what_was_replaced_ends_and_others_go_on() -> None:
    bench = serving()
    bench.send(
        dataflow(
            (S, SubscribeExport(with_snapshot=True)),
            imports=(index_import(X),),
            plan=get(X),
            as_of=31,
        ),
        schedule(S),
        start(1, X, V),
    )
    bench.run()
    bench.send(accept(1))
    bench.run()
    last = bench.batches(S)[-1]
    assert last.failure is not None
    assert last.failure.code == "unavailable"


def test_a_view_is_written_again_by_what_was_rebuilt() -> None:
    bench = serving()
    kind = MaterializedViewExport(key_columns=(0,))
    bench.connect(
        dataflow((20, kind), imports=(table(),), plan=get(TABLE)), schedule(20), writes=True
    )
    bench.run()
    bench.tick(40, ((3, "x"), 1))
    bench.send(start(1, 20, base=40, target=40))
    bench.run()
    written = len([r for r in bench.requests if isinstance(r, AppendShard)])
    bench.send(accept(1))
    bench.run()
    bench.tick(50, ((4, "y"), 1))
    assert len([r for r in bench.requests if isinstance(r, AppendShard)]) > written
    assert bench.store.content(CollectionId(20), 50) == bench.store.content(TABLE, 50)


def test_a_feed_is_rebuilt_from_a_peer_that_has_moved_on() -> None:
    bench = serving()
    bench.holds_snapshots = True
    bench.send(start(1, J, X, V, peer="r2:1"))
    bench.run()
    asked = {request.collection: request.peer for request in bench.held_back}
    assert asked == {FEED: "r2:1", TABLE: ""}, "what a peer has of a table is of no time"
    bench.store.append(40, FEED, ((1, "later"), 1), ((2, "gone"), -1))
    bench.store.upper = 41
    bench.release()
    bench.run()
    result = completed(bench)
    assert result.achieved_time == 40, "not before the live lane has passed the base"
    assert result.digest.startswith(digest(bench.store.content(FEED, 40)))


def test_a_peer_that_gives_another_content_than_it_says_fails_the_session() -> None:
    """Sync 26"""
    bench = serving()
    bench.peer_digest = lambda changes: bytes(16)  # type: ignore[method-assign]
    bench.send(start(1, J, peer="r2:1"))
    bench.run()
    assert failure(bench).details["reason"] == "snapshot_unavailable"
    assert nothing_is_left(bench)
