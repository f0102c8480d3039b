"""The one tail: which batch counts for whom, and when it is opened anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from antiphon.protocol.content_digest import digest_bytes
from antiphon.protocol.errors import SchemaMismatch, SinceViolation, Unavailable
from antiphon.protocol.ids import Epoch
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.deltas import decode
from antiphon.replica.importing.input import Input
from antiphon.replica.importing.inputs import SNAPSHOT_RETRY_MS, Inputs
from antiphon.replica.ports import (
    CancelSnapshot,
    EncodedDelta,
    OpenTail,
    ReadSnapshot,
    Request,
    SnapshotFailed,
    SnapshotPart,
    TailReceived,
)
from antiphon.replica.reporting.digest import digest_of
from tests.replica.scripted import FEED, HISTORY, PAIRS, TABLE, Change, at, delta, feed, table


class Reading:
    """Inputs whose requests are looked at."""

    def __init__(self) -> None:
        numbers: Iterator[int] = count(1)
        self.requests: list[Request] = []
        self.inputs = Inputs(lambda: next(numbers), self.requests)

    def snapshots(self) -> list[ReadSnapshot]:
        return [request for request in self.requests if isinstance(request, ReadSnapshot)]

    def tails(self) -> list[OpenTail]:
        return [request for request in self.requests if isinstance(request, OpenTail)]

    def answer(self, *changes: Change, number: int | None = None) -> None:
        """The last snapshot, or the one of this number, in one part."""
        snapshot = self.snapshots()[-1].snapshot if number is None else number
        self.inputs.snapshot_part(
            SnapshotPart(
                snapshot=snapshot, delta=delta(*changes), rows_total=len(changes), last=True
            )
        )
        self.inputs.settle(0)

    def receive(self, lower: int, upper: int, *changes: Change, tail: int | None = None) -> None:
        self.inputs.tail_received(
            TailReceived(
                tail=self.tails()[-1].tail if tail is None else tail,
                lower=at(lower),
                upper=at(upper),
                deltas={TABLE: delta(*changes)} if changes else {},
            )
        )
        self.inputs.settle(0)


def started(as_of: int = 10) -> tuple[Reading, Input]:
    reading = Reading()
    reader = reading.inputs.attach(table(), as_of)
    reading.answer(((1, "a"), as_of, 1))
    return reading, reader


def test_the_snapshot_comes_first_and_the_tail_right_after_it() -> None:
    reading = Reading()
    reading.inputs.attach(table(), 10)
    reading.inputs.settle(0)
    (snapshot,) = reading.snapshots()
    assert (snapshot.collection, snapshot.as_of) == (TABLE, 10)
    assert not reading.tails()
    reading.answer()
    (tail,) = reading.tails()
    assert tail.collections == {TABLE: at(11)}


def test_a_batch_that_follows_is_taken() -> None:
    reading, reader = started()
    reading.receive(11, 14, ((2, "b"), 12, 1))
    assert reader.frontier == at(14)
    assert reader.next_time == 12


def test_a_batch_that_is_known_is_dropped_and_an_overlap_is_trimmed() -> None:
    reading, reader = started()
    reading.receive(11, 14, ((2, "b"), 12, 1))
    reading.receive(11, 14, ((2, "b"), 12, 1))
    reading.receive(11, 16, ((2, "b"), 12, 1), ((3, "c"), 15, 1))
    assert reader.frontier == at(16)
    assert reader.pending_count == 2
    assert len(reading.tails()) == 1


def test_a_gap_opens_the_tail_anew_from_where_the_source_stands() -> None:
    reading, reader = started()
    reading.receive(13, 15, ((3, "c"), 14, 1))
    assert reader.frontier == at(11)
    assert reading.tails()[-1].collections == {TABLE: at(11)}
    assert len(reading.tails()) == 2
    reading.receive(11, 15, ((2, "b"), 12, 1), ((3, "c"), 14, 1))
    assert reader.pending_count == 2


def test_a_source_takes_no_batch_that_begins_before_its_own_deltas_do() -> None:
    """A tail's first batch begins at the lowest frontier of all its collections. A source that
    came to life behind its collection's own frontier must not think itself served by it."""
    reading, reader = started(as_of=20)
    other = reading.inputs.attach(feed(), 5)
    reading.answer()
    early = reading.inputs.attach(table(), 10)
    assert reading.tails()[-1].collections == {TABLE: at(21), FEED: at(6)}
    snapshot = reading.snapshots()[-1]
    # The early source comes to life, and this batch was on its way before the tail is reopened.
    reading.inputs.snapshot_part(
        SnapshotPart(snapshot=snapshot.snapshot, delta=delta(), rows_total=0, last=True)
    )
    reading.inputs.tail_received(
        TailReceived(tail=reading.tails()[-1].tail, lower=at(6), upper=at(30), deltas={})
    )
    reading.inputs.settle(0)
    assert (reader.frontier, other.frontier) == (at(30), at(30))
    assert early.frontier == at(11), "the table's deltas from 11 on were not in the batch"
    assert reading.tails()[-1].collections == {TABLE: at(11), FEED: at(30)}


