"""Links: they connect, notice silence, come back, and never shout at who falls over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from antiphon.controller.instance.event import LinkLost, ResponsesReceived
from antiphon.controller.io import link as module
from antiphon.controller.io.link import Links
from antiphon.controller.request import DriverEvent, ReplicaReached, ResultFetched
from antiphon.protocol.command import (
    CancelPeek,
    CommandSet,
    CreateInstance,
    Hello,
    Schedule,
    Sent,
    SyncDecision,
)
from antiphon.protocol.errors import OutcomeUnknown
from antiphon.protocol.ids import (
    NO_POSITION,
    ClaimId,
    CollectionId,
    ConnectionId,
    Epoch,
    HistoryId,
    InstanceId,
    PeekId,
    Position,
    ReplicaId,
    SessionId,
)
from antiphon.protocol.limits import BATCH_MESSAGES_MAX, RECONNECT_BACKOFF_MIN_MS
from antiphon.protocol.response import Draining
from tests.controller.io.compute_server import ENDLESS, ScriptedReplica
from tests.controller.io.serving import PATIENCE_S, until

R1 = ReplicaId("r1")


def live(number: int) -> Sent:
    return Sent(NO_POSITION, Schedule(collection=CollectionId(number)))


class Post:
    """What the links told; opens a session for every probe, unless told not to."""

    def __init__(self) -> None:
        self.events: list[DriverEvent] = []
        self.links = Links(self)
        self.refusal: str | None = None
        self._connections = 0

    def __call__(self, event: DriverEvent) -> None:
        self.events.append(event)
        if not isinstance(event, ReplicaReached):
            return
        if self.refusal is not None:
            self.links.close(event.replica, self.refusal)
            return
        self._connections += 1
        hello = Hello(
            epoch=Epoch(1),
            claim_id=ClaimId(b"c" * 16),
            connection_id=ConnectionId(self._connections.to_bytes(16, "big")),
            protocol_version=1,
            instance_id=InstanceId(7),
            history_id=HistoryId(b"h" * 16),
            replica=event.replica,
            decision=SyncDecision.REBUILD,
            command_set=CommandSet.FULL,
            session_id=SessionId(self._connections),
            expected_incarnation=event.facts.incarnation,
            expected_position=Position(0),
        )
        create = CreateInstance(instance_id=InstanceId(7), name="test")
        self.links.open(event.replica, (Sent(NO_POSITION, hello), Sent(NO_POSITION, create)))

    def of(self, kind: type[DriverEvent]) -> list[DriverEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    def lost(self) -> list[str]:
        return [event.reason for event in self.events if isinstance(event, LinkLost)]


@pytest.fixture
async def replica(tmp_path: Path) -> AsyncIterator[ScriptedReplica]:
    replica = ScriptedReplica()
    await replica.start(f"unix:{tmp_path}/socket")
    yield replica
    await replica.stop()


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    post = Post()
    yield post
    await post.links.stop()


async def connect(post: Post, replica: ScriptedReplica) -> None:
    post.links.connect(R1, replica.address)
    await until(lambda: len(replica.heard) >= 2, "a session")


async def test_a_probe_then_a_session_that_begins_with_hello(
    post: Post, replica: ScriptedReplica
) -> None:
    await connect(post, replica)
    assert [type(command) for command in replica.heard] == [Hello, CreateInstance]
    assert post.links.phase(R1) == "connected"
    assert replica.batches == 1, "what is ready leaves together"


async def test_what_is_ready_shares_a_batch_and_keeps_its_order(
    post: Post, replica: ScriptedReplica
) -> None:
    await connect(post, replica)
    for number in range(1, 501):
        post.links.send(R1, (live(number),))
    await until(lambda: len(replica.heard) == 502, "all commands")
    told = [c.collection for c in replica.heard if isinstance(c, Schedule)]
    assert told == list(range(1, 501))
    # As few as hold so many, the greeting, and what left while the others still came.
    assert replica.batches <= -(-500 // BATCH_MESSAGES_MAX) + 3


async def test_a_cancellation_leaves_with_what_follows_or_soon_alone(
    post: Post, replica: ScriptedReplica
) -> None:
    await connect(post, replica)
    cancel = Sent(NO_POSITION, CancelPeek(peek_id=PeekId(b"p" * 16)))
    batches = replica.batches
    post.links.send(R1, (cancel,))
    await asyncio.sleep(0)
    post.links.send(R1, (live(1),))
    await until(lambda: len(replica.heard) == 4, "both")
    assert [type(command) for command in replica.heard[2:]] == [CancelPeek, Schedule]
    assert replica.batches == batches + 1
    post.links.send(R1, (cancel,))
    await until(lambda: len(replica.heard) == 5, "the cancellation")
    assert isinstance(replica.heard[-1], CancelPeek)


async def test_responses_come_back_and_those_of_other_connections_do_not(
    post: Post, replica: ScriptedReplica
) -> None:
    await connect(post, replica)
    replica.say(Draining(reason="stale"), connection_id=ConnectionId(b"x" * 16))
    replica.say(Draining(reason="mine"))
    await until(lambda: post.of(ResponsesReceived), "a response")
    (event,) = post.of(ResponsesReceived)
    assert isinstance(event, ResponsesReceived)
    assert event.responses == (Draining(reason="mine"),)


async def test_silence_has_a_deadline(
    post: Post, replica: ScriptedReplica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SILENCE_MS", 200)
    await connect(post, replica)
    await until(post.lost, "the loss")
    assert "silent" in post.lost()[0]


async def test_who_was_stopped_takes_nobody_for_silent(
    post: Post, replica: ScriptedReplica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine that slept: what was said meanwhile is yet to be read."""
    monkeypatch.setattr(module, "HEARTBEAT_SILENCE_MS", 2_000)
    await connect(post, replica)
    time.sleep(2.2)  # all that runs on this loop
    replica.say(Draining(reason="mine"))
    await until(lambda: post.of(ResponsesReceived), "a response")
    assert post.lost() == []


