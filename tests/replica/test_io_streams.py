"""Streams: what is sent leaves in order; an end comes after it; a slow reader is ended."""

from __future__ import annotations

import asyncio

from antiphon.protocol.errors import EpochFenced, LimitExceeded, Unavailable
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.limits import RESPONSE_QUEUE_MAX
from antiphon.protocol.response import Dropped
from antiphon.replica.io.streams import Streams
from tests.replica.scripted import connection

DROPPED = Dropped(collection=CollectionId(1))


async def test_what_waits_leaves_together_and_before_the_end() -> None:
    streams = Streams()
    stream = streams.open()
    streams.send(stream.number, connection(1), (DROPPED,))
    streams.send(stream.number, connection(1), (DROPPED, DROPPED))
    streams.end(stream.number, EpochFenced("over"))
    streams.send(stream.number, connection(1), (DROPPED,))
    outgoing = await stream.next()
    assert [len(responses) for _, responses in outgoing] == [1, 2]
    assert await stream.next() == []
    assert isinstance(stream.error, EpochFenced)


async def test_an_idle_stream_waits_until_there_is_something() -> None:
    streams = Streams()
    stream = streams.open()
    waiting = asyncio.ensure_future(stream.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    streams.send(stream.number, connection(1), (DROPPED,))
    assert await waiting == [(connection(1), (DROPPED,))]


async def test_a_stream_whose_controller_has_closed_its_side_ends_without_error() -> None:
    stream = Streams().open()
    stream.finish()
    assert await stream.next() == []
    assert stream.error is None


async def test_a_controller_that_does_not_read_is_ended() -> None:
    streams = Streams()
    stream = streams.open()
    for _ in range(RESPONSE_QUEUE_MAX + 1):
        streams.send(stream.number, connection(1), (DROPPED,))
    assert isinstance(stream.error, LimitExceeded)


async def test_all_streams_end_together() -> None:
    streams = Streams()
    one, other = streams.open(), streams.open()
    streams.end_all(Unavailable("away"))
    assert one.error is not None
    assert other.error is not None
    streams.forget(one)
    assert not streams.is_empty
    streams.forget(other)
    assert streams.is_empty
    streams.send(one.number, connection(1), (DROPPED,))
