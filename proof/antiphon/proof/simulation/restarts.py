"""Controllers that die while a replica fills itself from a base that lacks a row.

A replica is killed, comes back with nothing, and what it reads of a table is not all of it. While
it fills, or just after, the controller is killed. Whoever follows knows nothing of the session that
was under way; the other replica is well all the time, so no client may ever read what is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from antiphon.proof.simulation.faults import Faults
from antiphon.proof.simulation.replica_process import ReplicaProcess
from antiphon.proof.simulation.seats import Seats
from antiphon.proof.simulation.world import World
from antiphon.protocol.ids import ReplicaId

PAUSE_MS: Final = (300, 1_500)
LOOK_MS: Final = 5
STRIKE_MS: Final = (0, 60)  # from the spoiled read on: about as long as its session takes


class Restarts:
    """Strikes again and again until `faults` are healed. `counts`: how often."""

    def __init__(
        self,
        world: World,
        seats: Seats,
        replicas: Mapping[ReplicaId, ReplicaProcess],
        faults: Faults,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._world = world
        self._random = world.random.split()
        self._seats = seats
        self._replicas = replicas
        self._faults = faults

    def begin(self) -> None:
        self._world.after(self._random.between(*PAUSE_MS), self._next)

    def _next(self) -> None:
        if self._faults.is_healed:
            return
        if not self._all_well():
            self._world.after(LOOK_MS, self._next)
            return
        replica = self._replicas[self._random.choose(tuple(self._replicas))]
        self._faults.kill(replica.name)
        self._await_loss(replica)

    def _all_well(self) -> bool:
        driver = self._seats.live.driver
        if driver is None:
            return False
        state = driver.kernel.instance.state
        known = state.replicas.values()
        is_quiet = state.comparison is None and state.repair is None
        return is_quiet and all(
            one.is_open and one.accepted and not (one.wrong or one.is_unproven) for one in known
        )

    def _await_loss(self, replica: ReplicaProcess) -> None:
        """The controller notices."""
        if self._seats.has_accepted(replica.name):
            self._world.after(LOOK_MS, lambda: self._await_loss(replica))
        else:
            replica.spoils_next = True
            self._await(replica)

    def _await(self, replica: ReplicaProcess) -> None:
        """Its first read of a table."""
        if self._faults.is_healed:
            replica.spoils_next = False
        elif replica.spoils_next and not self._seats.has_accepted(replica.name):
            self._world.after(LOOK_MS, lambda: self._await(replica))
        elif replica.spoils_next:
            replica.spoils_next = False  # there was no row to lack
            self._world.after(self._random.between(*PAUSE_MS), self._next)
        else:
            self.counts["spoiled"] += 1
            self._world.after(self._random.between(*STRIKE_MS), self._strike)

    def _strike(self) -> None:
        if not self._faults.is_healed and self._seats.live.process.alive:
            self.counts["restarted"] += 1
            self._faults.kill_controller()
        self._world.after(self._random.between(*PAUSE_MS), self._next)
