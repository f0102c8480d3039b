"""Sessions in the instance: when one is over, what that allows, and what its failure means."""

from __future__ import annotations

from dataclasses import replace

from antiphon.controller.engine.policy import BUDGETS, Budget, Policy
from antiphon.controller.instance.event import LinkLost, ProtocolBroken, ReplicaRemoved, Ticked
from antiphon.controller.instance.ready import CloseSession
from antiphon.controller.instance.replicas import syncing
from antiphon.controller.instance.state import Holder, HoldKind
from antiphon.protocol.command import AllowWrites, Hello, Peek, SyncDecision
from antiphon.protocol.facts import DataflowFacts
from antiphon.protocol.fingerprint import fingerprint_of
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, Incarnation, Position, ReplicaId
from antiphon.protocol.limits import WORKER_SILENCE_MS
from antiphon.protocol.response import HydrationProgress, Status
from antiphon.protocol.stage import Stage
from tests.controller.instance.machine import CONFIG, Machine, index

A, B = CollectionId(11), CollectionId(12)
R1, R2 = ReplicaId("r1"), ReplicaId("r2")


def said(position: int, **more: object) -> Status:
    status = Status(
        stage=Stage.READ_ONLY, applied_position=Position(position), durable_position=Position(0)
    )
    return replace(status, **more)  # type: ignore[arg-type]


def facts_at(machine: Machine, position: int, *held: int, filled: bool = True) -> dict[str, object]:
    at = Position(position)
    return {
        "history_id": CONFIG.history_id,
        "applied_position": at,
        "command_digest": machine.state.log.digest_at(at),
        "dataflows": tuple(
            DataflowFacts(
                exports=(CollectionId(each),),
                fingerprint=fingerprint_of(index(each)),
                since=Frontier(0),
                upper=Frontier(machine.state.timeline_upper if filled else 0),
                hydrated=filled,
            )
            for each in held
        ),
    }


def example(policy: Policy | None = None) -> Machine:
    config = CONFIG if policy is None else replace(CONFIG, policy=policy)
    machine = Machine(config)
    machine.install(index(A))
    machine.install(index(B))
    return machine


def outcome(machine: Machine, replica: ReplicaId = R1) -> str:
    return machine.state.replicas[replica].decisions[-1].outcome


def is_allowed(machine: Machine, name: str = "r1") -> bool:
    return any(isinstance(command, AllowWrites) for command in machine.take(name))


def test_a_rebuilt_replica_is_accepted_when_everything_is_filled_and_may_write_then() -> None:
    """Sync 22 and 23."""
    machine = example()
    machine.connect("r1")
    assert outcome(machine) == "issued"
    machine.report("r1", A, 100)
    assert (machine.state.replicas[R1].accepted, outcome(machine)) == (False, "running")
    assert not is_allowed(machine)
    machine.report("r1", B, 100)
    assert (machine.state.replicas[R1].accepted, outcome(machine)) == (True, "completed")
    assert is_allowed(machine)


def test_a_replica_with_nothing_to_fill_is_accepted_once_it_has_applied_the_set() -> None:
    machine = example()
    machine.install(drops=(A, B))
    machine.connect("r1")
    machine.respond("r1", said(0, stage=Stage.INITIALIZATION))
    assert not is_allowed(machine)
    machine.respond("r1", said(4))
    assert is_allowed(machine)


def test_a_kept_replica_is_allowed_to_write_at_once() -> None:
    machine = example()
    commands = machine.connect("r1", **facts_at(machine, 2, A, B))
    assert isinstance(commands[-1], AllowWrites)
    assert (machine.state.replicas[R1].accepted, outcome(machine)) == (True, "")


def test_a_caught_up_replica_does_not_wait_for_what_is_new_to_be_filled() -> None:
    machine = example()
    machine.connect("r1", **facts_at(machine, 1, A))
    assert not machine.state.replicas[R1].accepted
    machine.respond("r1", said(2))
    assert machine.state.replicas[R1].accepted, "what it came with is filled"
    assert not machine.state.replicas[R1].installed[B].hydrated


def test_what_cannot_run_is_not_waited_for() -> None:
    machine = example()
    machine.connect("r1")
    machine.report("r1", A, 100)
    machine.respond("r1", said(2, failed=(B,)))
    assert is_allowed(machine)


def test_who_is_rebuilt_is_not_read_from_while_another_can_answer() -> None:
    """Sync 23."""
    machine = example()
    machine.connect("r1")
    machine.report("r1", A, 100)
    machine.report("r1", B, 100)
    machine.connect("r2")
    request, peek_id = machine.peek(A)
    assert [type(c) for c in machine.take("r1") if isinstance(c, Peek)] == [Peek]
    assert not any(isinstance(c, Peek) for c in machine.take("r2"))
    targeted, _ = machine.peek(A, replica="r2")
    assert not any(isinstance(c, Peek) for c in machine.take("r2")), "not even by name"
    machine.report("r2", A, 100)
    machine.report("r2", B, 100)
    assert [type(c) for c in machine.take("r2") if isinstance(c, Peek)] == [Peek, Peek]
    machine.answer("r2", peek_id)
    assert request in machine.replies
    assert targeted not in machine.replies


def test_where_nobody_is_up_to_date_reads_are_asked_of_whoever_is_there() -> None:
    machine = example()
    machine.connect("r1")
    machine.connect("r2")
    request, peek_id = machine.peek(A)
    assert any(isinstance(c, Peek) for c in machine.take("r1"))
    machine.answer("r1", peek_id)
    assert request in machine.replies