def test_a_batch_of_a_replaced_tail_does_not_count() -> None:
    reading, reader = started()
    old = reading.tails()[-1].tail
    reading.inputs.attach(feed(), 10)
    reading.answer()
    assert reading.tails()[-1].collections == {TABLE: at(11), FEED: at(11)}
    reading.receive(11, 20, tail=old)
    assert reader.frontier == at(11)


def given(reading: Reading, *changes: Change, **said: object) -> None:
    """What a peer answers to the last read, in one part; `said`: if not as it should be."""
    rows = Zset.concat(PAIRS, [change for _, change in decode(delta(*changes), PAIRS)])
    read = reading.snapshots()[-1]
    part = SnapshotPart(
        snapshot=read.snapshot,
        delta=delta(*changes),
        rows_total=len(changes),
        last=True,
        index=0,
        time=read.as_of,
        digest=digest_bytes(digest_of(rows)),
    )
    reading.inputs.snapshot_part(replace(part, **said))  # type: ignore[arg-type]
    reading.inputs.settle(0)


@pytest.mark.parametrize("late", [False, True])
def test_a_peer_gives_the_content_and_the_store_what_follows(late: bool) -> None:
    """The second reads the source of the first, and only its own content is asked for."""
    reading = Reading()
    reading.inputs.history_id = HISTORY
    reader = reading.inputs.attach(table(), 10, peer="r2", epoch=Epoch(3))
    if late:
        given(reading, ((1, "a"), 10, 1))
        reading.receive(11, 14, ((2, "b"), 12, 1))
        reader = reading.inputs.attach(table(), 12, peer="r2", epoch=Epoch(3))
    read = reading.snapshots()[-1]
    assert (read.peer, read.epoch, read.as_of) == ("r2", 3, 12 if late else 10)
    assert read.history_id == HISTORY
    assert not reader.loaded
    given(reading, ((1, "a"), read.as_of, 1))
    assert reader.loaded
    assert reader.refusal is None
    assert reading.tails()


