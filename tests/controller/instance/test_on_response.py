"""Reports: forward only, of this connection only, and never about what was not installed."""

from __future__ import annotations

import pytest

from antiphon.controller.instance.event import ResponsesReceived
from antiphon.controller.instance.ready import CloseSession
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId, ConnectionId, Position, ReplicaId, SessionId
from antiphon.protocol.response import (
    Draining,
    Dropped,
    Frontiers,
    RebuildCompleted,
    RebuildResult,
    Response,
    Status,
)
from antiphon.protocol.stage import Stage
from tests.controller.instance.machine import Machine, index, view

A, M = CollectionId(10), CollectionId(11)
R1 = ReplicaId("r1")


@pytest.fixture
def machine() -> Machine:
    machine = Machine()
    machine.install(index(A))
    machine.connect("r1")
    return machine


def test_the_furthest_replica_moves_the_collection(machine: Machine) -> None:
    machine.connect("r2")
    machine.report("r1", A, 120)
    machine.report("r2", A, 110)
    assert machine.collection(A).write_frontier == Frontier(120)


@pytest.mark.parametrize(
    "response",
    [
        Frontiers(collection=CollectionId(99), write_frontier=Frontier(150)),
        Frontiers(collection=A, write_frontier=Frontier(50), output_frontier=Frontier(50)),
        Dropped(collection=A),
        Dropped(collection=CollectionId(99)),
    ],
)
def test_what_makes_no_sense_is_ignored(machine: Machine, response: Response) -> None:
    """Number 73."""
    machine.report("r1", A, 120)
    before = repr(machine.state.replicas[R1].installed)
    machine.respond("r1", response, legal=False)
    assert repr(machine.state.replicas[R1].installed) == before


def test_another_connections_reports_are_ignored(machine: Machine) -> None:
    """Number 73: other epochs and connections."""
    machine.step(
        ResponsesReceived(
            replica=R1,
            connection_id=ConnectionId(b"x" * 16),
            responses=(Frontiers(collection=A, write_frontier=Frontier(150)),),
        )
    )
    assert machine.collection(A).write_frontier == Frontier(99)


def test_kinds_that_are_absent_are_unchanged(machine: Machine) -> None:
    machine.report("r1", A, 120)
    machine.report("r1", A, output=130)
    installed = machine.state.replicas[R1].installed[A]
    assert installed.write_frontier == Frontier(120)
    assert installed.output_frontier == Frontier(130)


def test_a_closed_input_holds_nothing(machine: Machine) -> None:
    machine.respond("r1", Frontiers(collection=A, input_frontier=CLOSED))
    machine.tick(500)
    machine.report("r1", A, output=500)
    machine.respond("r1", Frontiers(collection=A, write_frontier=Frontier(500)))
    machine.beat()
    assert machine.since(CollectionId(1)) == 489


def test_a_heartbeat_and_a_drain_are_remembered(machine: Machine) -> None:
    status = Status(
        stage=Stage.READ_ONLY, applied_position=Position(1), durable_position=Position(0)
    )
    machine.respond("r1", status, Draining(reason="an upgrade"))
    replica = machine.state.replicas[R1]
    assert (replica.status, replica.draining) == (status, "an upgrade")


def test_an_answer_to_what_was_never_sent_ends_the_session(machine: Machine) -> None:
    completed = RebuildCompleted(achieved_time=1, digest=b"")
    answer = RebuildResult(session_id=SessionId(1), result=completed)
    machine.respond("r1", answer, legal=False)
    assert any(isinstance(send, CloseSession) for send in machine.others)


def test_a_finished_index_stays_readable_everywhere() -> None:
    """An index that depends on nothing closes; its since still follows the clock of the data."""
    machine = Machine()
    machine.install(view(M))
    machine.connect("r1")
    machine.respond(
        "r1",
        Frontiers(
            collection=M, write_frontier=CLOSED, input_frontier=CLOSED, output_frontier=CLOSED
        ),
    )
    machine.tick(500)
    machine.beat()
    assert machine.since(M) == 99, "its shard was not written yet"
