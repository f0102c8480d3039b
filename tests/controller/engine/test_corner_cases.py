"""The twenty corner cases of the machine that this one descends from, and what we do in each.

Where the ancestor was right the case says so; where it was not, the test states our rule.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.controller.engine.decision import Sync
from antiphon.controller.engine.event import CloseSession, Connect, OpenSession, Role
from antiphon.controller.engine.projection import Mode
from antiphon.controller.engine.session import Rejection, SessionState
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import Epoch, InstanceId, SessionId
from tests.controller.engine.facts import (
    OTHER_CLAIM,
    R1,
    R2,
    READY,
    Run,
    acked,
    assigned,
    at,
    barrier,
    complete,
    connected,
    failure,
    incarnation,
    names,
    new,
    progress,
)

KEEP_UP, CATCH_UP = SyncDecision.KEEP_UP, SyncDecision.CATCH_UP
RECONCILE, REBUILD = SyncDecision.RECONCILE, SyncDecision.REBUILD


def decision(run: Run) -> SyncDecision:
    found = run.view().decision
    assert isinstance(found, Sync)
    return found.sync


def test_case_1_from_the_very_beginning_the_log_is_enough() -> None:
    """Case 1: position 0, tail 1."""
    run = Run(assigned(R1), acked(at(0), base=0))
    assert decision(run) is CATCH_UP
    assert (run.session().start, run.session().target) == (0, 10)


def test_case_2_from_the_beginning_the_base_is_needed() -> None:
    """Case 2: position 0, tail 2."""
    assert decision(Run(assigned(R1), acked(at(0), base=1))) is REBUILD


@pytest.mark.parametrize("facts", [new(), at(0)])
def test_case_3_nothing_on_both_sides_is_nothing_to_do(facts: ReplicaFacts) -> None:
    """Case 3, ours: no session that somebody would have to complete. Sync 1."""
    run = Run(assigned(R1), acked(facts, head=0, base=0))
    assert decision(run) is KEEP_UP
    assert run.view().session is None
    assert run.view().is_synced


def test_case_4_a_replica_ahead_of_us_has_diverged() -> None:
    """Case 4, ours: never keep up. Sync 5."""
    assert decision(Run(assigned(R1), acked(at(11)))) is REBUILD
    assert decision(Run(assigned(R1), acked(at(11, holds=(1,))))) is RECONCILE


def test_case_5_right_before_the_tail_nothing_is_missing() -> None:
    """Case 5, ours: position + 1 == tail catches up."""
    run = Run(assigned(R1), acked(at(4), base=4))
    assert decision(run) is CATCH_UP


def test_case_6_a_report_during_a_session_only_refreshes_facts() -> None:
    """Case 6. Sync 12: no second command."""
    run = Run(assigned(R1), acked(at(7)))
    before = run.session()
    stepped = run.feed(acked(at(8), 2, head=12))
    assert (stepped.commands, stepped.decided) == ((), ())
    assert run.session() == before
    assert run.view().facts == at(8)
    assert run.state.head == 12
    run.feed(progress(before.ref, 8))
    assert run.feed(acked(at(9), 3)).commands == ()


def test_case_7_after_a_failure_the_next_report_decides() -> None:
    """Case 7. Sync 13."""
    run = Run(assigned(R1), acked(at(7)))
    first = run.session()
    run.feed(failure(first.ref))
    stepped = run.feed(acked(at(8), 2))
    assert names(stepped.commands) == ["OpenSession"]
    assert run.session().state is SessionState.ISSUED
    assert run.session().start == 8
    assert run.session().ref.session_id > first.ref.session_id


def test_case_8_without_a_report_a_failure_stays() -> None:
    """Case 8. Sync 13: nothing escalates by itself."""
    run = Run(assigned(R1), READY, connected(R1), barrier(), acked(at(7)))
    run.feed(failure(run.session().ref, "pin_lost"))
    for event in (READY, connected(R1), barrier(9), assigned(R1)):
        stepped = run.feed(event)
        assert "OpenSession" not in names(stepped.commands)
        assert stepped.projection.mode is Mode.DEGRADED
        assert stepped.projection.reason == "pin_lost"


def test_case_9_an_assignment_may_be_repeated() -> None:
    """Case 9: views and readiness stay, the commands are said again."""
    run = Run(assigned(R1, R2), READY, acked(at(7)))
    before = run.state
    assert names(run.feed(assigned(R1, R2)).commands) == ["ApplyRole", "Connect", "Connect"]
    assert run.state == before


def test_case_10_a_replica_that_is_no_longer_assigned_is_forgotten() -> None:
    """Case 10, ours: its failure does not degrade the instance for ever."""
    run = Run(assigned(R1, R2), acked(at(7)))
    run.feed(failure(run.session().ref, "pin_lost"))
    stepped = run.feed(assigned(R2))
    assert "Disconnect" in names(stepped.commands)
    assert run.state.view(R1) is None
    assert stepped.projection.replica is not R1


def test_case_10_a_session_of_a_forgotten_replica_is_closed() -> None:
    run = Run(assigned(R1, R2), acked(at(7)))
    commands = run.feed(assigned(R2)).commands
    assert names(commands) == ["ApplyRole", "CloseSession", "Disconnect", "Connect"]


def test_case_11_a_new_address_ends_the_session_at_the_old_one() -> None:
    """Case 11, ours."""
    run = Run(assigned(R1), connected(R1), acked(at(7)))
    ref = run.session().ref
    commands = run.feed(assigned(R1, address="there")).commands
    assert (
        CloseSession(replica=R1, session_id=ref.session_id, reason="endpoint_changed") in commands
    )
    assert Connect(replica=R1, address="there") in commands
    assert run.view().address == "there"
    assert not run.view().connected
    assert run.session().reason == "endpoint_changed"
    assert run.view().failures == 0, "an address says nothing of what is there"
    assert run.refused(complete(ref)) is Rejection.NOT_ACTIVE


def test_case_12_a_lower_epoch_is_refused() -> None:
    """Case 12, ours. Sync 14: another claim of the same epoch too."""
    run = Run(assigned(R1, epoch=3), READY, acked(at(7)))
    assert run.refused(assigned(R1, epoch=2)) is Rejection.STALE_EPOCH
    assert run.refused(assigned(R1, claim=OTHER_CLAIM)) is Rejection.STALE_CLAIM
    run.feed(assigned(R1, epoch=4, claim=OTHER_CLAIM))
    assert run.state.epoch == 4
    assert run.view().session is None
    assert not run.state.readiness.role_applied


def test_case_13_a_completion_must_be_of_the_session_that_runs() -> None:
    """Case 13, ours. Sync 22: and reach its target, with both lanes."""
    run = Run(assigned(R1), acked(at(7)))
    ref = run.session().ref
    older, stranger = SessionId(0), incarnation(9)
    assert run.refused(complete(replace(ref, session_id=older))) is Rejection.STALE_SESSION
    assert run.refused(complete(replace(ref, kind=REBUILD))) is Rejection.STALE_SESSION
    assert run.refused(complete(replace(ref, incarnation=stranger))) is Rejection.STALE_SESSION
    assert run.refused(complete(replace(ref, epoch=Epoch(2)))) is Rejection.STALE_EPOCH
    assert run.refused(complete(ref, 9)) is Rejection.BELOW_TARGET
    assert run.refused(complete(ref, base_complete=False)) is Rejection.BASE_INCOMPLETE
    run.feed(complete(ref))
    assert run.session().state is SessionState.COMPLETED
    assert run.refused(complete(ref)) is Rejection.NOT_ACTIVE
    assert run.refused(failure(ref)) is Rejection.NOT_ACTIVE


def test_case_13_there_is_nothing_to_complete_without_a_session() -> None:
    run = Run(assigned(R1), acked(at(7)))
    ref = run.session().ref
    run.feed(complete(ref), acked(at(10), 2, over=2))
    assert run.view().session is None
    assert run.refused(complete(ref)) is Rejection.STALE_SESSION


def test_case_14_progress_goes_forward_within_the_contract() -> None:
    """Case 14, ours."""
    run = Run(assigned(R1), acked(at(7)))
    ref = run.session().ref
    run.feed(progress(ref, 9))
    assert run.session().state is SessionState.RUNNING
    assert run.refused(progress(ref, 8)) is Rejection.NO_PROGRESS
    assert run.refused(progress(ref, 11)) is Rejection.BEYOND_TARGET
    assert run.session().progress == 9


def test_case_15_durable_never_decreases_within_an_epoch() -> None:
    """Case 15, ours. Sync 17: each replica's own; a new epoch begins anew."""
    run = Run(assigned(R1, R2))
    run.feed(acked(replace(at(10), durable_position=at(8).applied_position)))
    run.feed(acked(replace(at(10), durable_position=at(5).applied_position), 2))
    assert (run.view(R1).durable, run.view(R2).durable) == (8, 0)
    run.feed(barrier(6), barrier(4))
    assert run.state.barrier == 6
    run.feed(assigned(R1, R2, epoch=4))
    assert (run.view(R1).durable, run.state.barrier) == (0, None)


