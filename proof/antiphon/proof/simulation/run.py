"""One seed, from an empty store to a verdict: safety under faults, then liveness without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from antiphon.history.memory import MemoryStore
from antiphon.proof.simulation.checkers import Observations, Violation, check
from antiphon.proof.simulation.client import Definer
from antiphon.proof.simulation.collections_link import CollectionsLink
from antiphon.proof.simulation.controller_process import ControllerProcess
from antiphon.proof.simulation.faults import Faults
from antiphon.proof.simulation.keeping import check_settled
from antiphon.proof.simulation.model import CHURN_SQL, SCHEMA_SQL, VIEWS
from antiphon.proof.simulation.network import Network
from antiphon.proof.simulation.readers import Reader, Subscriber
from antiphon.proof.simulation.rebuilds import Rebuilds, left
from antiphon.proof.simulation.replica_process import ReplicaProcess
from antiphon.proof.simulation.restarts import Restarts
from antiphon.proof.simulation.seats import Seats
from antiphon.proof.simulation.world import EPOCH_MS, World
from antiphon.proof.simulation.writer import Writer
from antiphon.protocol.ids import HistoryId, InstanceId, ReplicaId
from antiphon.protocol.limits import OWNERSHIP_MS

REPLICAS: Final = (ReplicaId("r1"), ReplicaId("r2"))
# A majority, so that one that is taken for different is repaired, and not the others.
REBUILT_REPLICAS: Final = (*REPLICAS, ReplicaId("r3"))
FAULTS_PERCENT: Final = 60  # of the kinds of fault a run has so many
REBUILT_FAULTS_PERCENT: Final = 20  # rebuilds are struck by faults of their own
DEFINE_MS_MAX: Final = 120_000
FAULTY_MS: Final = 12_000
CHURN_PAUSE_MS: Final = (50, 900)
HEALED_MS_MAX: Final = 90_000
REST_MS_MAX: Final = 20_000  # from the last answer on


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run saw. `failure` None: nothing was wrong."""

    seed: int
    failure: str | None
    digest: str  # of the trace: equal for equal seeds
    trace: tuple[str, ...]
    writes: int
    answers: int
    intervals: int
    folds: int
    decisions: Mapping[str, int]  # how often each kind of session was opened
    controller_lives: int
    handovers: int
    rebuilds: Mapping[str, int]  # how many began, completed, ...
    restarts: Mapping[str, int]  # how many replicas read what lacked a row, controllers died then
    replica_lives: int
    virtual_ms: int


