"""Both ends of a session: what is legal passes, what is not changes nothing.

Names that begin with `behaviour` are the numbered behaviours of handshake and stages.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from types import NoneType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.command import (
    COMMANDS,
    AcceptRebuild,
    AllowWrites,
    CancelPeek,
    CancelRebuild,
    Command,
    CommandSet,
    Hello,
    Schedule,
    Sent,
    StartRebuild,
    UpdateConfiguration,
)
from antiphon.protocol.errors import (
    AntiphonError,
    EpochFenced,
    LocalProtocolError,
    RemoteProtocolError,
    VersionMismatch,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.greeting import Incumbent
from antiphon.protocol.ids import ClaimId, Epoch, InstanceId, Position, SessionId
from antiphon.protocol.response import (
    RESPONSES,
    Draining,
    Frontiers,
    PeekResponse,
    PeekRows,
    Status,
)
from antiphon.protocol.session import ControllerSession, ReplicaSession
from antiphon.protocol.stage import Stage
from antiphon.protocol.transitions import may_respond, next_stage
from tests.protocol import strategies
from tests.protocol.scripts import (
    CLAIM,
    CONNECTION,
    FRESH,
    OTHER_CONNECTION,
    PEEK_1,
    SEASONED,
    U1,
    U2,
    complete,
    controller_at,
    create,
    create_instance,
    drop,
    hello,
    live,
    numbered,
    peek,
    replica_at,
)


def status(stage: Stage) -> Status:
    return Status(stage=stage, applied_position=Position(0), durable_position=Position(0))


def state(session: ReplicaSession | ControllerSession) -> tuple[Any, ...]:
    return session.stage, session.position, session.hello, repr(session._exchange.ledger)


LEGAL: dict[type[Command], Sent] = {
    kind: sent
    for kind, sent in zip(
        COMMANDS,
        (
            live(hello()),
            live(create_instance()),
            live(complete()),
            live(AllowWrites()),
            live(
                StartRebuild(
                    session_id=SessionId(1),
                    collections=(),
                    base_time=1,
                    target_time=2,
                    deadline_ms=1,
                )
            ),
            live(CancelRebuild(session_id=SessionId(1), reason="enough")),
            live(AcceptRebuild(session_id=SessionId(1))),
            numbered(1, UpdateConfiguration(values={"a": "1"})),
            numbered(1, create(U1)),
            numbered(1, drop(U1)),
            live(peek()),
            live(CancelPeek(peek_id=PEEK_1)),
            live(Schedule(collection=U1)),
        ),
        strict=True,
    )
}
STAGES = [stage for stage in Stage if stage is not Stage.CLOSED]
# Legal in their stage, but about something that has to be there before.
NEEDS_MORE = {"AllowCompaction", "Schedule", "AcceptRebuild"}


@pytest.mark.parametrize(
    ("stage", "kind"),
    list(itertools.product(STAGES, COMMANDS)),
    ids=lambda value: value.name if isinstance(value, Stage) else value.__name__,
)
def test_both_ends_follow_the_table_and_an_illegal_command_changes_nothing(
    stage: Stage, kind: type[Command]
) -> None:
    replica, controller = replica_at(stage), controller_at(stage)
    assert replica.stage is controller.stage is stage
    expected = next_stage(stage, kind)
    if expected is not None and kind.__name__ not in NEEDS_MORE:
        replica.receive(LEGAL[kind])
        controller.send(LEGAL[kind])
        assert replica.stage is controller.stage is expected
        return
    before = state(replica), state(controller)
    with pytest.raises(RemoteProtocolError):
        replica.receive(LEGAL[kind])
    with pytest.raises(LocalProtocolError):
        controller.send(LEGAL[kind])
    assert (state(replica), state(controller)) == before


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_nothing_is_legal_once_the_stream_has_ended(kind: type[Command]) -> None:
    replica, controller = replica_at(Stage.READ_WRITE), controller_at(Stage.READ_WRITE)
    replica.close()
    controller.close()
    replica.close()
    with pytest.raises(RemoteProtocolError, match="stage CLOSED"):
        replica.receive(LEGAL[kind])
    with pytest.raises(LocalProtocolError, match="stage CLOSED"):
        controller.send(LEGAL[kind])
    with pytest.raises(LocalProtocolError, match="stage CLOSED"):
        replica.send(Draining(reason="over"))


def test_behaviour_1_a_replica_says_nothing_after_hello_and_create_instance_alone() -> None:
    greeted = replica_at(Stage.CREATION)
    for kind, response in itertools.product(RESPONSES, [status(Stage.GREETING)]):
        assert not may_respond(Stage.CREATION, kind)
        with pytest.raises(LocalProtocolError):
            greeted.send(response)
    created = replica_at(Stage.INITIALIZATION)
    with pytest.raises(LocalProtocolError):
        created.send(Frontiers(collection=U1))


def test_behaviour_2_a_first_message_that_is_no_hello_is_refused() -> None:
    for kind in COMMANDS[1:]:
        session = ReplicaSession(FRESH)
        with pytest.raises(RemoteProtocolError, match="in stage GREETING"):
            session.receive(LEGAL[kind])
        assert session.stage is Stage.GREETING
        assert session.hello is None


def test_behaviour_3_a_dataflow_before_create_instance_is_refused_not_run() -> None:
    session = replica_at(Stage.CREATION)
    with pytest.raises(RemoteProtocolError, match="CreateDataflow in stage CREATION"):
        session.receive(numbered(1, create(U1)))
    assert session.position == 0


def test_behaviour_4_what_was_asked_before_initialization_completes_is_answered_after() -> None:
    session = replica_at(Stage.INITIALIZATION)
    session.receive(numbered(1, create(U1)))
    session.receive(live(peek()))
    answer = PeekResponse(peek_id=PEEK_1, result=PeekRows(batches=(), row_count=0))
    with pytest.raises(LocalProtocolError, match="in stage INITIALIZATION"):
        session.send(answer)
    assert session.is_waiting(PEEK_1)
    session.receive(live(complete(1)))
    session.send(answer)
    assert not session.is_waiting(PEEK_1)


def test_behaviour_5_another_version_is_refused_and_changes_nothing() -> None:
    session = ReplicaSession(FRESH)
    with pytest.raises(VersionMismatch) as caught:
        session.receive(live(replace(hello(), protocol_version=9)))
    assert caught.value.details == {"spoken": "1", "asked": "9"}
    assert session.stage is Stage.GREETING


def test_behaviour_6_a_newcomer_is_checked_without_touching_the_incumbent() -> None:
    incumbent = replica_at(Stage.READ_WRITE)
    facts = replace(FRESH, highest_epoch=Epoch(1), session_id=SessionId(1))
    obeyed = Incumbent(epoch=Epoch(1), claim_id=CLAIM, connection_id=CONNECTION)
    stranger = ReplicaSession(facts, obeyed)
    other = replace(hello(facts), claim_id=ClaimId(b"x" * 16), connection_id=OTHER_CONNECTION)
    with pytest.raises(EpochFenced):
        stranger.receive(live(other))
    incumbent.receive(live(peek()))
    newcomer = ReplicaSession(facts, obeyed)
    newcomer.receive(live(replace(hello(facts), connection_id=OTHER_CONNECTION)))
    assert newcomer.connection_id == OTHER_CONNECTION
    assert incumbent.connection_id == CONNECTION


def test_behaviour_7_a_replica_may_say_that_it_is_alive_before_it_is_complete() -> None:
    session, controller = replica_at(Stage.INITIALIZATION), controller_at(Stage.INITIALIZATION)
    session.send(status(Stage.INITIALIZATION))
    assert controller.receive(CONNECTION, status(Stage.INITIALIZATION))


def test_behaviour_8_a_session_has_one_hello_and_one_completion() -> None:
    session = controller_at(Stage.READ_ONLY)
    for again in (hello(), create_instance(), complete()):
        with pytest.raises(LocalProtocolError, match="in stage READ_ONLY"):
            session.send(live(again))


def test_behaviour_9_a_connection_id_is_never_used_twice() -> None:
    facts = replace(FRESH, highest_epoch=Epoch(1), session_id=SessionId(1))
    obeyed = Incumbent(epoch=Epoch(1), claim_id=CLAIM, connection_id=CONNECTION)
    with pytest.raises(RemoteProtocolError, match="is not new"):
        ReplicaSession(facts, obeyed).receive(live(hello(facts)))


def test_create_instance_is_of_the_instance_that_hello_named() -> None:
    session = replica_at(Stage.CREATION)
    with pytest.raises(RemoteProtocolError, match="instance 2 after a Hello of 1"):
        session.receive(live(create_instance(InstanceId(2))))


def test_repeating_allow_writes_changes_nothing() -> None:
    session = replica_at(Stage.READ_WRITE)
    before = state(session)
    session.receive(live(AllowWrites()))
    assert state(session) == before


def test_an_answer_to_another_connection_is_forgotten() -> None:
    session = controller_at(Stage.READ_ONLY)
    assert not session.receive(OTHER_CONNECTION, Frontiers(collection=U1))
    assert not controller_at(Stage.CREATION).receive(OTHER_CONNECTION, status(Stage.READ_WRITE))


def test_a_replica_cannot_be_further_than_it_was_told() -> None:
    session = controller_at(Stage.READ_ONLY)
    with pytest.raises(RemoteProtocolError, match="a status of stage READ_WRITE"):
        session.receive(CONNECTION, status(Stage.READ_WRITE))
    assert session.receive(CONNECTION, status(Stage.INITIALIZATION))


def test_an_illegal_response_changes_nothing_at_either_end() -> None:
    replica, controller = replica_at(Stage.READ_ONLY), controller_at(Stage.READ_ONLY)
    before = state(replica), state(controller)
    unknown = Frontiers(collection=U2, write_frontier=Frontier(1))
    with pytest.raises(LocalProtocolError, match="there is no u2"):
        replica.send(unknown)
    with pytest.raises(RemoteProtocolError, match="there is no u2"):
        controller.receive(CONNECTION, unknown)
    assert (state(replica), state(controller)) == before


def test_facts_and_incumbent_must_speak_of_one_epoch() -> None:
    with pytest.raises(AssertionError, match="facts of epoch 4"):
        ReplicaSession(replace(FRESH, highest_epoch=Epoch(4)))


@settings(max_examples=200)
@given(
    st.lists(strategies.sents, max_size=6),
    st.sampled_from(STAGES),
    st.sampled_from(CommandSet),
)
def test_whatever_one_end_lets_out_the_other_lets_in(
    sents: list[Sent], stage: Stage, command_set: CommandSet
) -> None:
    replica = replica_at(stage, SEASONED, command_set)
    controller = controller_at(stage, SEASONED, command_set)
    # Hello apart, of which the replica knows more than the controller.
    for sent in (sent for sent in sents if not isinstance(sent.command, Hello)):
        before = state(replica), state(controller)
        local, remote = outcome(controller.send, sent), outcome(replica.receive, sent)
        assert str(local) == str(remote)
        assert isinstance(local, LocalProtocolError | NoneType)
        assert isinstance(remote, RemoteProtocolError | NoneType)
        if local is not None:
            assert (state(replica), state(controller)) == before
        assert replica.stage is controller.stage


def outcome(act: Callable[[Sent], None], sent: Sent) -> AntiphonError | None:
    try:
        act(sent)
    except AntiphonError as error:
        return error
    return None
