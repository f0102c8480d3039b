"""What is owed, in the order in which it was decided."""

from __future__ import annotations

from antiphon.controller.instance.ready import (
    CloseSession,
    Outbox,
    SendCommands,
    allowing,
    live,
    scheduling,
)
from antiphon.controller.ports import DoneReply
from antiphon.protocol.command import AllowCompaction, BaseSource, Schedule
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import NO_POSITION, CollectionId, ReplicaId

R1, R2 = ReplicaId("r1"), ReplicaId("r2")
ONE, TWO = (live(Schedule(collection=CollectionId(number))) for number in (1, 2))


def test_live_commands_have_no_position() -> None:
    assert ONE.position == NO_POSITION


def test_neighbours_for_one_replica_share_a_batch() -> None:
    out = Outbox()
    out.send(R1, ONE)
    out.send(R1, TWO)
    out.send(R2, ONE)
    out.send(R1, ONE)
    assert out.ready(None).sends == (
        SendCommands(replica=R1, commands=(ONE, TWO)),
        SendCommands(replica=R2, commands=(ONE,)),
        SendCommands(replica=R1, commands=(ONE,)),
    )


def test_commands_never_move_across_another_send() -> None:
    out = Outbox()
    out.send(R1, ONE)
    out.sends.append(CloseSession(replica=R1, reason="gone"))
    out.send(R1, TWO)
    assert len(out.ready(None).sends) == 3


def test_nothing_is_sent_for_no_commands() -> None:
    out = Outbox()
    out.send(R1)
    out.reply(7, DoneReply(tag="OK"))
    assert out.ready(5).sends == ()
    assert out.ready(5).replies == ((7, DoneReply(tag="OK")),)
    assert out.ready(5).wake_at_ms == 5


def test_one_command_allows_what_is_the_same_of_many() -> None:
    at = {CollectionId(number): Frontier(number % 2) for number in range(1, 6)}
    assert allowing(at.items()) == [
        live(
            AllowCompaction(
                collection=CollectionId(1),
                frontier=Frontier(1),
                others=(CollectionId(3), CollectionId(5)),
            )
        ),
        live(
            AllowCompaction(
                collection=CollectionId(2), frontier=Frontier(0), others=(CollectionId(4),)
            )
        ),
    ]
    assert allowing([]) == []


def test_one_command_schedules_all_that_start() -> None:
    """All that take their bases from the same."""
    one, two, three, four = (CollectionId(number) for number in (1, 2, 3, 4))
    base = (BaseSource(collection=four, peer="unix:r2"),)
    assert scheduling([(three, ()), (one, base), (two, ())]) == [
        live(Schedule(collection=three, others=(two,))),
        live(Schedule(collection=one, bases=base)),
    ]
    assert scheduling([]) == []
