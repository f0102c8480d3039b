"""A controller in the simulated world: the real driver, planner and oracle over virtual ports.

Its disk is a `MemoryStore`, which outlives it. A submission becomes durable after a while; when the
process is killed, what was submitted and not yet durable is lost, or has become durable with nobody
left to hear of it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Final

from antiphon.controller.driver import Driver
from antiphon.controller.instance.event import DigestsTold, LinkLost, ResponsesReceived, Ticked
from antiphon.controller.instance.invariants import check as check_invariants
from antiphon.controller.instance.state import InstanceConfig
from antiphon.controller.ports import Reply
from antiphon.controller.ports import World as Ports
from antiphon.controller.recovery import recover
from antiphon.controller.request import (
    DriverEvent,
    OwnerSeen,
    ReplicaReached,
    ReplicasConfigured,
    ResultFetched,
)
from antiphon.controller.sql.planner import plan_statement, split_statements
from antiphon.controller.sql.statement import Statement
from antiphon.history.memory import MemoryStore
from antiphon.history.store import Completion, Fence, Submission
from antiphon.proof.simulation.checkers import check_fence, check_session
from antiphon.proof.simulation.keeping import check_fold, check_sent, check_suffix, tiny_policy
from antiphon.proof.simulation.network import Network, Stream
from antiphon.proof.simulation.rebuilds import OVERLAPPING_PERCENT, Rebuilds
from antiphon.proof.simulation.replica_process import ReplicaProcess, Session
from antiphon.proof.simulation.tails import Tails
from antiphon.proof.simulation.world import Process, World
from antiphon.protocol.command import Hello, Sent, SyncDecision
from antiphon.protocol.describe import describe
from antiphon.protocol.errors import EpochFenced, ReplicaFailed
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import (
    ClaimId,
    CollectionId,
    ConnectionId,
    PeekId,
    ReplicaId,
)
from antiphon.protocol.limits import HEARTBEAT_INTERVAL_MS, LOOK_MS

COMMIT_MS_MAX: Final = 12
COMPARE_MS: Final = 1_500  # often, so that comparisons meet everything else that happens
REBUILT_COMPARE_MS: Final = 400  # so often that a run has many rebuilds
BACKOFF_MS: Final = (100, 1_500)
LOST_ACKNOWLEDGEMENT_PERCENT: Final = 50


class ControllerProcess:
    """One controller, over all its lives. `replicas` may be killed and started beside it."""

    def __init__(
        self,
        world: World,
        network: Network,
        store: MemoryStore,
        replicas: Mapping[ReplicaId, ReplicaProcess],
        *,
        ownership_ms: int | None = None,
    ) -> None:
        """`ownership_ms`: of a controller that may be replaced while it lives."""
        self.world = world
        self.network = network
        self.store = store
        self.replicas = replicas
        self.process = Process("controller")
        self.driver: Driver | None = None
        self.policy = tiny_policy(world.random.split())
        self.folds = 0  # that were submitted, over all lives
        self.tails = Tails(world)
        self.decisions: Counter[SyncDecision] = Counter()  # over all lives
        self._callers: dict[int, Callable[[Reply], None]] = {}
        self._requests = 0
        self._wake_at_ms: int | None = None
        self._planned: dict[tuple[str, int], Statement] = {}
        self._ownership_ms = ownership_ms
        self.rebuilds: Rebuilds | None = None  # who watches them
        self._claim_id = ClaimId(bytes(16))
        self.reaches_late_ms: tuple[int, int] | None = None  # its replicas, when it begins
        self.stuck_until_ms = 0  # its looks at the claim come to nothing before
        self.submitted: deque[Submission] = deque()

    def successor(self) -> ControllerProcess:
        """Another one, of the same store and replicas."""
        found = ControllerProcess(
            self.world,
            self.network,
            self.store,
            self.replicas,
            ownership_ms=self._ownership_ms,
        )
        found.rebuilds = self.rebuilds
        return found

    def start(self) -> None:
        """Claim the next epoch, recover, and reach for every replica."""
        self.claim()
        self.begin()

    def claim(self) -> None:
        """From here on the store takes nothing of any older one."""
        self._claim_id = ClaimId(self.world.random.random_id())
        self.store.claim(self._claim_id)

    def begin(self) -> None:
        """Recover under the claim."""
        self.process.start()
        claim_id, opened = self._claim_id, self.store.opened()
        config = InstanceConfig(
            compare_ms=COMPARE_MS if self.rebuilds is None else REBUILT_COMPARE_MS,
            rebuild_from_peers=1 if self.rebuilds is None else self.rebuilds.from_peers,
            instance_id=opened.instance_id,
            name="default",
            history_id=opened.history_id,
            epoch=opened.epoch,
            claim_id=claim_id,
            policy=self.policy,
        )
        if self.rebuilds is not None:
            self.tails.overlapping_percent = OVERLAPPING_PERCENT
        recovered = recover(opened, self.store.history(), config)
        ports = Ports(
            store=_Store(self),
            links=_Links(self),
            tails=self.tails,
            replies=_Replies(self),
            clock=_Clock(self.world),
            random=self.world.random,
        )
        fence = Fence(epoch=opened.epoch, claim_id=claim_id)
        self._callers.clear()
        self._planned.clear()
        self._wake_at_ms = None
        self.driver = Driver(
            recovered=recovered, fence=fence, world=ports, ownership_ms=self._ownership_ms
        )
        self.world.note(f"= controller epoch={opened.epoch} head={opened.head}")
        self.world.after(HEARTBEAT_INTERVAL_MS, self._beat, self.process)
        if self._ownership_ms is not None:
            self.world.after(LOOK_MS, self._look, self.process)
        named = {replica: replica for replica in self.replicas}
        self.ask(
            lambda number: ReplicasConfigured(request=number, replicas=named), lambda reply: None
        )

    def kill(self) -> None:
        """SIGKILL. Some of what it had submitted may be durable, and unanswered."""
        self.world.note("x controller")
        self.process.kill()
        while self.submitted and self.world.random.chance(LOST_ACKNOWLEDGEMENT_PERCENT):
            self.commit()
        self._gone("the controller was killed")

    def commit(self) -> Completion:
        """The store performs the oldest submission of this controller.

        Raises:
            Violation: it takes what an older claim submitted.
        """
        submission = self.submitted.popleft()
        self.store.submit(submission)
        completion = self.store.commit_next()
        assert completion is not None, "one was submitted"
        check_fence(submission, completion, self.store.opened().epoch)
        return completion

    def _gone(self, reason: str) -> None:
        self.submitted.clear()
        self.tails.clear()
        self.driver = None
        self.network.cut(self.process, reason)

    def _look(self) -> None:
        """At the claim, as often as the real one does."""
        if self.world.now_ms >= self.stuck_until_ms:
            self.handle(OwnerSeen(owner=self.store.owner(), at_ms=self.world.now_ms))
        if self.process.alive:
            self.world.after(LOOK_MS, self._look, self.process)

    def plan(self, sql: str) -> tuple[Statement, int]:
        """A planned statement and the catalog version it is for."""
        assert self.driver is not None, "a dead controller plans nothing"
        catalog = self.driver.catalog
        key = (sql, catalog.version)
        if key not in self._planned:
            (piece,) = split_statements(sql)
            self._planned[key] = plan_statement(piece, catalog)
        return self._planned[key], catalog.version

    def ask(self, event_of: Callable[[int], DriverEvent], on_reply: Callable[[Reply], None]) -> int:
        """Give the driver a request; `on_reply` hears every reply to it."""
        self._requests += 1
        self._callers[self._requests] = on_reply
        request = self._requests
        self.handle(event_of(request))
        return request

    def forget(self, request: int) -> None:
        self._callers.pop(request, None)

    def reply(self, request: int, reply: Reply) -> None:
        caller = self._callers.get(request)
        if caller is not None:
            caller(reply)

    def handle(self, event: DriverEvent) -> None:
        assert self.driver is not None, "a dead controller hears nothing"
        self.driver.handle(event)
        if isinstance(self.driver.fault, EpochFenced):
            self.world.note("x controller: it was replaced")
            self.process.kill()
            self._gone("the controller was replaced")
            return
        self._plan_wake()

    def _plan_wake(self) -> None:
        assert self.driver is not None, "a dead controller does not wake"
        wake = self.driver.wake_at_ms
        if wake is None or (self._wake_at_ms is not None and self._wake_at_ms <= wake):
            return
        self._wake_at_ms = wake
        self.world.after(max(wake - self.world.now_ms, 0), self._wake, self.process)

    def _beat(self) -> None:
        assert self.driver is not None, "a dead controller has no pulse"
        self.tails.beat(Frontier(self.driver.timeline_upper))
        check_invariants(self.driver.kernel.instance.state)
        self.world.after(HEARTBEAT_INTERVAL_MS, self._beat, self.process)

    def _wake(self) -> None:
        self._wake_at_ms = None
        self.handle(Ticked())


class _Store:
    """Submissions become durable one after another, each after a while."""

    def __init__(self, owner: ControllerProcess) -> None:
        self._owner = owner

    def submit(self, submission: Submission) -> None:
        owner = self._owner
        if submission.fold_to is not None:
            assert owner.driver is not None, "a dead controller folds nothing"
            check_fold(owner.driver.kernel.instance.state, submission.fold_to)
            owner.world.note(f"= folds up to {submission.fold_to}")
            owner.folds += 1
        owner.submitted.append(submission)
        delay = owner.world.random.between(0, COMMIT_MS_MAX)
        owner.world.after(delay, self._commit, owner.process)

    def _commit(self) -> None:
        self._owner.handle(self._owner.commit())


class _Links:
    """Probe, session, loss, back-off: what `antiphon.controller.io.link` does over gRPC."""

    def __init__(self, owner: ControllerProcess) -> None:
        self._owner = owner
        self._streams: dict[ReplicaId, tuple[Stream, ConnectionId]] = {}
        self._known: set[ReplicaId] = set()

    def connect(self, replica: ReplicaId, address: str) -> None:
        self._known.add(replica)
        owner = self._owner
        if owner.reaches_late_ms is None:
            self._probe(replica)
            return
        late_ms = owner.world.random.between(*owner.reaches_late_ms)
        owner.world.after(late_ms, lambda: self._probe(replica), owner.process)

    def open(self, replica: ReplicaId, commands: tuple[Sent, ...]) -> None:
        owner = self._owner
        hello = commands[0].command
        assert isinstance(hello, Hello), "a session begins with Hello"
        assert owner.driver is not None, "a dead controller opens nothing"
        facts = owner.driver.kernel.instance.state.replicas[replica].facts
        assert facts is not None, "a session follows a probe"
        check_session(hello, facts, commands)
        check_suffix(hello, facts, owner.store)
        owner.decisions[hello.decision] += 1
        target = owner.replicas[replica]
        stream = owner.network.open(owner.process, target.process)
        connection = hello.connection_id
        self._streams[replica] = (stream, connection)
        stream.attach(
            0,
            lambda message: self._received(replica, message),
            lambda reason: self._lost(replica, stream, reason),
        )
        if target.process.alive:
            Session(target, stream)
            self.send(replica, commands)
        else:
            stream.cut("nobody listens")

    def send(self, replica: ReplicaId, commands: tuple[Sent, ...]) -> None:
        found = self._streams.get(replica)
        if found is not None:
            assert self._owner.driver is not None, "a dead controller says nothing"
            check_sent(self._owner.driver.kernel.instance.state, replica, commands)
            if self._owner.rebuilds is not None:
                state = self._owner.driver.kernel.instance.state
                self._owner.rebuilds.said(state, replica, commands)
            for sent in commands:
                self._owner.world.note(f"> {replica} {describe(sent)}")
            found[0].send(0, commands)

    def close(self, replica: ReplicaId, reason: str) -> None:
        found = self._streams.get(replica)
        if found is None:
            self._again(replica)
            return
        found[0].close(0, reason)
        self._owner.world.after(
            0, lambda: self._lost(replica, found[0], reason), self._owner.process
        )

    def disconnect(self, replica: ReplicaId) -> None:
        self._known.discard(replica)
        found = self._streams.pop(replica, None)
        if found is not None:
            found[0].close(0, "the replica was removed")

    def ask_digests(
        self, replica: ReplicaId, collections: tuple[CollectionId, ...], time: int
    ) -> None:
        owner = self._owner
        target = owner.replicas[replica]

        def told(digests: Mapping[CollectionId, bytes]) -> None:
            wanted = {c: digests[c] for c in collections if c in digests}
            if owner.rebuilds is not None:
                wanted = owner.rebuilds.told(replica, wanted)
            owner.network.call(
                target.process,
                owner.process,
                lambda: owner.handle(DigestsTold(replica=replica, time=time, digests=wanted)),
                lambda _: None,
            )

        owner.network.call(
            owner.process,
            target.process,
            lambda: target.ask_digests(collections, time, told),
            lambda _: None,
        )

    def fetch(self, replica: ReplicaId, peek_id: PeekId, request: int) -> None:
        owner = self._owner
        target = owner.replicas[replica]

        def answer(result: object) -> None:
            if isinstance(result, tuple):
                owner.handle(ResultFetched(request=request, batches=result))
            else:
                error = ReplicaFailed(f"replica {replica} is gone", replica=replica)
                owner.handle(ResultFetched(request=request, error=error))

        owner.network.call(
            owner.process, target.process, lambda: target.take_result(peek_id), answer
        )

    def _probe(self, replica: ReplicaId) -> None:
        owner = self._owner
        target = owner.replicas[replica]

        def answer(facts: object) -> None:
            if replica not in self._known:
                return
            if isinstance(facts, ConnectionError):
                owner.handle(LinkLost(replica=replica, connection_id=None, reason=str(facts)))
                self._again(replica)
            else:
                owner.handle(ReplicaReached(replica=replica, facts=facts))  # type: ignore[arg-type]

        owner.network.call(owner.process, target.process, target.facts, answer)

    def _again(self, replica: ReplicaId) -> None:
        delay = self._owner.world.random.between(*BACKOFF_MS)
        self._owner.world.after(delay, lambda: self._probe(replica), self._owner.process)

    def _received(self, replica: ReplicaId, message: object) -> None:
        assert isinstance(message, tuple), "a session carries response batches"
        connection_id, responses = message
        if self._owner.rebuilds is not None and self._owner.driver is not None:
            state = self._owner.driver.kernel.instance.state
            self._owner.rebuilds.heard(state, replica, responses)
        self._owner.handle(
            ResponsesReceived(replica=replica, connection_id=connection_id, responses=responses)
        )

    def _lost(self, replica: ReplicaId, stream: Stream, reason: str) -> None:
        found = self._streams.get(replica)
        if found is None or found[0] is not stream:
            return
        del self._streams[replica]
        self._owner.world.note(f"= {replica} lost: {reason}")
        self._owner.handle(LinkLost(replica=replica, connection_id=found[1], reason=reason))
        if replica in self._known:
            self._again(replica)


class _Replies:
    def __init__(self, owner: ControllerProcess) -> None:
        self._owner = owner

    def reply(self, request: int, reply: Reply) -> None:
        self._owner.reply(request, reply)


class _Clock:
    def __init__(self, world: World) -> None:
        self._world = world

    def now_ms(self) -> int:
        return self._world.now_ms
