"""Nobody reads what a replica filled itself with wrongly before its controller died; and planted
bugs of that, each found within a few seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from antiphon.controller.instance.content import verifying
from antiphon.proof.simulation.run import simulate
from antiphon.protocol.facts import ReplicaFacts
from antiphon.replica.front import Front

SEEDS = range(1, 9)
SEEDS_UNTIL_FOUND = 40

Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.slow
def test_what_a_dead_controller_had_not_accepted_is_read_by_nobody() -> None:
    spoiled, restarted = 0, 0
    for seed in SEEDS:
        report = simulate(seed, restarts=True)
        assert report.failure is None, f"seed {seed}: {report.failure}"
        assert report.answers >= 10
        spoiled += report.restarts.get("spoiled", 0)
        restarted += report.restarts.get("restarted", 0)
    assert spoiled >= restarted >= len(SEEDS), "a run in which nothing happened proves nothing"


def says_nothing_of_it(patch: pytest.MonkeyPatch) -> None:
    real = Front.facts

    def facts(self: Front) -> ReplicaFacts:
        return replace(real(self), unaccepted=False)

    patch.setattr(Front, "facts", facts)


def waits_for_no_word_of_others(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verifying, "is_awaiting", lambda state, replica: False)


@pytest.mark.slow
@pytest.mark.parametrize("plant", [says_nothing_of_it, waits_for_no_word_of_others])
def test_a_planted_bug_is_found_within_a_few_seeds(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    for seed in range(1, SEEDS_UNTIL_FOUND + 1):
        failure = simulate(seed, restarts=True).failure
        if failure is not None:
            assert "missing " in failure
            return
    raise AssertionError(f"{SEEDS_UNTIL_FOUND} seeds have not found it")
