"""What goes wrong in a simulated run, and its repair.

Swarm testing: each run draws which kinds of fault it has at all, so that rare combinations are not
drowned by common ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from antiphon.proof.simulation.network import Network
from antiphon.proof.simulation.replica_process import ReplicaProcess
from antiphon.proof.simulation.seats import Seats
from antiphon.proof.simulation.world import World
from antiphon.protocol.ids import ReplicaId

PAUSE_MS: Final = (100, 2_500)  # between two faults
DOWN_MS: Final = (10, 2_000)  # how long a killed process stays away
STRIKE_MS: Final = (0, 600)  # from the beginning of a rebuild to what befalls it
STRIKE_PERCENT: Final = 30
AWAY_MS: Final = (1_000, 6_000)  # how long a replica that lives cannot be reached


class Faults:
    """Kills and cuts at random until `heal`."""

    def __init__(
        self,
        world: World,
        network: Network,
        seats: Seats,
        replicas: Mapping[ReplicaId, ReplicaProcess],
        *,
        handover: bool = False,
        enabled_percent: int,
    ) -> None:
        """`enabled_percent`: of the kinds of fault a run has so many."""
        self._world = world
        self._network = network
        self._seats = seats
        self._replicas = replicas
        self._random = world.random.split()
        self.is_healed = False
        kinds: list[Callable[[], None]] = [
            self._kill_replica,
            self.kill_controller,
            self._cut_replica,
            self._cut_controller,
            self._part_replica,
        ]
        self._enabled = [kind for kind in kinds if self._random.chance(enabled_percent)]
        if handover:
            self._enabled += [self._seats.hand_over, self._seats.hand_over]

    def begin(self) -> None:
        if self._enabled:
            self._world.after(self._random.between(*PAUSE_MS), self._next)

    def cease(self) -> None:
        """No more faults; who is down comes back in its time."""
        self.is_healed = True

    def heal(self) -> None:
        """No more faults; who is down comes back at once."""
        self.cease()
        self._seats.revive(self._seats.live)
        for replica in self._replicas.values():
            self._network.join(replica.process)
            if not replica.process.alive:
                replica.start()

    def _next(self) -> None:
        if self.is_healed:
            return
        self._random.choose(self._enabled)()
        self._world.after(self._random.between(*PAUSE_MS), self._next)

    def _kill_replica(self) -> None:
        self.kill(self._random.choose(tuple(self._replicas)))

    def kill(self, name: ReplicaId) -> None:
        replica = self._replicas[name]
        if replica.process.alive:
            replica.kill()
            self._network.cut(replica.process, f"{replica.name} was killed")
            self._back(lambda: None if replica.process.alive else replica.start())

    def kill_controller(self) -> None:
        controller = self._seats.live
        if controller.process.alive:
            controller.kill()
            self._back(lambda: self._seats.revive(controller))

    def _cut_replica(self) -> None:
        self._cut(self._random.choose(tuple(self._replicas)))

    def _cut(self, name: ReplicaId) -> None:
        replica = self._replicas[name]
        self._world.note(f"x streams of {replica.name}")
        self._network.cut(replica.process, "cut")

    def _part_replica(self) -> None:
        """Away for so long that the history may be folded beyond it, with all that it holds."""
        replica = self._replicas[self._random.choose(tuple(self._replicas))]
        self._world.note(f"x {replica.name} is away")
        self._network.part(replica.process)
        away_ms = self._random.between(*AWAY_MS)
        self._world.after(away_ms, lambda: self._network.join(replica.process))

    def rebuild_began(self, replica: ReplicaId, peer: ReplicaId | None) -> None:
        """`peer`: who gives its base; None: the store."""
        if self.is_healed:
            return
        if not self._random.chance(STRIKE_PERCENT):
            return
        giver = self._random.choose(tuple(self._replicas)) if peer is None else peer
        strike: Callable[[], None] = self._random.choose(
            (
                lambda: self.kill(replica),
                lambda: self.kill(giver),
                lambda: self._cut(replica),
                lambda: self._cut(giver),
                self.kill_controller,
            )
        )
        self._world.after(
            self._random.between(*STRIKE_MS), lambda: None if self.is_healed else strike()
        )

    def _cut_controller(self) -> None:
        self._world.note("x streams of the controller")
        self._network.cut(self._seats.live.process, "cut")

    def _back(self, start: Callable[[], None]) -> None:
        self._world.after(self._random.between(*DOWN_MS), start)
