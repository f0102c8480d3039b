"""Who is the controller, and who was, and does not know it yet.

A hand-over claims the next epoch while the older controller goes on talking: its looks at the claim
are stuck for a while, clients that have not heard of the change still ask it, and its commands are
still on their way to replicas. The newer one serves once the older one has ended, or could no
longer answer a read. What must hold: the store takes nothing of the older one, replicas obey it no
more once they have heard the newer, and no client reads what was overwritten.
"""

from __future__ import annotations

from typing import Final

from antiphon.proof.simulation.controller_process import ControllerProcess
from antiphon.proof.simulation.network import Network
from antiphon.proof.simulation.world import World
from antiphon.protocol.ids import ReplicaId
from antiphon.protocol.limits import OWNERSHIP_MS

STILL_ASKED_PERCENT: Final = 40
STUCK_MS: Final = (0, 9_000)  # how long the older one does not see the claim
LATE_MS: Final = (0, 5_000)  # until the newer one reaches a replica, which the older one still has
LOOK_MS: Final = 50


class Seats:
    """The live controller of a store, over all hand-overs. `careful` False: the newer one does not
    wait, and none doubts itself; for tests of the checkers."""

    def __init__(self, first: ControllerProcess, *, careful: bool = True) -> None:
        self.live = first
        self.former: ControllerProcess | None = None
        self.count = 0  # of hand-overs
        self.lives = 0  # of controllers that have had their last
        self._careful = careful
        self._pending: ControllerProcess | None = None

    @property
    def world(self) -> World:
        return self.live.world

    @property
    def network(self) -> Network:
        return self.live.network

    def has_accepted(self, replica: ReplicaId) -> bool:
        """Whether the replica counts for the live one."""
        driver = self.live.driver
        if driver is None:
            return False
        found = driver.kernel.instance.state.replicas.get(replica)
        return found is not None and found.accepted

    def asked(self) -> ControllerProcess:
        """Whom a client asks that may not have heard of the last hand-over."""
        former = self.former
        if former is None or not former.process.alive:
            return self.live
        return former if self.world.random.chance(STILL_ASKED_PERCENT) else self.live

    def revive(self, controller: ControllerProcess) -> None:
        """Start a controller that was killed, unless another one has taken its place."""
        is_live = controller is self.live and self._pending is None
        if is_live and not controller.process.alive:
            controller.start()

    def hand_over(self) -> None:
        """Begin one, if none is under way."""
        older = self.live
        if self._pending is not None or not older.process.alive:
            return
        if self.former is not None and self.former.process.alive:
            return
        self.count += 1
        newer = older.successor()
        self._pending = newer
        newer.reaches_late_ms = LATE_MS
        newer.claim()
        older.stuck_until_ms = self.world.now_ms + self.world.random.between(*STUCK_MS)
        self._wait(older, newer, self.world.now_ms + OWNERSHIP_MS + 500)

    def _wait(self, older: ControllerProcess, newer: ControllerProcess, deadline_ms: int) -> None:
        waits = older.process.alive and self.world.now_ms < deadline_ms
        if waits and self._careful:
            self.world.after(LOOK_MS, lambda: self._wait(older, newer, deadline_ms))
            return
        newer.begin()
        self.lives += older.process.lives
        self.live, self.former, self._pending = newer, older, None
