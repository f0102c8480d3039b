"""What only passes through a front: peeks, unopened, in the bytes that they came in."""

from __future__ import annotations

import pytest

from antiphon.protocol.command import Peek, Schedule, Sent
from antiphon.protocol.errors import LocalProtocolError, RemoteProtocolError
from antiphon.protocol.ids import NO_POSITION, CollectionId
from antiphon.protocol.response import PeekResponse, PeekRows
from antiphon.replica.front import Front
from antiphon.replica.ports import CommandsReceived, WorkerReady
from tests.replica.scripted import (
    INCARNATION,
    REPLICA,
    complete,
    connection,
    create_instance,
    hello,
    peek_id,
    sent,
)


def greeted() -> Front:
    front = Front(replica=REPLICA, incarnation=INCARNATION, fence=None)
    front.opened(1, 0)
    return front


def connected() -> Front:
    front = greeted()
    assert not front.received(1, (hello(), create_instance(), complete()), 0).ends
    return front


def never() -> Peek:
    raise AssertionError("the front opened a peek")


def closed(number: int) -> Sent:
    return Sent.closed(NO_POSITION, peek_id(number), never)


def test_peeks_go_to_the_worker_unopened_in_the_bytes_that_they_came_in() -> None:
    front = connected()
    (received,) = front.received(1, (closed(1), closed(2)), 0, b"as they came").events
    assert isinstance(received, CommandsReceived)
    assert [sent.peek_id for sent in received.commands] == [peek_id(1), peek_id(2)]
    assert received.encoded == b"as they came"
    # It knows them by their ids all the same: each is answered once.
    answer = PeekResponse(peek_id=peek_id(1), result=PeekRows(batches=(), row_count=0))
    ready = WorkerReady(responses=(answer,), connection_id=connection(1))
    assert front.worker_ready(ready, 0).sends == [(1, connection(1), (answer,))]
    with pytest.raises(LocalProtocolError, match="no peek"):
        front.worker_ready(ready, 0)


@pytest.mark.parametrize(
    "stranger", [closed(1), sent(Schedule(collection=CollectionId(9)))], ids=["twice", "unknown"]
)
def test_bytes_with_an_illegal_command_in_them_never_reach_the_worker(stranger: Sent) -> None:
    front = connected()
    ready = front.received(1, (closed(1), stranger, closed(2)), 0, b"as they came")
    assert [type(error) for _, error in ready.ends] == [RemoteProtocolError]
    received = ready.events[0]
    assert isinstance(received, CommandsReceived)
    assert [sent.peek_id for sent in received.commands] == [peek_id(1)]
    assert received.encoded == b""


def test_bytes_with_a_hello_in_them_never_reach_the_worker() -> None:
    front = greeted()
    ready = front.received(1, (hello(), create_instance()), 0, b"as they came")
    received = ready.events[-1]
    assert isinstance(received, CommandsReceived)
    assert received.encoded == b""
