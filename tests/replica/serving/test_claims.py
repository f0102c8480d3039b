"""What a replica says of itself is what took effect: no more, and no less."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.history.digest import EMPTY_DIGEST
from antiphon.protocol.command import (
    AcceptRebuild,
    AllowCompaction,
    AllowWrites,
    CommandSet,
    Hello,
    StartRebuild,
    SyncDecision,
)
from antiphon.protocol.errors import RemoteProtocolError
from antiphon.protocol.facts import DataflowFacts
from antiphon.protocol.frontier import CLOSED
from antiphon.protocol.ids import CollectionId, Position, SessionId
from antiphon.replica.ports import WorkerProgress
from antiphon.replica.reporting.news import Told
from antiphon.replica.serving.claims import Claims
from tests.replica.scripted import at, complete, connection, hello, index, sent

A, B = CollectionId(7), CollectionId(8)


def full(number: int = 1) -> Hello:
    command = hello(connection_id=number, session=number).command
    assert isinstance(command, Hello)
    return command


def suffix(number: int, position: int) -> Hello:
    command = hello(
        connection_id=number,
        session=number,
        position=position,
        decision=SyncDecision.CATCH_UP,
        command_set=CommandSet.SUFFIX,
    ).command
    assert isinstance(command, Hello)
    return command


def with_one() -> Claims:
    """A full set with A, at position 4."""
    claims = Claims()
    claims.begin(full())
    claims.note(sent(index(A), 3), initialized=False)
    claims.note(complete(4), initialized=False)
    return claims


def told(*progress: WorkerProgress) -> Told:
    together = Told()
    for each in progress:
        together.take(each)
    return together


def exports(claims: Claims, *progress: WorkerProgress) -> list[CollectionId]:
    return [facts.exports[0] for facts in claims.dataflows(told(*progress))]


def test_64_half_of_an_initialization_never_happened() -> None:
    claims = with_one()
    digest = claims.digest
    claims.begin(full(2))
    claims.note(sent(index(B), 5), initialized=False)
    claims.begin(suffix(3, 4))
    claims.note(sent(index(B), 5), initialized=False)
    assert (claims.position, claims.digest, exports(claims)) == (4, digest, [A])


def test_a_suffix_counts_with_its_end_if_it_leads_to_the_digest() -> None:
    told = with_one()
    told.note(sent(index(B), 5), initialized=True)
    claims = with_one()
    claims.begin(suffix(2, 4))
    claims.note(sent(index(B), 5), initialized=False)
    claims.note(complete(5, told.digest), initialized=False)
    assert (claims.position, claims.digest) == (5, told.digest)
    assert exports(claims) == [A, B]


def test_a_suffix_that_leads_elsewhere_is_refused_and_changes_nothing() -> None:
    claims = with_one()
    claims.begin(suffix(2, 4))
    claims.note(sent(index(B), 5), initialized=False)
    with pytest.raises(RemoteProtocolError, match="does not lead to the digest"):
        claims.note(complete(5, b"x" * 32), initialized=False)
    assert (claims.position, exports(claims)) == (4, [A])


def test_what_is_dropped_is_claimed_no_more() -> None:
    claims = with_one()
    claims.note(sent(AllowCompaction(collection=A, frontier=CLOSED), 5), initialized=True)
    assert (claims.position, exports(claims)) == (5, [])


def test_the_worker_tells_how_far_a_dataflow_is_and_leaves_out_what_is_of_no_use() -> None:
    claims = with_one()
    claims.note(sent(index(B), 5), initialized=True)
    (fresh, _) = claims.dataflows(told())
    assert (fresh.since, fresh.upper, fresh.hydrated) == (at(10), at(10), False)
    further = DataflowFacts(
        exports=(A,), fingerprint=fresh.fingerprint, since=at(12), upper=at(30), hydrated=True
    )
    progress = WorkerProgress(
        applied_position=Position(4), dataflows=(further,), full_set=connection(1)
    )
    assert claims.dataflows(told(progress))[0] == further
    assert exports(claims, progress) == [A, B], "the worker has not come to B yet"
    later = replace(progress, dataflows=(replace(further, upper=at(31)),))
    assert claims.dataflows(told(progress, later))[0].upper == at(31), "what changed since"
    silent = replace(progress, dataflows=())
    assert claims.dataflows(told(progress, later, silent))[0].upper == at(31), "nothing changed"
    useless = replace(silent, gone=((A,),))
    assert exports(claims, progress, useless) == [B]
    again = replace(progress, gone=((A,),))
    assert exports(claims, progress, again) == [A, B], "one is gone, another of the key is here"
    spoiled = replace(silent, spoiled=True)
    assert exports(claims, progress, spoiled) == [B]
    assert exports(claims, progress, spoiled, silent) == [A, B], "its facts were told before"
    of_an_earlier_set = WorkerProgress(
        applied_position=Position(9), dataflows=(further,), full_set=connection(9)
    )
    assert claims.dataflows(told(of_an_earlier_set))[0] == fresh


def test_void_claims_stay_void_until_a_full_set() -> None:
    claims = with_one()
    claims.void()
    claims.note(sent(index(B), 5), initialized=True)
    assert (claims.history_id, claims.position, claims.digest) == (None, 0, EMPTY_DIGEST)
    claims.begin(full(2))
    claims.note(sent(index(B), 5), initialized=False)
    claims.note(complete(5), initialized=False)
    assert (claims.position, exports(claims)) == (5, [B])


def test_what_a_session_builds_anew_is_unaccepted_until_writes_are_allowed() -> None:
    claims = with_one()
    assert claims.unaccepted
    claims.begin(suffix(2, 4))
    claims.note(sent(index(B), 5), initialized=False)
    assert claims.unaccepted, "another connection is no acceptance"
    claims.note(sent(AllowWrites()), initialized=True)
    assert not claims.unaccepted
    claims.begin(suffix(3, 4))
    assert not claims.unaccepted, "it keeps what was accepted"
    claims.begin(full(4))
    assert not claims.unaccepted, "nothing of it has taken effect"
    claims.note(sent(index(A), 3), initialized=False)
    claims.note(complete(4), initialized=False)
    assert claims.unaccepted


def test_who_holds_nothing_has_nothing_to_be_accepted() -> None:
    claims = Claims()
    claims.begin(full())
    claims.note(complete(0), initialized=False)
    assert not claims.unaccepted


def test_what_is_to_be_rebuilt_is_unaccepted_until_that_counts() -> None:
    claims = with_one()
    claims.note(sent(AllowWrites()), initialized=True)
    start = StartRebuild(
        session_id=SessionId(9), collections=(A,), base_time=5, target_time=5, deadline_ms=0
    )
    claims.note(sent(start), initialized=True)
    assert claims.unaccepted
    claims.note(sent(AcceptRebuild(session_id=SessionId(9))), initialized=True)
    assert not claims.unaccepted
