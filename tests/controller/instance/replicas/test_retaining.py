"""The log and its pins in the instance: what is folded, what is kept, and for whom."""

from __future__ import annotations

from dataclasses import replace

from antiphon.controller.engine.policy import Policy
from antiphon.controller.instance.event import Ticked
from antiphon.controller.instance.ready import CloseSession, FoldEntry
from antiphon.controller.instance.replicas import retaining
from antiphon.history.retention import Bounds, PinState
from antiphon.protocol.command import Hello, SyncDecision
from antiphon.protocol.ids import CollectionId, HistoryId, ReplicaId
from antiphon.protocol.response import Status
from antiphon.protocol.stage import Stage
from tests.controller.instance.machine import CONFIG, Machine, index
from tests.controller.instance.replicas.test_syncing import facts_at, said

R1 = ReplicaId("r1")
KEPT = CollectionId(1_000)


def example(**bounds: int) -> Machine:
    given = {"entries_max": 100, "slack_entries": 4, **bounds}
    config = replace(CONFIG, policy=Policy(bounds=Bounds(**given)))
    machine = Machine(config)
    machine.install(index(KEPT))
    return machine


def churn(machine: Machine, times: int, first: int = 2_000) -> None:
    """Two commands each, of which nothing remains."""
    for number in range(times):
        made = CollectionId(first + number)
        machine.install(index(made))
        machine.install(drops=(made,))


def beat(machine: Machine) -> list[int]:
    """A second later: how far was folded, and is the store told."""
    machine.now_ms += 1_000
    machine.state.moved = True
    ready = machine.step(Ticked())
    machine.state.compaction_in_flight = False
    return [entry.to for entry in ready.entries if isinstance(entry, FoldEntry)]


def decision(machine: Machine, **facts: object) -> SyncDecision:
    hello = machine.connect("r1", **facts)[0]
    assert isinstance(hello, Hello)
    return hello.decision


def test_what_nobody_needs_is_folded_but_for_a_slack() -> None:
    machine = example()
    churn(machine, 10)
    assert beat(machine) == [17]
    state = machine.state
    assert (state.log.base, state.log.head, state.retention.entry_count) == (17, 21, 4)
    assert state.log.digest_at(state.log.head) == state.head_digest
    assert beat(machine) == [], "nothing has come since"


def test_a_base_is_not_written_again_for_a_few_commands() -> None:
    machine = example(slack_entries=0)
    for number in range(20):
        machine.install(index(CollectionId(3_000 + number)))
    assert beat(machine) == [21]
    churn(machine, 5)
    assert beat(machine) == [], "ten commands are fewer than the twenty-two of the base"
    churn(machine, 7, first=4_000)
    assert beat(machine) == [45]


def test_a_replica_below_the_base_is_reconciled_and_one_above_caught_up() -> None:
    """Sync 4."""
    machine = example()
    churn(machine, 10)
    at_base, below = facts_at(machine, 17, KEPT), facts_at(machine, 16, KEPT)
    beat(machine)
    assert decision(machine, **at_base) is SyncDecision.CATCH_UP
    assert decision(machine, **below) is SyncDecision.RECONCILE
    reason = machine.state.replicas[R1].decisions[-1].decision.reason
    assert reason == (
        "reconcile because it is at position 16, and the log begins at 18: 1 of 1 dataflow can stay"
    )


def test_a_pin_is_taken_before_the_start_is_chosen_and_follows_what_was_applied() -> None:
    """Sync 11."""
    machine = example()
    machine.connect("r1", **facts_at(machine, 1, KEPT))
    churn(machine, 10)
    assert beat(machine) == [], "r1 has not said that it applied anything"
    found = retaining.pin_of(machine.state, R1)
    assert found is not None
    assert (found[0].position, found[1]) == (1, PinState.EXTENDED)
    machine.respond("r1", said(11))
    assert beat(machine) == [11]
    machine.respond("r1", said(21))
    assert beat(machine) == [17]


def test_a_pin_outlives_its_connection_until_it_asks_for_too_much() -> None:
    machine = example(entries_max=30)
    machine.connect("r1", **facts_at(machine, 1, KEPT))
    away = facts_at(machine, 1, KEPT)
    machine.lose("r1")
    churn(machine, 10)
    assert beat(machine) == []
    assert decision(machine, **away) is SyncDecision.CATCH_UP
    machine.lose("r1")
    churn(machine, 10, first=5_000)
    assert beat(machine) == [37], "r1 would keep 40 commands, which is more than 30"
    found = retaining.pin_of(machine.state, R1)
    assert found is not None
    assert found[1] is PinState.LOST
    assert decision(machine, **away) is SyncDecision.RECONCILE
    machine.respond("r1", said(41))
    found = retaining.pin_of(machine.state, R1)
    assert found is not None
    assert (found[0].position, found[1]) == (41, PinState.RESERVED)


def test_a_session_whose_pin_is_lost_fails_and_is_decided_anew() -> None:
    machine = example(entries_max=10)
    machine.connect("r1", **facts_at(machine, 1, KEPT))
    slow = facts_at(machine, 1, KEPT)
    churn(machine, 3)
    machine.connect("r1", **slow)
    churn(machine, 10, first=5_000)
    beat(machine)
    (closed,) = [send for send in machine.others if isinstance(send, CloseSession)]
    assert closed.reason == "its session failed: pin_lost"
    assert machine.state.replicas[R1].decisions[-1].outcome == "failed: pin_lost"


def test_age_and_bytes_bound_a_pin_as_well() -> None:
    for bounds in ({"age_ms_max": 500}, {"bytes_max": 600}):
        machine = example(**bounds)
        machine.connect("r1", **facts_at(machine, 1, KEPT))
        machine.respond("r1", said(1))
        machine.lose("r1")
        churn(machine, 10)
        beat(machine)
        beat(machine)
        found = retaining.pin_of(machine.state, R1)
        assert found is not None
        assert found[1] is PinState.LOST, bounds


def test_who_is_of_another_history_keeps_nothing_of_ours() -> None:
    machine = example()
    facts = facts_at(machine, 1, KEPT) | {"history_id": HistoryId(b"o" * 16)}
    machine.connect("r1", **facts)
    assert retaining.pin_of(machine.state, R1) is None
    machine.respond("r1", said(1))
    assert retaining.pin_of(machine.state, R1) is not None


def test_a_status_of_an_initialization_is_no_acknowledgement() -> None:
    machine = example()
    machine.connect("r1", **facts_at(machine, 1, KEPT))
    churn(machine, 2)
    status: Status = said(5)
    machine.respond("r1", replace(status, stage=Stage.INITIALIZATION))
    found = retaining.pin_of(machine.state, R1)
    assert found is not None
    assert found[0].position == 1
