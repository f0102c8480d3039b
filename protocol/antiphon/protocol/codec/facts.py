"""The answer to a probe: `antiphon.v1.ReplicaStatus`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Literal, cast

from antiphon.protocol.codec.field import MalformedMessage, each, enum, random_id, require
from antiphon.protocol.codec.frontier import frontier_to_proto
from antiphon.protocol.facts import DataflowFacts, ReplicaFacts
from antiphon.protocol.frontier import CLOSED, Frontier
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
        collections=_dataflows_to_proto(facts.dataflows),
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
        dataflows=each("collections", partial(_dataflow_from_proto, {}), message.collections),
        unaccepted=message.unaccepted,
    )


def _dataflows_to_proto(dataflows: Iterable[DataflowFacts]) -> list[pb.CollectionStatus]:
    known: dict[int | None, types_pb2.Frontier] = {}  # most of a thousand are at the same few

    def said(frontier: Frontier) -> types_pb2.Frontier:
        found = known.get(frontier.time)
        if found is None:
            found = known[frontier.time] = frontier_to_proto(frontier)
        return found

    return [
        pb.CollectionStatus(
            exports=facts.exports,
            fingerprint=facts.fingerprint,
            since=said(facts.since),
            upper=said(facts.upper),
            hydrated=facts.hydrated,
            content_digest=facts.content_digest,
        )
        for facts in dataflows
    ]


def _dataflow_from_proto(known: dict[int, Frontier], message: pb.CollectionStatus) -> DataflowFacts:
    """`known`: the frontiers of the dataflows before; most of a thousand are at the same few."""
    exports = tuple(message.exports)
    require(len(exports) > 0, "exports", "none")
    since, upper = message.since, message.upper
    return DataflowFacts(
        exports=cast(tuple[CollectionId, ...], exports),
        fingerprint=message.fingerprint,
        since=_known(known, since.time) if since.HasField("time") else _closed(message, "since"),
        upper=_known(known, upper.time) if upper.HasField("time") else _closed(message, "upper"),
        hydrated=message.hydrated,
        content_digest=message.content_digest,
    )


def _known(known: dict[int, Frontier], time: int) -> Frontier:
    found = known.get(time)
    if found is None:
        found = known[time] = Frontier(time)
    return found


def _closed(message: pb.CollectionStatus, name: Literal["since", "upper"]) -> Frontier:
    if not message.HasField(name):
        raise MalformedMessage("missing", name)
    return CLOSED