@pytest.mark.parametrize(
    "said",
    [
        {"time": 13},
        {"index": 1},
        {"digest": b"x" * 16},
        {"delta": EncodedDelta(rows=(b"no batch",))},
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_a_peer_that_gives_something_else_is_refused_until_another_is_named(
    said: dict[str, object], late: bool
) -> None:
    """Sync 26"""
    reading = Reading()
    if late:
        first = reading.inputs.attach(table(), 10)
        reading.answer(((1, "a"), 10, 1))
        reading.receive(11, 14)
    reader = reading.inputs.attach(table(), 12, peer="r2", epoch=Epoch(3))
    given(reading, ((1, "a"), 12, 1), **said)
    assert not reader.loaded
    assert reader.refusal is not None
    assert reader.refusal[0] == "r2"
    reads = len(reading.snapshots())
    given(reading, ((1, "a"), 12, 1))  # late: of a read that was given up
    assert not reader.loaded
    assert reading.inputs.settle(10**6) is None, "it asks nobody by itself"
    assert len(reading.snapshots()) == reads
    reading.inputs.reroute(TABLE, "", Epoch(3))
    assert reader.refusal is None
    assert reading.snapshots()[-1].peer == ""
    reading.answer(((1, "a"), 12, 1))
    assert reader.loaded
    assert reader.rows_received == 1, "nothing of the peer's is left"
    assert not late or first.loaded


def test_a_read_is_moved_to_who_is_named_and_left_alone_if_it_comes_from_there() -> None:
    reading = Reading()
    reading.inputs.attach(table(), 10, peer="r2", epoch=Epoch(3))
    first = reading.snapshots()[-1]
    reading.inputs.reroute(TABLE, "r2", Epoch(3))
    assert len(reading.snapshots()) == 1, "it comes from there already"
    reading.inputs.reroute(TABLE, "r3", Epoch(3))
    assert reading.snapshots()[-1].peer == "r3"
    assert CancelSnapshot(snapshot=first.snapshot) in reading.requests
    reading.inputs.reroute(TABLE, "", Epoch(3))
    reading.inputs.reroute(TABLE, "", Epoch(3))
    assert reading.snapshots()[-1].peer == ""
    assert len(reading.snapshots()) == 3
    reading.inputs.reroute(TABLE, "r3", Epoch(3))
    assert reading.snapshots()[-1].peer == "r3"


def test_a_peer_that_is_gone_is_no_trouble_of_the_session() -> None:
    reading = Reading()
    reader = reading.inputs.attach(table(), 10, peer="r2", epoch=Epoch(3))
    for error in (Unavailable("it died"), SinceViolation("gone")):
        failed = SnapshotFailed(snapshot=reading.snapshots()[-1].snapshot, error=error)
        assert reading.inputs.snapshot_failed(failed, 0) is None
        assert reader.refusal == ("r2", error.message)
        reading.inputs.reroute(TABLE, "r2", Epoch(3))
        assert reader.refusal is None


def test_two_dataflows_share_a_source_and_its_tail() -> None:
    reading, first = started()
    second = reading.inputs.attach(table(), 10)
    reading.answer(((1, "a"), 10, 1))
    reading.receive(11, 14, ((2, "b"), 12, 1))
    assert first.next_time == second.next_time == 12
    assert len(reading.tails()) == 1, "the set of collections has not changed"


def test_a_burst_of_dataflows_shares_one_snapshot() -> None:
    reading = Reading()
    readers = [reading.inputs.attach(table(), as_of) for as_of in (10, 12, 11)]
    assert len(reading.snapshots()) == 1
    reading.answer(((1, "a"), 10, 1))
    assert [reader.loaded for reader in readers] == [True] * 3
    reading.receive(11, 13)
    assert all(reader.frontier == at(13) for reader in readers)


def test_a_dataflow_from_before_the_source_brings_a_source_of_its_own() -> None:
    reading, late = started(as_of=20)
    early = reading.inputs.attach(table(), 10)
    reading.answer(((1, "a"), 10, 1))
    assert reading.tails()[-1].collections == {TABLE: at(11)}, "the lowest that is needed"
    reading.receive(11, 25, ((2, "b"), 15, 1), ((3, "c"), 22, 1))
    assert early.next_time == 15
    assert late.next_time == 22


def test_the_tail_closes_with_the_last_reader() -> None:
    reading, reader = started()
    reading.inputs.detach(reader)
    reading.inputs.settle(0)
    assert reading.tails()[-1].collections == {}


def test_a_reader_that_goes_stops_its_snapshot() -> None:
    reading = Reading()
    reader = reading.inputs.attach(table(), 10)
    number = reading.snapshots()[-1].snapshot
    reading.inputs.detach(reader)
    assert reading.requests[-1] == CancelSnapshot(snapshot=number)
    assert not reading.inputs.owns(number)


def test_a_snapshot_that_fails_in_passing_is_read_again_from_its_first_row() -> None:
    reading = Reading()
    reader = reading.inputs.attach(table(), 10)
    number = reading.snapshots()[-1].snapshot
    reading.inputs.snapshot_part(
        SnapshotPart(snapshot=number, delta=delta(((1, "a"), 10, 1)), rows_total=2, last=False)
    )
    failed = SnapshotFailed(snapshot=number, error=Unavailable("away"))
    assert reading.inputs.snapshot_failed(failed, 100) is None
    assert reading.inputs.settle(100) == 100 + SNAPSHOT_RETRY_MS
    assert reading.inputs.settle(100 + SNAPSHOT_RETRY_MS) is None
    assert len(reading.snapshots()) == 2
    reading.answer(((1, "a"), 10, 1), ((2, "b"), 10, 1))
    assert sum(part.row_count for part in reader.take_content(10)) == 2


def test_a_snapshot_whose_time_is_gone_needs_new_commands() -> None:
    reading = Reading()
    reading.inputs.attach(table(), 10)
    error = SinceViolation("gone")
    failed = SnapshotFailed(snapshot=reading.snapshots()[-1].snapshot, error=error)
    assert reading.inputs.snapshot_failed(failed, 0) is error


def test_a_delta_of_another_schema_is_refused() -> None:
    reading, _ = started()
    with pytest.raises(SchemaMismatch):
        reading.inputs.tail_received(
            TailReceived(
                tail=reading.tails()[-1].tail,
                lower=at(11),
                upper=at(12),
                deltas={TABLE: EncodedDelta(rows=(b"junk",))},
            )
        )
