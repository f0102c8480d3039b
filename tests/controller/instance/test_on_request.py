"""Installing and dropping: durable first, then sent, then forgotten when all have stopped."""

from __future__ import annotations

from antiphon.controller.instance.event import InstallDurable, InstallRefused, InstallRequested
from antiphon.controller.instance.ready import NumberedEntry
from antiphon.controller.ports import ErrorReply
from antiphon.protocol.command import AllowCompaction, CreateDataflow, Schedule
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.errors import CollectionMissing
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId, Position
from tests.controller.instance.machine import Machine, T, index, of_type

A, B = CollectionId(10), CollectionId(11)


def test_nothing_is_sent_before_it_is_durable() -> None:
    machine = Machine()
    machine.connect("r1")
    ready = machine.step(InstallRequested(request=1_000, dataflows=(index(A),)))
    (entry,) = ready.entries
    assert isinstance(entry, NumberedEntry)
    assert isinstance(entry.command, CreateDataflow)
    assert entry.command.dataflow.as_of == Frontier(99), "where strict reads are"
    assert ready.sends == ()
    assert ready.replies == ()
    durable = InstallDurable(
        request=1_000, positions=(Position(1),), head=Position(1), head_digest=b"d" * 32
    )
    machine.step(durable)
    create, schedule = machine.take("r1")
    assert isinstance(create, CreateDataflow)
    assert schedule == Schedule(collection=A)


def test_the_as_of_stays_readable_while_the_statement_is_on_its_way() -> None:
    machine = Machine()
    machine.step(InstallRequested(request=1_000, dataflows=(index(A),)))
    machine.tick(500)
    machine.beat()
    assert machine.since(T) == 99
    machine.step(InstallRefused(request=1_000))
    machine.beat()
    assert machine.since(T) == 489
    assert A not in machine.state.collections


def test_an_input_that_is_not_there_refuses_the_whole_statement() -> None:
    machine = Machine()
    request = machine.install(index(A, on=CollectionId(99)))
    (reply,) = machine.replies[request]
    assert isinstance(reply, ErrorReply)
    assert isinstance(reply.error, CollectionMissing)
    assert machine.state.installs == {}


def test_a_drop_is_sent_at_its_position_and_acknowledged() -> None:
    """Number 74: what one replica still runs is remembered until it has stopped."""
    machine = Machine()
    machine.install(index(A))
    machine.connect("r1")
    machine.connect("r2")
    machine.install(drops=(A,))
    drop = AllowCompaction(collection=A, frontier=CLOSED)
    assert machine.take("r1") == machine.take("r2") == [drop]
    assert A in machine.state.collections
    machine.dropped("r1", A)
    assert A in machine.state.collections
    machine.lose("r2")
    assert A not in machine.state.collections, "one that is away starts from nothing"


def test_a_dropped_collection_lets_go_of_its_inputs_when_its_readers_have_stopped() -> None:
    machine = Machine()
    machine.install(index(A))
    machine.connect("r1")
    machine.install(drops=(A,))
    machine.tick(500)
    machine.beat()
    assert machine.since(T) == 99, "the replica may still read the table"
    machine.dropped("r1", A)
    machine.beat()
    assert machine.since(T) == 489


def test_a_dropped_dataflow_is_not_replayed() -> None:
    """Number 52."""
    machine = Machine()
    machine.install(index(A))
    machine.install(index(B))
    machine.install(drops=(A,))
    creates = of_type(machine.connect("r1"), CreateDataflow)
    assert [c.dataflow.name for c in creates if isinstance(c, CreateDataflow)] == ["i11"]


def test_dependants_are_dropped_before_what_they_need() -> None:
    machine = Machine()
    machine.install(index(A))
    machine.install(index(B, on=A, kind=CollectionKind.INDEX))
    machine.connect("r1")
    machine.install(drops=(B, A, T))
    drops = of_type(machine.take("r1"), AllowCompaction)
    assert [d.collection for d in drops if isinstance(d, AllowCompaction)] == [B, A]
    assert T not in machine.state.collections
