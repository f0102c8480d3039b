"""The mode, row by row in order of precedence, and that it is a function of facts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.controller.engine.event import Event, Role
from antiphon.controller.engine.projection import TABLE, WORDS, Mode, project
from antiphon.protocol.ids import InstanceId
from tests.controller.engine.facts import (
    R1,
    R2,
    R3,
    READY,
    Run,
    acked,
    assigned,
    at,
    barrier,
    complete,
    connected,
    failure,
    new,
)

STRANGER = replace(at(10, R3), instance_id=InstanceId(8))


def failing(run: Run, reason: str = "digest_mismatch") -> Run:
    """r1 catches up, and fails."""
    run.feed(acked(at(7, R1)))
    run.feed(failure(run.session().ref, reason))
    return run


@pytest.mark.parametrize(
    ("events", "shown"),
    [
        ((), "allocated_only because no replica belongs to the instance"),
        ((assigned(),), "allocated_only because no replica belongs to the instance"),
        # The chain of readiness, in its order.
        ((assigned(R1),), "bootstrap_pending because the claim is not durable yet"),
        (
            (assigned(R1), replace(READY, history_open=None)),
            "bootstrap_pending because the history is not open yet",
        ),
        (
            (assigned(R1), replace(READY, links_configured=None)),
            "bootstrap_pending because the links are not configured yet",
        ),
        ((assigned(R1), READY), "bootstrap_pending because no replica is connected"),
        (
            (assigned(R1), READY, connected(R1)),
            "bootstrap_pending because no replica is up to date yet",
        ),
        (
            (assigned(R1), READY, connected(R1), acked(at(10))),
            "bootstrap_pending because the store has confirmed nothing yet",
        ),
        (
            (assigned(R1), READY, connected(R1), acked(at(10)), barrier()),
            "publish_healthy because all is well",
        ),
        # A flag may go back.
        (
            (
                assigned(R1), READY, connected(R1), acked(at(10)), barrier(),
                replace(READY, history_open=False, role_applied=None),
            ),
            "bootstrap_pending because the history is not open yet",
        ),
        # Of two replicas one is there.
        (
            (assigned(R1, R2), READY, connected(R2), acked(at(10, R2)), barrier()),
            "degraded because r1: it is not connected",
        ),
        (
            (assigned(R1, R2), READY, connected(R1, R2), acked(at(10, R2)), barrier()),
            "bootstrap_pending because r1: it has not reported yet",
        ),
        # Nobody writes in another role.
        (
            (assigned(R1, role=Role.STANDBY), READY, connected(R1)),
            "bootstrap_pending because no replica is up to date yet",
        ),
        (
            (assigned(R1, role=Role.STANDBY), READY, connected(R1), acked(at(10))),
            "replica_ready because nothing is written in this role",
        ),
        # Work in progress.
        (
            (assigned(R1), READY, connected(R1), acked(at(7)), barrier()),
            "bootstrap_pending because r1: it is being brought up to date",
        ),
        (
            (assigned(R1), READY, connected(R1), acked(new()), barrier()),
            "needs_rebuild because r1: its state is being rebuilt",
        ),
        (
            (assigned(R3), READY, connected(R3), acked(STRANGER), barrier()),
            "degraded because r3: refused because it belongs to instance 8, not to 7",
        ),
    ],
)  # fmt: skip
def test_a_mode_and_why(events: tuple[Event, ...], shown: str) -> None:
    """Sync 18."""
    assert str(Run(*events).projection) == shown


def test_only_one_mode_is_healthy() -> None:
    run = Run(assigned(R1), READY, connected(R1), acked(at(10)))
    assert not run.projection.healthy
    run.feed(barrier())
    assert run.projection.healthy
    assert run.projection.mode is Mode.PUBLISH_HEALTHY


def test_a_failure_is_worse_than_work_in_progress() -> None:
    """Sync 18: the worst is shown."""
    run = failing(Run(assigned(R1, R2), READY, connected(R1, R2), acked(at(7, R2)), barrier()))
    assert str(run.projection) == (
        "degraded because r1: what it holds is not what another replica holds"
    )


def test_a_rebuild_is_worse_than_a_failure() -> None:
    run = failing(Run(assigned(R1, R2), READY, connected(R1, R2), acked(new(R2)), barrier()))
    assert str(run.projection) == "needs_rebuild because r2: its state is being rebuilt"


def test_a_failed_rebuild_is_a_failure() -> None:
    run = Run(assigned(R1), READY, connected(R1), acked(new()), barrier())
    run.feed(failure(run.session().ref, "snapshot_unavailable"))
    assert str(run.projection) == "degraded because r1: snapshot unavailable"


def test_a_failure_without_a_reason_still_has_words() -> None:
    assert str(failing(Run(assigned(R1)), reason="").projection) == (
        "degraded because r1: its session failed"
    )


def test_of_two_failures_the_lowest_replica_is_shown() -> None:
    """Case 18."""
    for order in ((R1, R2), (R2, R1)):
        run = Run(assigned(R1, R2))
        for replica in order:
            run.feed(acked(at(7, replica)))
            run.feed(failure(run.session(replica).ref, f"of_{replica}", replica))
        assert run.projection.replica == R1
        assert run.projection.reason == "of_r1"


def test_one_that_keeps_up_lowers_nothing() -> None:
    run = Run(assigned(R1, R2), READY, connected(R1, R2), barrier())
    run.feed(acked(at(10, R1)), acked(at(10, R2)))
    assert run.projection.healthy


def test_who_can_be_read_from_is_counted_whatever_the_mode() -> None:
    """Sync 23: not who is being rebuilt, not who is away."""
    run = Run(assigned(R1, R2, R3), READY, connected(R1, R2), barrier())
    run.feed(acked(new(R1)), acked(at(10, R2)), acked(at(10, R3)))
    assert run.projection.mode is Mode.NEEDS_REBUILD
    assert run.projection.serving == 1
    run.feed(complete(run.session(R1).ref), connected(R3))
    assert run.projection.serving == 3
    assert run.projection.healthy


def test_it_is_a_function_of_the_state() -> None:
    """Sync 18: from a copy of the state it is the same."""
    run = failing(Run(assigned(R1, R2), READY, connected(R1)))
    assert project(replace(run.state)) == run.projection


def test_every_mode_has_a_row_and_every_word_is_said() -> None:
    assert {mode for mode, _ in TABLE} == set(Mode)
    assert all(words and words[0].islower() for words in WORDS.values())