async def test_a_hung_up_session_comes_back_with_another_connection(
    post: Post, replica: ScriptedReplica
) -> None:
    await connect(post, replica)
    first = replica.connection_id
    replica.hang_up()
    await until(lambda: replica.sessions == 2 and len(replica.heard) >= 2, "another session")
    assert replica.connection_id != first
    assert len(post.lost()) == 1


async def test_a_replica_that_dies_after_connecting_is_called_ever_more_rarely(
    post: Post, replica: ScriptedReplica
) -> None:
    """Number 77."""
    with structlog.testing.capture_logs() as logs:
        post.links.connect(R1, replica.address)

        def waits() -> list[dict[str, Any]]:
            replica.hang_up()
            return [entry for entry in logs if entry["event"] == "link.waits"]

        await until(lambda: len(waits()) >= 5, "five waits")
    found = waits()[:5]
    assert [wait["attempt"] for wait in found] == [1, 2, 3, 4, 5], "each may be longer"
    assert min(wait["seconds"] for wait in found) >= RECONNECT_BACKOFF_MIN_MS / 1000


async def test_a_replica_that_is_not_there_is_waited_for(post: Post, tmp_path: Path) -> None:
    post.links.connect(R1, f"unix:{tmp_path}/later")
    await until(post.lost, "a failed probe")
    replica = ScriptedReplica()
    await replica.start(f"unix:{tmp_path}/later")
    await until(lambda: replica.sessions == 1, "a session")
    await replica.stop()


async def test_a_refused_replica_is_probed_again_and_told_nothing(
    post: Post, replica: ScriptedReplica
) -> None:
    post.refusal = "of another instance"
    post.links.connect(R1, replica.address)
    await until(lambda: replica.probes >= 2, "another probe")
    assert replica.sessions == 0


async def test_somebody_else_at_the_address_is_not_our_replica(
    post: Post, replica: ScriptedReplica
) -> None:
    replica.facts = replace(replica.facts, replica=ReplicaId("r2"))
    post.links.connect(R1, replica.address)
    await until(post.lost, "the refusal")
    assert "is replica r2" in post.lost()[0]
    assert replica.sessions == 0


