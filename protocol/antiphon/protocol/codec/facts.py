"""The answer to a probe: `antiphon.v1.ReplicaStatus`."""

from __future__ import annotations

from antiphon.protocol.codec.field import each, enum, random_id, require
from antiphon.protocol.codec.frontier import frontier_field, frontier_to_proto
from antiphon.protocol.facts import DataflowFacts, ReplicaFacts
from antiphon.protocol.ids import (
    CollectionId,
    Epoch,
    HistoryId,
    Incarnation,
    InstanceId,
    Position,
    ReplicaId,
    SessionId,
)
from antiphon.protocol.stage import Stage
from antiphon.protocol.version import VersionRange
from antiphon.v1 import compute_pb2 as pb
from antiphon.v1 import response_pb2, types_pb2


def facts_to_proto(facts: ReplicaFacts) -> pb.ReplicaStatus:
    return pb.ReplicaStatus(
        replica=facts.replica,
        incarnation=facts.incarnation.value,
        instance_id=facts.instance_id or 0,
        history_id=b"" if facts.history_id is None else facts.history_id.value,
        highest_epoch=facts.highest_epoch,
        applied_position=facts.applied_position,
        durable_position=facts.durable_position,
        command_digest=facts.command_digest,
        stage=response_pb2.Stage.ValueType(facts.stage),
        session_id=facts.session_id,
        collections=[_dataflow_to_proto(dataflow) for dataflow in facts.dataflows],
        versions=types_pb2.VersionRange(min=facts.versions.min, max=facts.versions.max),
        unaccepted=facts.unaccepted,
    )


def facts_from_proto(message: pb.ReplicaStatus) -> ReplicaFacts:
    require(message.replica != "", "replica", "missing")
    versions = message.versions
    require(1 <= versions.min <= versions.max, "versions", f"{versions.min} to {versions.max}")
    history_id = message.history_id
    return ReplicaFacts(
        replica=ReplicaId(message.replica),
        incarnation=random_id("incarnation", Incarnation, message.incarnation),
        versions=VersionRange(min=versions.min, max=versions.max),
        instance_id=InstanceId(message.instance_id) if message.instance_id else None,
        history_id=random_id("history_id", HistoryId, history_id) if history_id else None,
        highest_epoch=Epoch(message.highest_epoch),
        applied_position=Position(message.applied_position),
        durable_position=Position(message.durable_position),
        command_digest=message.command_digest,
        stage=enum("stage", Stage, message.stage),
        session_id=SessionId(message.session_id),
        dataflows=each("collections", _dataflow_from_proto, message.collections),
        unaccepted=message.unaccepted,
    )


def _dataflow_to_proto(facts: DataflowFacts) -> pb.CollectionStatus:
    return pb.CollectionStatus(
        exports=facts.exports,
        fingerprint=facts.fingerprint,
        since=frontier_to_proto(facts.since),
        upper=frontier_to_proto(facts.upper),
        hydrated=facts.hydrated,
        content_digest=facts.content_digest,
    )


def _dataflow_from_proto(message: pb.CollectionStatus) -> DataflowFacts:
    require(len(message.exports) > 0, "exports", "none")
    return DataflowFacts(
        exports=tuple(CollectionId(export) for export in message.exports),
        fingerprint=message.fingerprint,
        since=frontier_field("since", message.HasField("since"), message.since),
        upper=frontier_field("upper", message.HasField("upper"), message.upper),
        hydrated=message.hydrated,
        content_digest=message.content_digest,
    )