def test_reads_of_a_lost_replica_go_to_the_one_that_is_being_rebuilt() -> None:
    machine = example()
    machine.connect("r1")
    machine.report("r1", A, 100)
    machine.report("r1", B, 100)
    machine.connect("r2")
    request, peek_id = machine.peek(A)
    machine.lose("r1")
    assert any(isinstance(c, Peek) for c in machine.take("r2"))
    machine.answer("r2", peek_id)
    assert request in machine.replies


def test_reads_of_a_replica_whose_worker_is_silent_go_to_one_that_is_being_rebuilt() -> None:
    machine = example()
    machine.connect("r1")
    machine.report("r1", A, 100)
    machine.report("r1", B, 100)
    machine.connect("r2")
    request, peek_id = machine.peek(A)
    machine.respond("r1", said(2, backlog_age_ms=WORKER_SILENCE_MS))
    assert any(isinstance(c, Peek) for c in machine.take("r2"))
    machine.answer("r2", peek_id)
    assert request in machine.replies
    machine.peek(A)
    assert any(isinstance(c, Peek) for c in machine.take("r2"))
    machine.respond("r1", said(2))
    machine.peek(A)
    assert not any(isinstance(c, Peek) for c in machine.take("r2")), "r1 is well again"


def test_a_lost_connection_fails_the_session_and_counts_against_nobody() -> None:
    machine = example()
    for _ in range(10):
        machine.connect("r1")
        machine.lose("r1")
    view = machine.state.sync.view(R1)
    assert view is not None
    assert (view.failures, outcome(machine)) == (0, "failed: transport_lost")


def test_what_a_session_broke_by_is_counted_and_leads_to_more() -> None:
    """Three suffixes that the replica could not follow: then it is reconciled."""
    machine = example()
    kinds = []
    for _ in range(4):
        hello = machine.connect("r1", **facts_at(machine, 1, A))[0]
        assert isinstance(hello, Hello)
        kinds.append(hello.decision)
        connection = machine.state.replicas[R1].connection_id
        lost = LinkLost(
            replica=R1, connection_id=connection, reason="bad", found="protocol_violated"
        )
        machine.step(lost)
    assert kinds == [SyncDecision.CATCH_UP] * 3 + [SyncDecision.RECONCILE]
    machine.connect("r1", **facts_at(machine, 1, A))
    machine.step(ProtocolBroken(replica=R1, reason="nonsense"))
    assert outcome(machine) == "failed: protocol_broken"


def test_a_session_that_does_not_get_on_is_ended_and_the_next_facts_decide() -> None:
    policy = Policy(budgets={**BUDGETS, SyncDecision.REBUILD: Budget(progress_ms_max=1_000)})
    machine = example(policy)
    machine.connect("r1")
    for rows in (10, 20):
        machine.now_ms += 900
        progress = HydrationProgress(collection=A, rows_done=rows, rows_total=99)
        machine.respond("r1", said(2, hydration=(progress,)))
        machine.step(Ticked())
        assert machine.state.replicas[R1].is_open, "rows that were filled are progress"
    machine.now_ms += 1_001
    assert machine.wake_at_ms is not None
    assert machine.wake_at_ms <= machine.now_ms
    machine.step(Ticked())
    assert not machine.state.replicas[R1].is_open
    (closed,) = [send for send in machine.others if isinstance(send, CloseSession)]
    assert closed.reason == "its session failed: progress_stalled"
    assert outcome(machine) == "failed: progress_stalled"
    assert str(syncing.projection(machine.state)) == (
        "degraded because r1: bringing it up to date does not get on"
    )
    assert machine.connect("r1"), "it may try again"


def test_a_process_that_owes_a_session_finishes_it_before_it_counts() -> None:
    """It has adopted position and digest of a set that it did not fill before it was lost."""
    machine = example()
    machine.connect("r1")
    machine.lose("r1")
    commands = machine.connect("r1", **facts_at(machine, 2, A, B, filled=False))
    hello = commands[0]
    assert isinstance(hello, Hello)
    assert hello.decision is SyncDecision.KEEP_UP
    assert not any(isinstance(command, AllowWrites) for command in commands)
    machine.report("r1", A, 100)
    machine.report("r1", B, 100)
    assert is_allowed(machine)


def test_a_thousand_flaps_leave_no_session_pin_hold_or_read_behind() -> None:
    """Sync 33."""
    machine = example()
    machine.connect("r2")
    machine.report("r2", A, 100)
    machine.report("r2", B, 100)
    machine.respond("r2", said(2))
    for flap in range(1_000):
        if flap % 3 == 0:
            machine.connect("r1", incarnation=Incarnation(flap.to_bytes(16, "big")))
        else:
            at = flap % 2 + 1
            machine.connect("r1", **facts_at(machine, at, *(A, B)[:at]))
        peek_id = machine.peek(A)[1] if flap % 5 == 0 else None
        machine.lose("r1")
        if peek_id is not None:
            machine.answer("r2", peek_id)
    state = machine.state
    assert [view.replica for view in state.sync.views] == [R1, R2]
    assert list(state.retention.pins) == [R2], "the last r1 was new, and needs no log"
    assert state.sync.view(R1).active is None  # type: ignore[union-attr]
    assert state.peeks == {}
    assert state.peek_of_request == {}
    assert len(state.replicas[R1].decisions) == 64
    holders = [h for c in state.collections.values() for h in c.holds if h.replica == "r1"]
    assert len(holders) <= 2, "for the moment when it may be back"
    machine.step(ReplicaRemoved(replica=R1))
    state = machine.state
    assert [view.replica for view in state.sync.views] == [R2]
    assert list(state.retention.pins) == [R2]
    assert all(
        not isinstance(h, Holder) or h.kind is not HoldKind.INPUT or h.replica == "r2"
        for c in state.collections.values()
        for h in c.holds
    )
