"""The checkers of history, pins and sessions can fail: planted bugs are found in a few seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from antiphon.controller.engine import engine
from antiphon.controller.instance import peeks, subscribes
from antiphon.history.memory import MemoryStore
from antiphon.history.retention import RetentionState
from antiphon.proof.simulation.checkers import Violation
from antiphon.proof.simulation.keeping import check_settled, check_suffix
from antiphon.proof.simulation.run import simulate
from antiphon.protocol.command import CommandSet, Hello
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import ClaimId, HistoryId, InstanceId, Position
from antiphon.protocol.version import SPOKEN
from tests.replica.scripted import HISTORY, INCARNATION, REPLICA, hello

Plant = Callable[[pytest.MonkeyPatch], None]


def folds_past_pins(patch: pytest.MonkeyPatch) -> None:
    def limit(self: RetentionState) -> Position:
        return Position(max(self.base, self.head - self.bounds.slack_entries))

    patch.setattr(RetentionState, "fold_limit", limit)


def reads_from_everybody(patch: pytest.MonkeyPatch) -> None:
    def readers(state: Any, target: Any) -> list[Any]:
        return [r for r in state.open_replicas() if target is None or r.id == target]

    patch.setattr(peeks, "readers", readers)


def subscribes_to_everybody(patch: pytest.MonkeyPatch) -> None:
    real = subscribes.replay

    def replay(state: Any, replica: Any) -> list[Any]:
        commands = real(state, replica)
        for subscribe in state.subscribes.values():
            if subscribe.collection not in replica.installed:
                commands += subscribes.install(state, subscribe, replica)
        return commands

    patch.setattr(subscribes, "replay", replay)


def lets_everybody_write(patch: pytest.MonkeyPatch) -> None:
    real = engine._decide

    def decide(state: Any, view: Any, event: Any, *rest: Any) -> Any:
        found, commands, decided = real(state, view, event, *rest)  # type: ignore[misc]
        if not found.view(view.replica).is_synced:
            commands += (engine.AllowWrites(replica=view.replica),)
        return found, commands, decided

    patch.setattr(engine, "_decide", decide)


@pytest.mark.parametrize(
    ("plant", "says"),
    [
        (folds_past_pins, "takes what r"),
        # Whichever it does first: it is one rule for reads and subscribes.
        (reads_from_everybody, "while it is brought up to date"),
        (subscribes_to_everybody, "is subscribed to while it is brought up to date"),
        (lets_everybody_write, "may write before its session was accepted"),
    ],
)
def test_a_planted_bug_is_found_within_a_few_seeds(
    plant: Plant, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    for seed in range(1, 7):
        failure = simulate(seed).failure
        if failure is not None:
            assert says in failure
            return
    raise AssertionError("six seeds have not found it")


def test_a_suffix_for_who_has_another_history_is_a_violation() -> None:
    store = MemoryStore(instance_id=InstanceId(7), history_id=HistoryId(b"h" * 16))
    store.claim(ClaimId(b"c" * 16))
    facts = ReplicaFacts(
        replica=REPLICA,
        incarnation=INCARNATION,
        versions=SPOKEN,
        history_id=HISTORY,
        applied_position=Position(1),
        command_digest=b"x" * 32,
    )
    greeting = hello().command
    assert isinstance(greeting, Hello)
    check_suffix(replace(greeting, command_set=CommandSet.SUFFIX), facts, store)
    with pytest.raises(Violation, match="stands at 1, the head is 0"):
        check_settled(store, {REPLICA: facts})
