"""Sync 27, in the simulated world: a row that nobody wrote is found by its digest and is gone."""

from __future__ import annotations

import pytest

from antiphon.controller.engine.decision import Sync
from antiphon.proof.simulation.client import Definer
from antiphon.proof.simulation.run import DEFINE_MS_MAX, SCHEMA_SQL, Simulation
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, ReplicaId
from antiphon.replica.installing.exported import InstalledExport


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("name", ["r1", "r2"])
def test_a_tampered_replica_is_found_and_repaired_while_it_serves(seed: int, name: str) -> None:
    simulation = Simulation(seed)
    for replica in simulation.replicas.values():
        replica.start()
    simulation.seats.live.start()
    definer = Definer(simulation.seats, SCHEMA_SQL)
    simulation._until(lambda: definer.done, DEFINE_MS_MAX, "the schema was never created")
    simulation.writer.begin()
    simulation.world.run_until(simulation.world.now_ms + 4_000)

    def export(of: str) -> InstalledExport:
        worker = simulation.replicas[ReplicaId(of)]._worker
        return next(
            e
            for e in worker._held.installed.exports()
            if e.kept is not None and e.trace.parts(e.owner.frontier.time - 1)
        )

    assert simulation.seats.live.driver is not None
    state = simulation.seats.live.driver.kernel.instance.state

    def outcomes() -> list[str]:
        return [
            record.outcome
            for replica in state.replicas.values()
            for record in replica.decisions
            if isinstance(record.decision, Sync) and record.decision.code == "content_differs"
        ]

    assert outcomes() == [], "nobody differed before"
    found = export(name)
    collection: CollectionId = found.collection
    time = found.owner.frontier.time
    assert time is not None
    strange = next(part for part in found.trace.parts(time - 1) if part.row_count)
    if found.trace.shared is None:
        found.trace._rows.add(0, strange.slice(0, 1))
    else:
        found.trace.shared.load(strange.slice(0, 1))

    def repaired() -> bool:
        digests = []
        for replica in simulation.replicas.values():
            kept = replica._worker._held.installed.find(collection)
            assert kept is not None
            at = kept.owner.frontier.time
            assert at is not None
            digests.append((at, kept))
        time = min(at for at, _ in digests) - 1
        if not all(kept.trace.since.less_equal(Frontier(time)) for _, kept in digests):
            return False  # the repaired one begins later than the other is; a tick mends it
        contents = [kept.trace.snapshot(time) for _, kept in digests]
        rows = [
            sorted(
                zip(*(c.to_pylist() for c in one.columns), one.diffs.tolist(), strict=True),
                key=repr,
            )
            for one in contents
        ]
        return state.repair is None and "repaired" in outcomes() and rows[0] == rows[1]

    simulation._until(repaired, 30_000, lambda: f"not repaired: {outcomes()}")
