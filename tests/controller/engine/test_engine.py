"""The machine: what it asks for, what it never forgets, and what it lets nobody talk it into."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.controller.engine.decision import Sync
from antiphon.controller.engine.engine import expire, wake_at_ms
from antiphon.controller.engine.event import (
    AcceptSession,
    AllowWrites,
    CloseSession,
    OpenSession,
    RefuseSession,
    Role,
)
from antiphon.controller.engine.policy import BUDGETS, Budget, Policy
from antiphon.controller.engine.session import CIRCUMSTANCES, Rejection, SessionState
from antiphon.controller.engine.view import Readiness
from antiphon.history.retention import restored
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.ids import Epoch, InstanceId, Position, SessionId
from tests.controller.engine.facts import (
    R1,
    R2,
    READY,
    Run,
    acked,
    assigned,
    at,
    complete,
    connected,
    connection,
    failure,
    names,
    new,
    progress,
)

KEEP_UP, CATCH_UP = SyncDecision.KEEP_UP, SyncDecision.CATCH_UP
RECONCILE, REBUILD = SyncDecision.RECONCILE, SyncDecision.REBUILD


def kind(run: Run) -> SyncDecision:
    decision = run.view().decision
    assert isinstance(decision, Sync)
    return decision.sync


def test_at_the_head_only_what_is_new_will_be_sent() -> None:
    """Sync 2."""
    run = Run(assigned(R1))
    opened, allowed = run.feed(acked(at(10))).commands
    assert isinstance(opened, OpenSession)
    assert opened.decision.sync is KEEP_UP
    assert (opened.decision.start, opened.decision.target) == (10, 10)
    assert opened.connection_id == connection(1)
    assert allowed == AllowWrites(replica=R1)
    assert run.view().session is None


def test_writing_is_allowed_after_acceptance_and_afresh() -> None:
    """Sync 23, 36."""
    run = Run(assigned(R1))
    assert names(run.feed(acked(at(7))).commands) == ["OpenSession"]
    ref = run.session().ref
    assert run.feed(complete(ref)).commands == (
        AcceptSession(replica=R1, session_id=ref.session_id),
        AllowWrites(replica=R1),
    )
    assert names(run.feed(acked(at(10), 2, over=2)).commands) == ["OpenSession", "AllowWrites"]


def test_a_standby_allows_nothing() -> None:
    """Sync 36."""
    run = Run(assigned(R1, role=Role.STANDBY), acked(at(7)))
    assert names(run.feed(complete(run.session().ref)).commands) == ["AcceptSession"]


def test_a_stranger_is_refused_on_its_own_connection() -> None:
    run = Run(assigned(R1))
    stepped = run.feed(acked(replace(at(10), instance_id=InstanceId(8)), over=4))
    (refused,) = stepped.commands
    assert isinstance(refused, RefuseSession)
    assert refused.connection_id == connection(4)
    assert stepped.decided[0].decision == refused.refusal
    assert not run.view().is_synced
    assert run.feed(acked(at(10), 2, over=5)).decided[0].session_id == 1


def test_session_ids_only_grow() -> None:
    """Sync 20: whatever the replica has seen, and whichever epoch it is."""
    run = Run(assigned(R1))
    seen = []
    for request in range(1, 4):
        run.feed(acked(at(7), request, over=request))
        seen.append(run.session().ref.session_id)
    run.feed(acked(replace(at(7), session_id=SessionId(40)), 4, over=4))
    seen.append(run.session().ref.session_id)
    run.feed(assigned(R1, epoch=4))
    assert run.refused(acked(at(7), 5, over=5)) is Rejection.STALE_EPOCH
    assert seen == [1, 2, 3, 41]
    assert run.state.last_session(R1) == 41


def test_a_late_result_of_an_earlier_session_changes_nothing() -> None:
    """Sync 14, 20."""
    run = Run(assigned(R1), acked(at(7)))
    old = run.session().ref
    run.feed(acked(at(7), 2, over=2))
    assert run.refused(complete(old)) is Rejection.STALE_SESSION
    assert run.refused(progress(old, 9)) is Rejection.STALE_SESSION
    assert run.refused(failure(old)) is Rejection.STALE_SESSION
    assert run.session().state is SessionState.ISSUED


def test_a_new_connection_means_that_the_old_one_is_gone() -> None:
    run = Run(assigned(R1), acked(at(7)))
    ref = run.session().ref
    commands = run.feed(acked(at(8), 2, over=2)).commands
    assert commands[0] == CloseSession(
        replica=R1, session_id=ref.session_id, reason="transport_lost"
    )
    assert names(commands[1:]) == ["OpenSession"]
    assert kind(run) is CATCH_UP
    assert run.session().start == 8


def test_a_new_process_voids_what_the_old_one_promised() -> None:
    run = Run(assigned(R1), acked(at(7)))
    commands = run.feed(acked(at(0, process=2), 2)).commands
    assert names(commands) == ["CloseSession", "OpenSession"]
    assert kind(run) is REBUILD


def test_an_adopted_head_is_no_proof_of_content() -> None:
    """Sync 27. A diverged replica takes our head and digest over as the full set begins to apply.
    If the connection is lost before its state was compared, its facts look perfect."""
    run = Run(assigned(R1), acked(at(11, holds=(1,))))
    assert run.session().ref.kind is RECONCILE
    run.feed(acked(at(10, holds=(1,)), 2, over=2))
    assert kind(run) is RECONCILE
    decision = run.view().decision
    assert isinstance(decision, Sync)
    assert decision.verify_content
    run.feed(complete(run.session().ref), acked(at(10, holds=(1,)), 3, over=3))
    assert kind(run) is KEEP_UP


def test_a_new_process_owes_no_proof_of_what_the_old_one_held() -> None:
    run = Run(assigned(R1), acked(at(11, holds=(1,))), acked(at(10, process=2), 2, over=2))
    assert kind(run) is KEEP_UP
    assert run.view().is_synced


def test_an_unfinished_contract_is_finished_though_the_commands_are_there() -> None:
    """Sync 23: no strict reads, no writes before acceptance; and nothing is sent twice."""
    run = Run(assigned(R1), acked(new()))
    stepped = run.feed(acked(at(10), 2, over=2))
    assert kind(run) is KEEP_UP
    assert names(stepped.commands) == ["CloseSession", "OpenSession"]
    assert not run.view().is_synced
    assert names(run.feed(complete(run.session().ref)).commands) == [
        "AcceptSession",
        "AllowWrites",
    ]
    assert names(run.feed(acked(at(10), 3, over=3)).commands) == ["OpenSession", "AllowWrites"]
    assert run.view().session is None


def test_a_settled_replica_is_left_alone() -> None:
    run = Run(assigned(R1), acked(at(10)))
    for request in range(2, 5):
        stepped = run.feed(acked(at(9), request, head=10 + request))
        assert (stepped.commands, stepped.decided) == ((), ()), "live commands are on their way"


@pytest.mark.parametrize("reason", sorted(CIRCUMSTANCES))
def test_neither_slowness_nor_distance_asks_for_more(reason: str) -> None:
    """Sync 34: however often."""
    run = Run(assigned(R1))
    for request in range(1, 50):
        run.feed(acked(at(7), request, over=request))
        assert kind(run) is CATCH_UP
        run.feed(failure(run.session().ref, reason))
    assert run.view().failures == 0


def test_what_was_found_asks_for_more_step_by_step() -> None:
    """Sync 13: only the next report decides, and the count is one of its inputs."""
    run = Run(assigned(R1))
    kinds = []
    for request in range(1, 9):
        run.feed(acked(at(7, holds=(1,)), request, over=request))
        kinds.append(kind(run))
        run.feed(failure(run.session().ref, "local_state_corrupt"))
    assert kinds == [CATCH_UP] * 3 + [RECONCILE] * 3 + [REBUILD] * 2
    run.feed(acked(at(7), 99, over=99))
    run.feed(complete(run.session().ref))
    assert run.view().failures == 0


def test_a_digest_that_differs_at_the_end_is_a_failure() -> None:
    """Sync 27."""
    run = Run(assigned(R1), acked(at(7)))
    commands = run.feed(complete(run.session().ref, branch="fork")).commands
    assert names(commands) == ["CloseSession"]
    assert run.session().state is SessionState.FAILED
    assert run.view().failures == 1


def test_a_budget_that_is_used_up_fails_the_session_and_nothing_else() -> None:
    policy = Policy(budgets={**BUDGETS, CATCH_UP: Budget(duration_ms_max=100)})
    run = Run(assigned(R1, R2), acked(at(7)), acked(new(R2)), policy=policy)
    assert wake_at_ms(run.state) == 101
    assert expire(run.state, 100).state == run.state
    stepped = expire(run.state, 101)
    assert [type(command) for command in stepped.commands] == [CloseSession]
    view = stepped.state.view(R1)
    assert view is not None
    assert view.session is not None
    assert (view.session.state, view.session.reason) == (
        SessionState.FAILED,
        "deadline_exceeded",
    )
    assert stepped.state.view(R2) == run.view(R2)
    assert wake_at_ms(stepped.state) == 600_001, "the rebuild must show progress"
    assert stepped.decided == ()


def test_nothing_is_waited_for_without_sessions() -> None:
    assert wake_at_ms(Run(assigned(R1), acked(at(10))).state) is None


def test_a_new_epoch_begins_with_nothing() -> None:
    """Sync 14."""
    run = Run(assigned(R1), READY, connected(R1), acked(at(7)))
    commands = run.feed(assigned(R1, epoch=4)).commands
    assert names(commands) == ["ApplyRole", "CloseSession", "Connect"]
    assert run.view().session is None
    assert run.view().facts is None
    assert run.state.readiness == Readiness()
    assert run.state.epoch == Epoch(4)


def test_a_new_role_begins_with_nothing() -> None:
    run = Run(assigned(R1, role=Role.STANDBY), READY, acked(at(10)))
    run.feed(assigned(R1, role=Role.PRIMARY))
    assert not run.view().is_synced
    assert not run.state.readiness.role_applied


def test_replicas_are_sorted_whatever_order_they_came_in() -> None:
    run = Run(assigned(R2, R1))
    assert [view.replica for view in run.state.views] == [R1, R2]


def test_a_thousand_reconnects_leave_nothing_behind() -> None:
    """Sync 33: no session beyond the current one, no pin beyond the replica's."""
    run = Run(assigned(R1, R2), READY, acked(at(10, R2)))
    retention = restored(Position(4), [(1, 0)] * 6)
    for request in range(1, 1_001):
        retention.reserve(R1, Position(7))
        commands = run.feed(acked(at(7), request, over=request)).commands
        assert names(commands)[-1] == "OpenSession"
        run.feed(connected(R1), connected(R1, is_so=False))
    assert run.session().ref.session_id == 1_000
    assert len(run.state.views) == len(run.state.sessions) == 2
    assert list(retention.pins) == [R1]
    assert run.view().failures == 0
