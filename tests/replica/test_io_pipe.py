"""The pipe between front and worker: what goes in comes out, however it is cut."""

from __future__ import annotations

import pickle
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol import errors
from antiphon.protocol.errors import ComputeError
from antiphon.protocol.facts import DataflowFacts
from antiphon.protocol.failure import ERRORS
from antiphon.protocol.frontier import CLOSED
from antiphon.protocol.ids import CollectionId, Position
from antiphon.protocol.response import Dropped, HydrationProgress
from antiphon.replica.io.pipe import Decoder, FromWorker, ToWorker, encode
from antiphon.replica.ports import (
    AbandonFile,
    CommandsReceived,
    Disconnected,
    DropStash,
    EndSession,
    SnapshotFailed,
    TailReceived,
    WorkerProgress,
    WorkerReady,
)
from tests.replica.scripted import at, complete, connection, delta, index, peek_id, sent

FACTS = DataflowFacts(
    exports=(CollectionId(7),), fingerprint=b"f", since=at(1), upper=at(2), hydrated=True
)
MESSAGES = [
    ToWorker((Disconnected(connection_id=connection(1)),)),
    ToWorker(
        (
            CommandsReceived(connection_id=connection(1), commands=(sent(index(7), 1), complete())),
            TailReceived(
                tail=3, lower=at(1), upper=at(2), deltas={CollectionId(1): delta(((1, "a"), 1, 1))}
            ),
        )
    ),
    FromWorker(handled=7, ready=(WorkerReady(busy=True),)),
    FromWorker(
        handled=8,
        ready=(
            WorkerReady(
                requests=(DropStash(peek_id=peek_id(1)),),
                files=(AbandonFile(file=4),),
                responses=(Dropped(collection=CollectionId(7)),),
                connection_id=connection(1),
                progress=WorkerProgress(
                    applied_position=Position(3),
                    dataflows=(FACTS, replace(FACTS, upper=CLOSED, content_digest=b"d")),
                    hydration=(
                        HydrationProgress(
                            collection=CollectionId(7),
                            rows_done=1,
                            rows_total=2,
                            rows_received=3,
                            elapsed_ms=4,
                            peer_failed="unix:/p",
                            peer_failure="gone",
                        ),
                    ),
                ),
                wake_at_ms=5,
            ),
        ),
    ),
]


@given(st.lists(st.integers(1, 400), min_size=1))
def test_messages_survive_any_cut_of_the_stream(sizes: list[int]) -> None:
    stream = b"".join(encode(message) for message in MESSAGES)
    decoder = Decoder()
    found = []
    start, turn = 0, 0
    while start < len(stream):
        stop = start + sizes[turn % len(sizes)]
        found += decoder.feed(stream[start:stop])
        start, turn = stop, turn + 1
    assert found == MESSAGES


def test_every_error_crosses_the_pipe_whole() -> None:
    for kind in ERRORS.values():
        error = kind("what happened", where="here", count=3)
        copy = pickle.loads(pickle.dumps(SnapshotFailed(snapshot=1, error=error))).error
        assert type(copy) is kind
        assert isinstance(copy, ComputeError)
        assert (copy.message, copy.details) == (error.message, error.details)
    ended = EndSession(connection_id=connection(1), error=errors.RemoteProtocolError("why"))
    assert str(pickle.loads(pickle.dumps(ended)).error) == "why"
