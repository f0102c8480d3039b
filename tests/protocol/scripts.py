"""Ready-made messages, and sessions brought to a stage, for tests about sessions."""

from __future__ import annotations

from dataclasses import replace

from antiphon.protocol.command import (
    AllowCompaction,
    AllowWrites,
    Command,
    CommandSet,
    CreateDataflow,
    CreateInstance,
    Hello,
    IndexTarget,
    InitializationComplete,
    Peek,
    Sent,
    SyncDecision,
    is_numbered,
)
from antiphon.protocol.dataflow import (
    DataflowDescription,
    Export,
    ExportKind,
    IndexExport,
    SubscribeExport,
)
from antiphon.protocol.facts import DataflowFacts, ReplicaFacts
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import (
    NO_POSITION,
    ClaimId,
    CollectionId,
    ConnectionId,
    Epoch,
    HistoryId,
    Incarnation,
    InstanceId,
    PeekId,
    Position,
    ReplicaId,
    SessionId,
    transient,
)
from antiphon.protocol.schema import INT64, Column, Schema
from antiphon.protocol.session import ControllerSession, ReplicaSession
from antiphon.protocol.stage import Stage
from antiphon.protocol.version import SPOKEN

CONNECTION = ConnectionId(b"n" * 16)
OTHER_CONNECTION = ConnectionId(b"o" * 16)
CLAIM = ClaimId(b"c" * 16)
HISTORY = HistoryId(b"h" * 16)
INCARNATION = Incarnation(b"i" * 16)
INSTANCE = InstanceId(1)
REPLICA = ReplicaId("r1")
SCHEMA = Schema((Column(name="a", type=INT64),))
U1, U2, U3 = CollectionId(1), CollectionId(2), CollectionId(3)
T1 = transient(1)
PEEK_1, PEEK_2 = PeekId(b"1" * 16), PeekId(b"2" * 16)

FRESH = ReplicaFacts(replica=REPLICA, incarnation=INCARNATION, versions=SPOKEN)
# A replica that has applied five commands, of which one dataflow lives.
SEASONED = replace(
    FRESH,
    instance_id=INSTANCE,
    history_id=HISTORY,
    applied_position=Position(5),
    durable_position=Position(5),
    session_id=SessionId(3),
    dataflows=(
        DataflowFacts(
            exports=(U1,),
            fingerprint=b"f",
            since=Frontier(10),
            upper=Frontier(20),
            hydrated=True,
        ),
    ),
)


def hello(facts: ReplicaFacts = FRESH, command_set: CommandSet = CommandSet.FULL) -> Hello:
    """A Hello that these facts accept."""
    full = command_set is CommandSet.FULL
    return Hello(
        epoch=Epoch(max(facts.highest_epoch, 1)),
        claim_id=CLAIM,
        connection_id=CONNECTION,
        protocol_version=SPOKEN.max,
        instance_id=facts.instance_id or INSTANCE,
        history_id=facts.history_id or HISTORY,
        replica=facts.replica,
        decision=SyncDecision.REBUILD if full else SyncDecision.CATCH_UP,
        command_set=command_set,
        session_id=SessionId(facts.session_id + 1),
        expected_incarnation=facts.incarnation,
        expected_position=facts.applied_position,
    )


def create(
    *exports: CollectionId, kind: ExportKind | None = None, as_of: int = 5
) -> CreateDataflow:
    export_kind = IndexExport(key_columns=(0,)) if kind is None else kind
    return CreateDataflow(
        dataflow=DataflowDescription(
            name="d",
            imports=(),
            plan=b"plan",
            exports=tuple(Export(collection=export, kind=export_kind) for export in exports),
            as_of=Frontier(as_of),
            schema=SCHEMA,
        )
    )


def subscribe(export: CollectionId = T1, as_of: int = 5) -> CreateDataflow:
    return create(export, kind=SubscribeExport(), as_of=as_of)


def drop(collection: CollectionId) -> AllowCompaction:
    return AllowCompaction(collection=collection, frontier=CLOSED)


def peek(peek_id: PeekId = PEEK_1, collection: CollectionId = U1, time: int = 5) -> Peek:
    return Peek(
        peek_id=peek_id,
        time=time,
        target=IndexTarget(collection=collection),
        schema=SCHEMA,
        rows_max=10,
        bytes_max=10,
    )


def complete(head: int = 0) -> InitializationComplete:
    return InitializationComplete(head_position=Position(head), head_digest=b"d")


def create_instance(instance: InstanceId = INSTANCE) -> CreateInstance:
    return CreateInstance(instance_id=instance, name="main")


def live(command: Command) -> Sent:
    return Sent(NO_POSITION, command)


def numbered(position: int, command: Command) -> Sent:
    return Sent(Position(position), command)


def script(
    stage: Stage, facts: ReplicaFacts = FRESH, command_set: CommandSet = CommandSet.FULL
) -> list[Sent]:
    """The shortest way to a stage, with nothing but framing."""
    steps = {
        Stage.CREATION: hello(facts, command_set),
        Stage.INITIALIZATION: create_instance(),
        Stage.READ_ONLY: complete(facts.applied_position),
        Stage.READ_WRITE: AllowWrites(),
    }
    return [live(command) for reached, command in steps.items() if reached <= stage]


def replica_at(
    stage: Stage, facts: ReplicaFacts = FRESH, command_set: CommandSet = CommandSet.FULL
) -> ReplicaSession:
    session = ReplicaSession(facts)
    for sent in script(stage, facts, command_set):
        session.receive(sent)
    return session


def controller_at(
    stage: Stage, facts: ReplicaFacts = FRESH, command_set: CommandSet = CommandSet.FULL
) -> ControllerSession:
    session = ControllerSession(facts)
    for sent in script(stage, facts, command_set):
        session.send(sent)
    return session


def number(commands: list[Command], start: int = 1) -> list[Sent]:
    """Each command as it travels: numbered ones in order from `start`, the others live."""
    sents = []
    for command in commands:
        if is_numbered(command):
            sents.append(numbered(start, command))
            start += 1
        else:
            sents.append(live(command))
    return sents