class Simulation:
    """The whole world of one seed."""

    def __init__(
        self,
        seed: int,
        *,
        handover: bool = False,
        careful: bool = True,
        rebuilds: bool = False,
        restarts: bool = False,
    ) -> None:
        self.seed = seed
        self.world = World(seed)
        self.network = Network(self.world)
        self.store = MemoryStore(
            instance_id=InstanceId(1), history_id=HistoryId(self.world.random.random_id())
        )
        self.replicas: dict[ReplicaId, ReplicaProcess] = {}
        first = ControllerProcess(
            self.world,
            self.network,
            self.store,
            self.replicas,
            ownership_ms=OWNERSHIP_MS if handover and careful else None,
        )
        self.seats = Seats(first, careful=careful)
        self.names = REBUILT_REPLICAS if rebuilds else REPLICAS
        for name in self.names:
            self.replicas[name] = ReplicaProcess(
                self.world, name, lambda replica: CollectionsLink(self.seats, replica)
            )
        self.observed = Observations()
        self.writer = Writer(self.seats, self.observed)
        self.reader = Reader(self.seats, self.observed, VIEWS, self.names)
        self.subscribers = [
            Subscriber(self.seats, self.observed, view) for view in ("totals", "priced")
        ]
        self.faults = Faults(
            self.world,
            self.network,
            self.seats,
            self.replicas,
            handover=handover,
            enabled_percent=_faults_percent(rebuilds=rebuilds, restarts=restarts),
        )
        self.restarts: Restarts | None = None
        if restarts:
            self.restarts = Restarts(self.world, self.seats, self.replicas, self.faults)
        self.rebuilds: Rebuilds | None = None
        if rebuilds:
            self.rebuilds = first.rebuilds = Rebuilds(self.world, self.replicas, self.faults)

    def run(self) -> Report:
        """Runs to the end, whatever it brings."""
        failure: str | None = None
        try:
            self._run()
        except AssertionError as error:
            # A violation, or an assertion of the product itself: both are what we look for.
            failure = f"{type(error).__name__}: {error}"
            self.world.note(f"! {failure}")
        return Report(
            seed=self.seed,
            failure=failure,
            digest=self.world.digest,
            trace=tuple(self.world.trace),
            writes=len(self.observed.writes),
            answers=len(self.observed.answers),
            folds=self.seats.live.folds,
            decisions={kind.name: n for kind, n in sorted(self.seats.live.decisions.items())},
            intervals=sum(len(found) for found in self.observed.intervals.values()),
            controller_lives=self.seats.lives + self.seats.live.process.lives,
            handovers=self.seats.count,
            rebuilds={} if self.rebuilds is None else dict(sorted(self.rebuilds.counts.items())),
            restarts={} if self.restarts is None else dict(sorted(self.restarts.counts.items())),
            replica_lives=sum(replica.process.lives for replica in self.replicas.values()),
            virtual_ms=self.world.now_ms - EPOCH_MS,
        )

    def _run(self) -> None:
        for replica in self.replicas.values():
            replica.start()
        self.seats.live.start()
        self.faults.begin()
        definer = Definer(self.seats, SCHEMA_SQL)
        self._until(lambda: definer.done, DEFINE_MS_MAX, "the schema was never created")
        self.writer.begin()
        self.reader.begin()
        for subscriber in self.subscribers:
            subscriber.begin()
        if self.restarts is not None:
            self.restarts.begin()
        churn = Definer(self.seats, CHURN_SQL, CHURN_PAUSE_MS)
        self.world.run_until(self.world.now_ms + FAULTY_MS)
        self.faults.heal()
        if self.rebuilds is not None:
            self.rebuilds.lie_percent = 0
        churn.stop()
        self.writer.stopped = True
        self.reader.stopped = True
        self._until(lambda: not self.writer.busy, HEALED_MS_MAX, "an append never got its answer")
        self._until(lambda: churn.done, HEALED_MS_MAX, "a definition never got its answer")
        self._read_everything()
        self._catch_up()
        self._settle()
        check(self.observed)

    def _read_everything(self) -> None:
        """Liveness: every view, on every replica, at the final time."""
        waiting = {(view, name) for view in VIEWS for name in self.names}

        def ask(view: str, name: ReplicaId) -> None:
            self.reader.read(
                view,
                name,
                lambda: waiting.discard((view, name)),
                lambda reason: self.reader.later(lambda: ask(view, name)),
            )

        for view, name in sorted(waiting):
            ask(view, name)
        self._until(lambda: not waiting, HEALED_MS_MAX, lambda: f"no answer for {sorted(waiting)}")

    def _catch_up(self) -> None:
        """Liveness: every subscriber has seen everything."""
        driver = self.seats.live.driver
        assert driver is not None, "healed"
        upper = driver.timeline_upper
        self._until(
            lambda: all(subscriber.frontier >= upper for subscriber in self.subscribers),
            HEALED_MS_MAX,
            lambda: f"subscribers stand at {[s.frontier for s in self.subscribers]} of {upper}",
        )

    def _settle(self) -> None:
        """Liveness: every replica is accepted, at the head."""
        driver = self.seats.live.driver
        assert driver is not None, "healed"
        replicas = driver.kernel.instance.state.replicas
        self._until(
            lambda: all(replica.is_open and replica.accepted for replica in replicas.values()),
            HEALED_MS_MAX,
            lambda: f"{driver.status().mode} because {driver.status().mode_reason}",
        )
        facts = {name: replica.facts() for name, replica in self.replicas.items()}
        check_settled(self.store, facts)
        state = driver.kernel.instance.state
        self._until(
            lambda: not left(state, self.replicas),
            REST_MS_MAX,
            lambda: f"it never comes to rest: {', '.join(left(state, self.replicas))}",
        )

    def _until(
        self, condition: Callable[[], bool], within_ms: int, complaint: str | Callable[[], str]
    ) -> None:
        deadline = self.world.now_ms + within_ms
        if not self.world.run_while(lambda: not condition(), deadline):
            text = complaint if isinstance(complaint, str) else complaint()
            raise Violation(f"{text} within {within_ms} ms")


def _faults_percent(*, rebuilds: bool, restarts: bool) -> int:
    if restarts:
        return 0  # one replica has to be well all the time
    return REBUILT_FAULTS_PERCENT if rebuilds else FAULTS_PERCENT


def simulate(
    seed: int,
    *,
    handover: bool = False,
    careful: bool = True,
    rebuilds: bool = False,
    restarts: bool = False,
) -> Report:
    """Run one seed. Equal seeds give equal reports.

    Args:
        handover: controllers are replaced while they live.
        careful: False plants a bug: nobody waits for the older one, nor doubts itself.
        rebuilds: of three replicas one is taken for different, again and again, and rebuilt, while
            it, its peers, the controller and the lines between them die.
        restarts: nothing goes wrong but that a replica comes back, reads what lacks a row, and the
            controller dies meanwhile.
    """
    return Simulation(
        seed, handover=handover, careful=careful, rebuilds=rebuilds, restarts=restarts
    ).run()
