"""The checker of sessions can fail: too much, or too little, is a violation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.proof.simulation.checkers import Violation, check_session
from antiphon.protocol.command import Hello, Sent, SyncDecision, UpdateConfiguration
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import Position
from antiphon.protocol.version import SPOKEN
from tests.replica.scripted import HISTORY, INCARNATION, REPLICA, complete, hello

UPDATE = UpdateConfiguration(values={})


def _check(decision: SyncDecision, *positions: int, applied: int = 3, head: int = 5) -> None:
    facts = ReplicaFacts(
        replica=REPLICA,
        incarnation=INCARNATION,
        versions=SPOKEN,
        history_id=HISTORY,
        applied_position=Position(applied),
    )
    greeting = hello().command
    assert isinstance(greeting, Hello)
    commands = [*(Sent(Position(at), UPDATE) for at in positions), complete(head)]
    check_session(replace(greeting, decision=decision), facts, commands)


def test_exactly_what_is_missing_passes() -> None:
    _check(SyncDecision.CATCH_UP, 4, 5)
    _check(SyncDecision.KEEP_UP, head=3)
    _check(SyncDecision.REBUILD, 2, 5, applied=0)


@pytest.mark.parametrize("positions", [(4,), (3, 4, 5), (5,), (4, 5, 5)])
def test_a_suffix_with_a_gap_or_a_repeat_is_a_violation(positions: tuple[int, ...]) -> None:
    with pytest.raises(Violation, match="are missing"):
        _check(SyncDecision.CATCH_UP, *positions)


def test_a_numbered_command_for_who_has_all_of_them_is_a_violation() -> None:
    with pytest.raises(Violation):
        _check(SyncDecision.KEEP_UP, 3, head=3)


def test_a_full_set_may_be_anything() -> None:
    _check(SyncDecision.RECONCILE, 1, 2)
