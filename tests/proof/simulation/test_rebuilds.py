"""Rebuilds whose replica, peer, controller or line dies in their middle; and planted bugs of them,
each found within a few seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from antiphon.controller.instance import peeks
from antiphon.controller.instance.content import verifying
from antiphon.controller.instance.state import Holder, HoldKind
from antiphon.proof.simulation.checkers import Violation
from antiphon.proof.simulation.rebuilds import Rebuilds, left
from antiphon.proof.simulation.run import Simulation, simulate
from antiphon.proof.simulation.world import World
from antiphon.protocol.command import AcceptRebuild, Sent, StartRebuild
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import NO_POSITION, CollectionId, ReplicaId, SessionId
from antiphon.protocol.response import RebuildCompleted, RebuildResult
from antiphon.replica.importing.inputs import Inputs
from antiphon.replica.rebuilding.lanes import Lanes

SEEDS = (1, 2, 8, 14)  # with every end among them
SEEDS_UNTIL_FOUND = 10
R1 = ReplicaId("r1")
NOBODY: Any = SimpleNamespace(open_replicas=list, refused=set())

Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def counts() -> Counter[str]:
    """What happened in all seeds together."""
    return Counter()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_rebuild_that_is_struck_in_its_middle_harms_nobody(
    seed: int, counts: Counter[str]
) -> None:
    """Sync 23, 24, 25, 26"""
    report = simulate(seed, rebuilds=True)
    assert report.failure is None, f"seed {seed}: {report.failure}"
    assert report.answers >= 10
    counts.update(report.rebuilds)


@pytest.mark.slow
def test_all_ends_of_a_rebuild_were_among_them(counts: Counter[str]) -> None:
    """A run in which nothing happened would prove nothing."""
    if counts:  # the seeds may have run elsewhere
        assert counts["begun"] > counts["completed"] >= counts["accepted"] > 0
        assert counts["compared"] > 0
        assert counts["from a peer"] > 0


def marks_on_receipt(patch: pytest.MonkeyPatch) -> None:
    real = Lanes.advance

    def advance(self: Any, ticks: Any, upper: Frontier) -> None:
        if self._marks is not None:
            for _, change in ticks:
                self._marks.add(change)
        real(self, ticks, upper)

    patch.setattr(Lanes, "advance", advance)


def reads_the_base_time_again(patch: pytest.MonkeyPatch) -> None:
    real = Lanes.__init__

    def begin(self: Any, imported: Any, base_time: int, *rest: Any) -> None:
        real(self, imported, base_time, *rest)
        self.frontier = Frontier(base_time)

    patch.setattr(Lanes, "__init__", begin)


def reads_from_who_is_repaired(patch: pytest.MonkeyPatch) -> None:
    def readers(state: Any, target: Any) -> list[Any]:
        able = [r for r in state.open_replicas() if r.accepted and not r.troubled]
        return [r for r in able or list(state.open_replicas()) if target in (None, r.id)]

    patch.setattr(peeks, "readers", readers)


def accepts_what_differs(patch: pytest.MonkeyPatch) -> None:
    real = verifying._finding
    patch.setattr(verifying, "_finding", lambda check: real(check)._replace(differing=()))


def forgets_its_lanes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Inputs, "close_lanes", lambda self, lanes: None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plant", "says"),
    [
        (marks_on_receipt, "has rebuilt"),
        (reads_the_base_time_again, "has rebuilt"),
        (reads_from_who_is_repaired, "while it is repaired"),
        (accepts_what_differs, "is accepted, and is wrong"),
        (forgets_its_lanes, "never comes to rest"),
    ],
)
def test_a_planted_bug_is_found_within_a_few_seeds(
    plant: Plant, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    for seed in range(1, SEEDS_UNTIL_FOUND + 1):
        simulation = Simulation(seed, rebuilds=True)
        simulation.faults.cease()  # so that as many rebuilds as can be come to their end
        failure = simulation.run().failure
        if failure is not None:
            assert says in failure
            return
    raise AssertionError(f"{SEEDS_UNTIL_FOUND} seeds have not found it")


def watched() -> Rebuilds:
    strikes = SimpleNamespace(rebuild_began=lambda replica, peer: None, kill=lambda name: None)
    replicas: Any = {R1: SimpleNamespace(is_spoiled=False, spoils_at=None)}
    return Rebuilds(World(1), replicas, strikes)


def start(number: int) -> Sent:
    return Sent(
        NO_POSITION,
        StartRebuild(
            session_id=SessionId(number),
            collections=(CollectionId(7),),
            base_time=5,
            target_time=9,
            deadline_ms=0,
        ),
    )


def test_what_has_no_result_must_not_be_accepted() -> None:
    rebuilds = watched()
    rebuilds.said(NOBODY, R1, [start(1)])
    with pytest.raises(Violation, match="rebuild 1 is accepted without result"):
        rebuilds.said(NOBODY, R1, [Sent(NO_POSITION, AcceptRebuild(session_id=SessionId(1)))])


@pytest.mark.parametrize(
    ("number", "time", "digest", "says"),
    [
        (2, 9, bytes(16), "a result of rebuild 2"),
        (1, 8, bytes(16), "up to 8 alone"),
        (1, 9, bytes(15), "15 bytes of digests"),
    ],
)
def test_a_result_of_nothing_or_of_another_shape_is_a_violation(
    number: int, time: int, digest: bytes, says: str
) -> None:
    rebuilds = watched()
    rebuilds.said(NOBODY, R1, [start(1)])
    result = RebuildCompleted(achieved_time=time, digest=digest)
    with pytest.raises(Violation, match=says):
        rebuilds.heard(NOBODY, R1, [RebuildResult(session_id=SessionId(number), result=result)])


def test_what_is_left_of_a_session_is_named() -> None:
    held = SimpleNamespace(
        id=CollectionId(7), holds={Holder(HoldKind.REPAIR, 5): 1, Holder(HoldKind.PEEK, 1): 1}
    )
    state: Any = SimpleNamespace(collections={}, comparison=None, repair=None)
    replicas: Any = {R1: SimpleNamespace(unfinished=())}
    assert left(state, replicas) == ()
    state.collections[7] = held
    replicas[R1].unfinished = ("rebuild 5",)
    assert left(state, replicas) == ("u7 held for REPAIR", "r1: rebuild 5")
