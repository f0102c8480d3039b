"""A transcript finds what was said about a peek, a collection, a subscribe."""

from __future__ import annotations

from antiphon.proof.conformance.transcript import Garbled, Heard, Said, Transcript
from antiphon.protocol.command import Sent
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import NO_POSITION, CollectionId, ConnectionId, PeekId
from antiphon.protocol.response import (
    CopyToDropped,
    CopyToResponse,
    Dropped,
    Frontiers,
    PeekCanceled,
    PeekResponse,
    Response,
    Status,
    SubscribeBatch,
    SubscribeDropped,
    SubscribeResponse,
)
from antiphon.protocol.stage import Stage
from tests.proof.conformance.scripts import CONNECTION, HELLO

X = CollectionId(7)
PEEK = PeekId(bytes(16))


def heard(*responses: Response) -> Transcript:
    return Transcript([Heard(connection_id=CONNECTION, response=one) for one in responses])


def test_the_connection_id_is_what_hello_said() -> None:
    transcript = Transcript([Garbled("noise")])
    assert transcript.connection_id is None
    transcript.entries.append(Said(Sent(NO_POSITION, HELLO)))
    assert transcript.connection_id == CONNECTION
    assert transcript.connection_id != ConnectionId(bytes(16))


def test_frontiers_keep_what_a_later_report_does_not_say() -> None:
    transcript = heard(
        Frontiers(collection=X, write_frontier=Frontier(5), output_frontier=Frontier(5)),
        Frontiers(collection=X, output_frontier=Frontier(9)),
    )
    assert transcript.reached(X) == Frontier(9)
    assert transcript.reached(X, "write") == Frontier(5)
    assert transcript.reached(X, "input") is None
    assert transcript.reached(CollectionId(8)) is None


def test_answers_are_found_by_their_peek() -> None:
    transcript = heard(PeekResponse(peek_id=PEEK, result=PeekCanceled()))
    assert transcript.answers(PEEK) == [PeekCanceled()]
    assert transcript.answers(PeekId(b"x" * 16)) == []


def test_what_is_about_a_collection_is_found_whatever_it_is() -> None:
    batch = SubscribeBatch(lower=START, upper=Frontier(11))
    end = SubscribeDropped(at=Frontier(11))
    transcript = heard(
        SubscribeResponse(collection=X, result=batch),
        SubscribeResponse(collection=X, result=end),
        CopyToResponse(collection=X, result=CopyToDropped()),
        Dropped(collection=X),
        Dropped(collection=CollectionId(8)),
        Status(stage=Stage.READ_ONLY, applied_position=NO_POSITION, durable_position=NO_POSITION),
    )
    assert transcript.subscribed(X) == [batch, end]
    assert transcript.batches(X) == [batch]
    assert transcript.copied(X) == [CopyToDropped()]
    assert transcript.drops(X) == 1
    assert len(transcript.about(X)) == 4
    assert len(transcript.statuses()) == 1