async def test_who_falls_too_far_behind_is_disconnected(
    post: Post, replica: ScriptedReplica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEND_QUEUE_COMMANDS_MAX", 1_000)
    await connect(post, replica)
    post.links.send(R1, tuple(live(number) for number in range(1, 1_100)))
    await until(post.lost, "the loss")
    assert "behind" in post.lost()[0]


async def test_closing_says_why_and_disconnecting_says_nothing(
    post: Post, replica: ScriptedReplica
) -> None:
    await connect(post, replica)
    post.links.close(R1, "it broke the protocol")
    await until(post.lost, "the loss")
    assert post.lost() == ["it broke the protocol"]
    await until(lambda: replica.sessions == 2, "another session")
    post.links.disconnect(R1)
    await asyncio.sleep(0.05)
    assert len(post.lost()) == 1
    assert post.links.phase(R1) == "stopped"


async def test_a_stashed_result_is_fetched_whole_or_not_at_all(
    post: Post, replica: ScriptedReplica
) -> None:
    await connect(post, replica)
    post.links.fetch(R1, PeekId(b"1" * 16), -1)
    post.links.fetch(R1, PeekId(b"0" * 16), -2)
    post.links.fetch(ReplicaId("r9"), PeekId(b"1" * 16), -3)
    await until(lambda: len(post.of(ResultFetched)) == 3, "three answers")
    answers = {e.request: e for e in post.of(ResultFetched) if isinstance(e, ResultFetched)}
    assert answers[-1].batches == (b"\0", b"\1", b"\2")
    assert answers[-2].error is not None
    assert answers[-3].error is not None


async def test_what_is_fetched_when_the_link_ends_has_failed(
    post: Post, replica: ScriptedReplica
) -> None:
    await connect(post, replica)
    post.links.fetch(R1, PeekId(ENDLESS), -1)
    streamed = post.links.stream_result(R1, PeekId(ENDLESS))
    chunks = [(await anext(streamed)).batch for _ in range(3)]
    post.links.close(R1, "it was silent")
    with pytest.raises(OutcomeUnknown, match="replica r1"):
        await asyncio.wait_for(anext(streamed), PATIENCE_S)
    assert chunks == [b"\0", b"\1", b"\2"]
    await until(lambda: post.of(ResultFetched), "an answer")
    (answer,) = post.of(ResultFetched)
    assert isinstance(answer, ResultFetched)
    assert isinstance(answer.error, OutcomeUnknown)


async def test_links_stop_while_digests_are_asked_for(post: Post, replica: ScriptedReplica) -> None:
    await connect(post, replica)
    replica.answers = False
    post.links.ask_digests(R1, (CollectionId(1),), 5)
    await until(lambda: replica.unanswered, "a question")
    await asyncio.wait_for(post.links.stop(), PATIENCE_S)


async def test_a_caller_that_is_canceled_is_canceled(post: Post, replica: ScriptedReplica) -> None:
    await connect(post, replica)
    streamed = post.links.stream_result(R1, PeekId(ENDLESS))

    async def read() -> None:
        async for _ in streamed:
            pass

    reading = asyncio.ensure_future(read())
    await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_stopping_is_quick_whatever_the_replica_does(
    post: Post, replica: ScriptedReplica
) -> None:
    await connect(post, replica)
    replica.reads = False
    await asyncio.wait_for(post.links.stop(), PATIENCE_S)


async def test_what_is_owed_after_the_end_goes_nowhere(
    post: Post, replica: ScriptedReplica
) -> None:
    """A reader that is cut off when the controller stops gives its result back: to nobody."""
    await connect(post, replica)
    await post.links.stop()
    for owed in (
        lambda: post.links.send(R1, (live(1),)),
        lambda: post.links.close(R1, "late"),
        lambda: post.links.disconnect(R1),
        lambda: post.links.connect(R1, "unix:nowhere"),
        lambda: post.links.open(R1, ()),
    ):
        owed()
    await post.links.stop()
