"""Every rule is broken once, and blamed under its number; a good session breaks none."""

from __future__ import annotations

import pytest

from antiphon.proof.conformance.content import Change, delta_of
from antiphon.proof.conformance.dataflows import (
    constant,
    dataflow,
    drop,
    index,
    read,
    subscribe,
    table,
    view,
)
from antiphon.proof.conformance.rules import RULE_NUMBERS, violations
from antiphon.proof.conformance.transcript import Garbled, Heard, Transcript
from antiphon.protocol.command import CancelPeek, Command
from antiphon.protocol.dataflow import CopyToExport
from antiphon.protocol.delta import encode_batch
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import NO_POSITION, CollectionId, ConnectionId, PeekId, transient
from antiphon.protocol.response import (
    RESPONSES,
    CopyToResponse,
    CopyToRows,
    Dropped,
    Frontiers,
    PeekCanceled,
    PeekResponse,
    PeekRows,
    Response,
    Status,
    SubscribeBatch,
    SubscribeDropped,
    SubscribeResponse,
)
from antiphon.protocol.stage import Stage
from tests.proof.conformance.scripts import BEGIN, COMPLETE, CONNECTION, transcript_of

TABLE, X, V, S, C = CollectionId(1), CollectionId(7), CollectionId(8), transient(1), transient(2)
PEEK = PeekId(b"p" * 16)
ROWS = PeekRows(batches=(), row_count=0)
CREATE_X, CREATE_S = index(X, table(TABLE)), subscribe(S, table(TABLE))
CREATE_C = dataflow((), (C, CopyToExport(uri="memory:", format="csv")), plan=constant((1, "a")))
READ = read(PEEK, X, 15)


def reached(time: int | None, collection: CollectionId = X) -> Frontiers:
    frontier = Frontier(time)
    return Frontiers(
        collection=collection,
        write_frontier=frontier,
        input_frontier=frontier,
        output_frontier=frontier,
    )


def covered(lower: int, upper: int | None, *changes: Change) -> SubscribeResponse:
    batches = tuple(encode_batch(batch) for batch in delta_of(changes).rows)
    batch = SubscribeBatch(lower=Frontier(lower), upper=Frontier(upper), batches=batches)
    return SubscribeResponse(collection=S, result=batch)


def ended(at: int) -> SubscribeResponse:
    return SubscribeResponse(collection=S, result=SubscribeDropped(at=Frontier(at)))


def status(stage: Stage) -> Status:
    return Status(stage=stage, applied_position=NO_POSITION, durable_position=NO_POSITION)


def answer(result: PeekRows | PeekCanceled = ROWS, peek_id: PeekId = PEEK) -> PeekResponse:
    return PeekResponse(peek_id=peek_id, result=result)


COPIED = CopyToResponse(collection=C, result=CopyToRows(row_count=1))
GONE = Dropped(collection=X)

GOOD: tuple[Command | Response, ...] = (
    *BEGIN, status(Stage.INITIALIZATION), CREATE_X, CREATE_S, CREATE_C, READ, COMPLETE,
    status(Stage.READ_ONLY), reached(10), reached(20), reached(None), answer(), COPIED,
    covered(0, 11, ((1, "a"), 10, 2)), covered(11, 30, ((1, "a"), 12, -1), ((2, "b"), 12, 1)),
    drop(S), ended(30), Dropped(collection=S), drop(X), GONE,
    READ, CancelPeek(peek_id=PEEK),
)  # fmt: skip


def blamed(*entries: Command | Response) -> list[str]:
    found = violations(transcript_of(*BEGIN, *entries, responses=RESPONSES))
    return [violation.number for violation in found]


def test_a_good_session_breaks_no_rule() -> None:
    assert violations(transcript_of(*GOOD, responses=RESPONSES)) == ()


