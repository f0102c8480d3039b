"""Subscriptions across connections: no gap, no repeat, whatever the server sends again."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.client.subscription import Change, ChangeBatch, Subscription
from antiphon.protocol.errors import RemoteProtocolError
from antiphon.protocol.frontier import CLOSED, START, Frontier

SCHEMA = pa.schema(
    [
        pa.field("k", pa.int64()),
        pa.field("antiphon_time", pa.uint64(), nullable=False),
        pa.field("antiphon_diff", pa.int64(), nullable=False),
    ]
)


def updates(*changes: tuple[int, int, int]) -> list[pa.RecordBatch]:
    rows = [dict(zip(SCHEMA.names, change, strict=True)) for change in changes]
    return [pa.RecordBatch.from_pylist(rows, SCHEMA)]


def machine(**arguments: object) -> Subscription:
    subscription = Subscription(**arguments)  # type: ignore[arg-type]
    subscription.announce(SCHEMA)
    return subscription


def receive(
    subscription: Subscription, lower: int, upper: int, *changes: tuple[int, int, int]
) -> ChangeBatch | None:
    return subscription.receive(Frontier(lower), Frontier(upper), updates(*changes))


def test_the_first_interval_is_the_snapshot_and_the_next_are_changes() -> None:
    subscription = machine()
    first = receive(subscription, 0, 8, (1, 7, 2))
    assert first is not None
    assert first.is_snapshot
    assert list(first) == [Change((1,), 7, 2)]
    second = receive(subscription, 8, 9, (1, 8, -1))
    assert second is not None
    assert not second.is_snapshot
    assert (second.lower, second.upper) == (Frontier(8), Frontier(9))


def test_what_was_delivered_before_is_dropped_and_an_overlap_is_trimmed() -> None:
    subscription = machine()
    receive(subscription, 0, 10)
    assert receive(subscription, 5, 10, (1, 6, 1)) is None
    batch = receive(subscription, 8, 12, (1, 9, 1), (2, 10, 1), (3, 11, 1))
    assert batch is not None
    assert [change.row[0] for change in batch] == [2, 3]
    assert batch.lower == Frontier(10)


def test_a_gap_is_an_error_and_changes_nothing() -> None:
    subscription = machine(delivered=Frontier(10))
    with pytest.raises(RemoteProtocolError, match="gap"):
        receive(subscription, 11, 12)
    assert subscription.delivered == Frontier(10)
    assert receive(subscription, 10, 12, (1, 10, 1)) is not None


def test_parts_of_an_interval_are_delivered_together_once_it_is_complete() -> None:
    subscription = machine()
    assert receive(subscription, 0, 0, (1, 3, 1)) is None
    assert receive(subscription, 0, 0, (2, 3, 1)) is None
    batch = receive(subscription, 0, 4, (3, 3, 1))
    assert batch is not None
    assert [change.row[0] for change in batch] == [1, 2, 3]


def test_parts_that_a_lost_connection_cut_off_are_forgotten() -> None:
    subscription = machine()
    receive(subscription, 0, 0, (1, 3, 1))
    subscription.reconnected()
    batch = receive(subscription, 0, 4, (1, 3, 1))
    assert batch is not None
    assert len(batch) == 1


def test_a_resumed_subscription_has_no_snapshot() -> None:
    subscription = machine(delivered=Frontier(5))
    batch = receive(subscription, 5, 6, (1, 5, 1))
    assert batch is not None
    assert not batch.is_snapshot


def test_a_closed_frontier_finishes_it() -> None:
    subscription = machine()
    receive(subscription, 0, 3)
    assert not subscription.is_finished
    batch = subscription.receive(Frontier(3), CLOSED, updates((1, 3, -1)))
    assert batch is not None
    assert len(batch) == 1
    assert subscription.is_finished
    assert subscription.receive(START, CLOSED, updates((1, 3, -1))) is None


def test_the_columns_may_not_change_and_must_come_first() -> None:
    subscription = machine()
    with pytest.raises(RemoteProtocolError, match="columns changed"):
        subscription.announce(SCHEMA.remove(0))
    with pytest.raises(RemoteProtocolError, match="schema"):
        Subscription().receive(START, Frontier(1), [])


def test_an_interval_that_ends_before_it_begins_is_an_error() -> None:
    with pytest.raises(RemoteProtocolError, match="interval"):
        receive(machine(), 5, 4)


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.booleans()), max_size=20),
)
def test_whatever_is_resent_every_change_arrives_exactly_once(
    widths: list[int], resends: list[tuple[int, int, bool]]
) -> None:
    """One change (time as key) at every time; the server starts again anywhere it may."""
    edges = [0]
    for width in widths:
        edges.append(edges[-1] + width)
    end = edges[-1]
    subscription = machine(with_snapshot=False)
    got: list[int] = []

    def serve(lower: int, upper: int) -> None:
        batch = receive(subscription, lower, upper, *((t, t, 1) for t in range(lower, upper)))
        if batch is not None:
            got.extend(change.row[0] for change in batch)

    for back, ahead, cut in resends:
        reached = subscription.delivered.time if subscription.delivered is not None else 0
        assert reached is not None
        lower = max(reached - back, 0)
        serve(lower, min(lower + ahead, end))
        if cut:
            subscription.reconnected()
    for lower, upper in itertools.pairwise(edges):
        serve(lower, upper)
    assert got == list(range(end))