def test_case_16_an_older_report_changes_nothing() -> None:
    """Case 16, ours: reports are numbered, and what we know of ourselves only grows."""
    run = Run(assigned(R1), acked(at(7), 5, head=10, base=4))
    assert run.refused(acked(at(9), 5)) is Rejection.STALE_REQUEST
    assert run.refused(acked(at(9), 4)) is Rejection.STALE_REQUEST
    run.feed(acked(at(7), 6, head=9, base=3))
    assert (run.state.head, run.state.base) == (10, 4)


def test_case_17_an_instance_that_was_never_assigned_stays_unknown() -> None:
    """Case 17, ours. Sync 15."""
    run = Run()
    assert run.refused(acked(at(7))) is Rejection.UNKNOWN_REPLICA
    assert run.refused(READY) is Rejection.UNKNOWN_INSTANCE
    assert run.refused(barrier()) is Rejection.STALE_EPOCH
    other = replace(assigned(R1), instance_id=InstanceId(9))
    assert run.refused(other) is Rejection.UNKNOWN_INSTANCE


# Case 18 stands with the projection.


def test_case_19_after_a_rebuild_the_store_has_to_confirm() -> None:
    """Case 19."""
    run = Run(assigned(R1), READY, connected(R1), acked(new()))
    run.feed(complete(run.session().ref))
    assert run.projection.reason == "awaiting_barrier_durability"
    assert run.feed(barrier()).projection.healthy

    run = Run(assigned(R1), READY, connected(R1), acked(new()), barrier())
    assert run.feed(complete(run.session().ref)).projection.healthy


def test_case_20_who_only_follows_decides_for_nobody() -> None:
    """Case 20, ours: a standby decides for replicas of its own, and lets none of them write."""
    run = Run(assigned(R1, role=Role.FOLLOWER))
    stepped = run.feed(acked(at(7)))
    assert (stepped.commands, stepped.decided) == ((), ())
    assert run.view().facts == at(7)

    run = Run(assigned(R1, role=Role.STANDBY))
    (opened,) = run.feed(acked(at(10))).commands
    assert isinstance(opened, OpenSession)
    primary = Run(assigned(R1)).feed(acked(at(10)))
    assert names(primary.commands) == ["OpenSession", "AllowWrites"]