BROKEN: list[tuple[str, tuple[Command | Response, ...]]] = [
    ("1", (CREATE_X, reached(10))),
    ("10", (CREATE_X, COMPLETE, reached(9))),
    ("11", (CREATE_X, COMPLETE, reached(12), reached(11))),
    ("12", (CREATE_X, COMPLETE, reached(None), reached(None))),
    ("22", (CREATE_X, READ, COMPLETE, answer(), answer())),
    ("22", (CREATE_X, COMPLETE, answer())),
    ("28", (CREATE_X, READ, COMPLETE, answer(PeekCanceled()))),
    ("40", (CREATE_S, COMPLETE, covered(12, 15))),
    ("40", (CREATE_S, COMPLETE, covered(0, 10))),
    ("40", (CREATE_S, COMPLETE, covered(0, 11), covered(12, 13))),
    ("40", (CREATE_S, COMPLETE, covered(0, 11), covered(11, 11))),
    ("40", (CREATE_S, COMPLETE, covered(0, 11, ((1, "a"), 9, 1)))),
    ("40", (CREATE_S, COMPLETE, covered(0, 11, ((1, "a"), 11, 1)))),
    ("40", (CREATE_S, COMPLETE, covered(0, 11, ((1, "a"), 10, 1), ((1, "a"), 10, 1)))),
    ("40", (CREATE_S, COMPLETE, covered(0, 20, ((1, "a"), 12, 1), ((2, "b"), 11, 1)))),
    ("40", (CREATE_X, COMPLETE, SubscribeResponse(
        collection=X, result=SubscribeBatch(lower=START, upper=Frontier(11))))),
    ("41", (CREATE_S, COMPLETE, covered(0, 11), drop(S), ended(10))),
    ("41", (CREATE_S, COMPLETE, covered(0, 11), ended(11))),
    ("42", (CREATE_S, COMPLETE, covered(0, None), drop(S), ended(11))),
    ("42", (CREATE_S, COMPLETE, drop(S), ended(0), covered(0, 11))),
    ("49", (CREATE_C, COMPLETE, COPIED, COPIED)),
    ("49", (CREATE_X, COMPLETE, CopyToResponse(collection=X, result=CopyToRows(row_count=1)))),
    ("D1", (COMPLETE, reached(10))),
    ("D1", (CREATE_X, COMPLETE, GONE)),
    ("D1", (CREATE_X, COMPLETE, drop(X), GONE, GONE)),
    ("D1", (CREATE_X, COMPLETE, drop(X), GONE, reached(None))),
    ("D2", (status(Stage.READ_ONLY),)),
]  # fmt: skip


@pytest.mark.parametrize(("number", "entries"), BROKEN)
def test_a_broken_rule_is_blamed(number: str, entries: tuple[Command | Response, ...]) -> None:
    assert set(blamed(*entries)) == {number}


def test_another_connection_and_noise_are_blamed() -> None:
    transcript = transcript_of(*BEGIN, responses=RESPONSES)
    other = ConnectionId(bytes(16))
    transcript.entries += [
        Garbled("half a message"),
        Heard(connection_id=other, response=status(Stage.INITIALIZATION)),
        Heard(connection_id=CONNECTION, response=status(Stage.INITIALIZATION)),
    ]
    assert [violation.number for violation in violations(transcript)] == ["D3", "D3"]


def test_every_rule_is_broken_above() -> None:
    assert {number for number, _ in BROKEN} | {"D3"} == set(RULE_NUMBERS)


def test_a_shard_may_stand_before_as_of() -> None:
    told = Frontiers(
        collection=V,
        write_frontier=START,
        input_frontier=Frontier(10),
        output_frontier=Frontier(10),
    )
    assert blamed(view(V, table(TABLE)), COMPLETE, told) == []


def test_updates_that_cannot_be_read_are_blamed() -> None:
    batch = SubscribeBatch(lower=START, upper=Frontier(11), batches=(b"noise",))
    response = SubscribeResponse(collection=S, result=batch)
    assert blamed(CREATE_S, COMPLETE, response) == ["40"]


def test_what_a_suffix_extends_is_known() -> None:
    transcript = transcript_of(*BEGIN, COMPLETE, reached(12), reached(None), responses=RESPONSES)
    assert [violation.number for violation in violations(transcript)] == ["D1", "D1"]
    adopted = Transcript(transcript.entries, adopted=frozenset({X}))
    assert violations(adopted) == ()


def test_a_closed_frontier_is_the_largest() -> None:
    assert set(blamed(CREATE_X, COMPLETE, reached(None), reached(20))) == {"11"}
