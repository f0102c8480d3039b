"""Commands as they are read: complete, or refused with the path of the first bad field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from antiphon.protocol.codec.dataflow import (
    dataflow_from_proto,
    finishing_field,
    import_from_proto,
)
from antiphon.protocol.codec.field import (
    TIME_LIMIT,
    MalformedMessage,
    collections,
    each,
    enum,
    field,
    random_id,
    require,
    time,
)
from antiphon.protocol.codec.frontier import frontier_field
from antiphon.protocol.codec.schema import is_known, schema_field
from antiphon.protocol.command import (
    AcceptRebuild,
    AllowCompaction,
    AllowWrites,
    BaseSource,
    CancelPeek,
    CancelRebuild,
    Command,
    CommandSet,
    CreateDataflow,
    CreateInstance,
    Hello,
    IndexTarget,
    InitializationComplete,
    Peek,
    PlanTarget,
    Schedule,
    Sent,
    StartRebuild,
    SyncDecision,
    UpdateConfiguration,
)
from antiphon.protocol.dataflow import UNFINISHED
from antiphon.protocol.ids import (
    RANDOM_ID_BYTES,
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
)
from antiphon.v1 import command_pb2 as pb


def _collection(message: Any) -> CollectionId:
    require(message.collection != 0, "collection", "missing")
    return CollectionId(message.collection)


def _session(message: Any) -> SessionId:
    require(message.session_id != 0, "session_id", "missing")
    return SessionId(message.session_id)


def _hello(message: pb.Hello) -> Hello:
    require(message.epoch != 0, "epoch", "missing")
    require(message.protocol_version != 0, "protocol_version", "missing")
    require(message.instance_id != 0, "instance_id", "missing")
    require(message.replica != "", "replica", "missing")
    return Hello(
        epoch=Epoch(message.epoch),
        claim_id=random_id("claim_id", ClaimId, message.claim_id),
        connection_id=random_id("connection_id", ConnectionId, message.connection_id),
        protocol_version=message.protocol_version,
        instance_id=InstanceId(message.instance_id),
        history_id=random_id("history_id", HistoryId, message.history_id),
        replica=ReplicaId(message.replica),
        decision=enum("decision", SyncDecision, message.decision),
        command_set=enum("command_set", CommandSet, message.command_set),
        session_id=_session(message),
        expected_incarnation=random_id(
            "expected_incarnation", Incarnation, message.expected_incarnation
        ),
        expected_position=Position(message.expected_position),
    )


def _create_instance(message: pb.CreateInstance) -> CreateInstance:
    require(message.instance_id != 0, "instance_id", "missing")
    return CreateInstance(
        instance_id=InstanceId(message.instance_id),
        name=message.name,
        configuration=dict(message.configuration),
    )


def _initialization_complete(message: pb.InitializationComplete) -> InitializationComplete:
    return InitializationComplete(
        head_position=Position(message.head_position), head_digest=message.head_digest
    )


def _allow_writes(message: pb.AllowWrites) -> AllowWrites:
    return AllowWrites()


def _start_rebuild(message: pb.StartRebuild) -> StartRebuild:
    return StartRebuild(
        session_id=_session(message),
        collections=tuple(CollectionId(collection) for collection in message.collections),
        base_time=time("base_time", message.base_time),
        target_time=time("target_time", message.target_time),
        deadline_ms=message.deadline_ms,
        peer=message.peer,
    )


def _cancel_rebuild(message: pb.CancelRebuild) -> CancelRebuild:
    return CancelRebuild(session_id=_session(message), reason=message.reason)


def _accept_rebuild(message: pb.AcceptRebuild) -> AcceptRebuild:
    return AcceptRebuild(session_id=_session(message))


def _update_configuration(message: pb.UpdateConfiguration) -> UpdateConfiguration:
    return UpdateConfiguration(values=dict(message.values))


def _create_dataflow(message: pb.CreateDataflow) -> CreateDataflow:
    require(message.HasField("dataflow"), "dataflow", "missing")
    return CreateDataflow(dataflow=field("dataflow", dataflow_from_proto, message.dataflow))


def _allow_compaction(message: pb.AllowCompaction) -> AllowCompaction:
    # Absent is not closed: that would drop a collection because somebody forgot a field.
    frontier = frontier_field("frontier", message.HasField("frontier"), message.frontier)
    return AllowCompaction(
        collection=_collection(message),
        frontier=frontier,
        others=collections("others", message.others),
    )


def _index_target(message: pb.IndexTarget) -> IndexTarget:
    return IndexTarget(
        collection=_collection(message),
        keys=message.keys or None,
        plan=message.plan or None,
        profile=message.profile,
    )


def _plan_target(message: pb.PlanTarget) -> PlanTarget:
    require(len(message.plan) > 0, "plan", "missing")
    return PlanTarget(
        plan=message.plan, imports=each("imports", import_from_proto, message.imports)
    )


def _target(message: pb.Peek) -> IndexTarget | PlanTarget:
    match message.WhichOneof("target"):
        case "index":
            return field("index", _index_target, message.index)
        case "plan":
            return field("plan", _plan_target, message.plan)
        case _:
            raise MalformedMessage("missing", "target")


def _peek(message: pb.Peek) -> Peek:
    require(message.rows_max > 0, "rows_max", "missing")
    require(message.bytes_max > 0, "bytes_max", "missing")
    return Peek(
        peek_id=random_id("peek_id", PeekId, message.peek_id),
        time=time("time", message.time),
        target=_target(message),
        schema=schema_field("schema", message.HasField("schema"), message.schema),
        finishing=(
            finishing_field(message.finishing) if message.HasField("finishing") else UNFINISHED
        ),
        rows_max=message.rows_max,
        bytes_max=message.bytes_max,
    )


def closed_peek(message: pb.Command) -> Sent | None:
    """The peek that the message certainly holds, closed; None if it holds anything else or has to
    be read to be sure. Most peeks are of an index, as it is, by a schema that was read before."""
    peek = message.peek  # all its fields are empty where it is another command
    peek_id = peek.peek_id
    if (
        len(peek_id) == RANDOM_ID_BYTES
        and peek.time < TIME_LIMIT
        and peek.index.collection != 0
        and peek.rows_max > 0
        and peek.bytes_max > 0
        and not peek.HasField("finishing")
        and is_known(peek.schema)
    ):
        return Sent.closed(Position(message.position), PeekId(peek_id), lambda: _peek(peek))
    return None


def _cancel_peek(message: pb.CancelPeek) -> CancelPeek:
    return CancelPeek(peek_id=random_id("peek_id", PeekId, message.peek_id))


def _schedule(message: pb.Schedule) -> Schedule:
    return Schedule(
        collection=_collection(message),
        bases=each("bases", _base_source, message.bases),
        others=collections("others", message.others),
    )


def _base_source(message: pb.BaseSource) -> BaseSource:
    require(message.peer != "", "peer", "missing")
    return BaseSource(collection=_collection(message), peer=message.peer)


COMMAND_ARMS: Final[dict[str, Callable[[Any], Command]]] = {
    "hello": _hello,
    "create_instance": _create_instance,
    "initialization_complete": _initialization_complete,
    "allow_writes": _allow_writes,
    "start_rebuild": _start_rebuild,
    "cancel_rebuild": _cancel_rebuild,
    "accept_rebuild": _accept_rebuild,
    "update_configuration": _update_configuration,
    "create_dataflow": _create_dataflow,
    "allow_compaction": _allow_compaction,
    "peek": _peek,
    "cancel_peek": _cancel_peek,
    "schedule": _schedule,
}
