"""Facts, observations and events as tests write them: only what is unusual is said."""

from __future__ import annotations

from dataclasses import replace

from antiphon.controller.engine.engine import Stepped, step
from antiphon.controller.engine.event import (
    Assigned,
    Assignee,
    BarrierConfirmed,
    EngineCommand,
    Event,
    ReadinessObserved,
    Role,
    SessionCompleted,
    SessionFailed,
    SessionProgressed,
    SyncAcked,
)
from antiphon.controller.engine.observation import Observation, Wanted
from antiphon.controller.engine.policy import DEFAULT, Policy
from antiphon.controller.engine.projection import Projection, project
from antiphon.controller.engine.session import Rejection, Session, SessionRef
from antiphon.controller.engine.view import EngineState, View
from antiphon.history.digest import EMPTY_DIGEST
from antiphon.protocol.facts import DataflowFacts, ReplicaFacts
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import (
    ClaimId,
    CollectionId,
    ConnectionId,
    Epoch,
    HistoryId,
    Incarnation,
    InstanceId,
    Position,
    ReplicaId,
)
from antiphon.protocol.version import SPOKEN

INSTANCE = InstanceId(7)
OURS, THEIRS = HistoryId(b"h" * 16), HistoryId(b"x" * 16)
R1, R2, R3 = (ReplicaId(f"r{number}") for number in (1, 2, 3))
CLAIM, OTHER_CLAIM = ClaimId(b"c" * 16), ClaimId(b"d" * 16)
EPOCH = Epoch(3)


def digest(position: int, branch: str = "") -> bytes:
    """What stands for the chain's digest there, on our branch or on another."""
    if position == 0:
        return EMPTY_DIGEST
    return f"{branch}{position}".encode().rjust(32, b".")


def incarnation(number: int) -> Incarnation:
    return Incarnation(number.to_bytes(16, "big"))


def connection(number: int) -> ConnectionId:
    return ConnectionId(number.to_bytes(16, "big"))


def dataflow(
    export: int, *, since: int = 5, plan: str = "", hydrated: bool = True
) -> DataflowFacts:
    return DataflowFacts(
        exports=(CollectionId(export),),
        fingerprint=(plan or f"plan {export}").encode(),
        since=Frontier(since),
        upper=Frontier(since + 10),
        hydrated=hydrated,
    )


def wanted(export: int, *, as_of: int = 5, imports: tuple[int, ...] = ()) -> Wanted:
    return Wanted(
        exports=(CollectionId(export),),
        fingerprint=f"plan {export}".encode(),
        as_of=Frontier(as_of),
        local_imports=tuple(CollectionId(each) for each in imports),
    )


def new(replica: ReplicaId = R1, process: int = 1) -> ReplicaFacts:
    """A replica that nobody has spoken to."""
    return ReplicaFacts(replica=replica, incarnation=incarnation(process), versions=SPOKEN)


def at(
    position: int, replica: ReplicaId = R1, *, process: int = 1, holds: tuple[int, ...] = ()
) -> ReplicaFacts:
    """A replica of ours that has applied the history up to `position`."""
    return replace(
        new(replica, process),
        instance_id=INSTANCE,
        history_id=OURS,
        highest_epoch=EPOCH,
        applied_position=Position(position),
        command_digest=digest(position),
        dataflows=tuple(dataflow(export) for export in holds),
    )


def observe(
    facts: ReplicaFacts,
    *,
    head: int = 10,
    base: int = 4,
    full: tuple[Wanted, ...] = (wanted(1), wanted(2)),
    epoch: Epoch = EPOCH,
) -> Observation:
    """A history whose commands up to 4 are folded, of 10."""
    position = facts.applied_position
    return Observation(
        facts=facts,
        instance_id=INSTANCE,
        history_id=OURS,
        epoch=epoch,
        head=Position(head),
        head_digest=digest(head),
        base=Position(base),
        digest_at_position=digest(position) if base <= position <= head else None,
        wanted=full,
    )


def assigned(
    *replicas: ReplicaId,
    epoch: int = EPOCH,
    role: Role = Role.PRIMARY,
    claim: ClaimId = CLAIM,
    address: str = "here",
) -> Assigned:
    return Assigned(
        instance_id=INSTANCE,
        epoch=Epoch(epoch),
        claim_id=claim,
        role=role,
        replicas=tuple(Assignee(replica=each, address=address) for each in replicas),
    )


def acked(
    facts: ReplicaFacts, request: int = 1, *, over: int = 1, head: int = 10, base: int = 4
) -> SyncAcked:
    """An answer to the probe `request` on the connection `over`."""
    return SyncAcked(
        instance_id=INSTANCE,
        request=request,
        connection_id=connection(over),
        observation=observe(facts, head=head, base=base),
    )


def connected(*replicas: ReplicaId, is_so: bool = True) -> ReadinessObserved:
    return ReadinessObserved(
        instance_id=INSTANCE, connected=tuple((each, is_so) for each in replicas)
    )


READY = ReadinessObserved(
    instance_id=INSTANCE, role_applied=True, history_open=True, links_configured=True
)


def barrier(position: int = 0, epoch: int = EPOCH) -> BarrierConfirmed:
    return BarrierConfirmed(instance_id=INSTANCE, epoch=Epoch(epoch), position=Position(position))


def progress(ref: SessionRef, position: int, replica: ReplicaId = R1) -> SessionProgressed:
    return SessionProgressed(
        instance_id=INSTANCE, replica=replica, ref=ref, position=Position(position)
    )


def complete(
    ref: SessionRef,
    achieved: int = 10,
    replica: ReplicaId = R1,
    *,
    durable: int = 0,
    base_complete: bool = True,
    branch: str = "",
) -> SessionCompleted:
    return SessionCompleted(
        instance_id=INSTANCE,
        replica=replica,
        ref=ref,
        achieved=Position(achieved),
        durable=Position(durable),
        digest=digest(achieved, branch),
        expected_digest=digest(achieved),
        base_complete=base_complete,
    )


def failure(
    ref: SessionRef, reason: str = "transport_lost", replica: ReplicaId = R1
) -> SessionFailed:
    return SessionFailed(instance_id=INSTANCE, replica=replica, ref=ref, reason=reason)


class Run:
    """An engine that is fed one event after another, and remembers what came of it."""

    def __init__(self, *events: Event, policy: Policy = DEFAULT) -> None:
        self.state = EngineState(instance_id=INSTANCE, policy=policy)
        self.now_ms = 0
        self.feed(*events)

    def feed(self, *events: Event) -> Stepped:
        """What the last of them caused."""
        last = Stepped(state=self.state, projection=project(self.state))
        for event in events:
            last = step(self.state, event, self.now_ms)
            self.state = last.state
        return last

    def refused(self, event: Event) -> Rejection | None:
        """Why the event changes nothing, after checking that it does not."""
        stepped = step(self.state, event, self.now_ms)
        if stepped.rejection is not None:
            assert stepped.state is self.state
            assert (stepped.commands, stepped.decided) == ((), ())
        return stepped.rejection

    @property
    def projection(self) -> Projection:
        return project(self.state)

    def view(self, replica: ReplicaId = R1) -> View:
        found = self.state.view(replica)
        assert found is not None
        return found

    def session(self, replica: ReplicaId = R1) -> Session:
        found = self.view(replica).session
        assert found is not None
        return found


def names(commands: tuple[EngineCommand, ...]) -> list[str]:
    return [type(command).__name__ for command in commands]
