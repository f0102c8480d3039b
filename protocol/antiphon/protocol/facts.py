"""What a replica says of itself when it is probed. Facts only: the controller decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import (
    NO_EPOCH,
    NO_POSITION,
    NO_SESSION,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DataflowFacts:
    """One installed dataflow. `content_digest`: only where the probe asked for it, else empty."""

    exports: tuple[CollectionId, ...]
    fingerprint: bytes  # of `antiphon.protocol.fingerprint`
    since: Frontier
    upper: Frontier
    hydrated: bool
    content_digest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaFacts:
    """The answer to a probe, and what a `Hello` is checked against."""

    replica: ReplicaId
    incarnation: Incarnation  # drawn at each start of the process
    versions: VersionRange
    instance_id: InstanceId | None = None  # None: belongs to no instance yet
    history_id: HistoryId | None = None  # None: has applied nothing yet
    highest_epoch: Epoch = NO_EPOCH
    applied_position: Position = NO_POSITION
    durable_position: Position = NO_POSITION
    command_digest: bytes = b""  # of the history's chain at `applied_position`
    stage: Stage = Stage.CLOSED  # of the session it has; CLOSED: none
    session_id: SessionId = NO_SESSION  # the highest it has seen
    dataflows: tuple[DataflowFacts, ...] = ()
    # It holds what was built anew by a session, or what `StartRebuild` named, and since then it was
    # neither allowed to write, nor told that the rebuild counts.
    unaccepted: bool = False


def with_digests(facts: ReplicaFacts, digests: Mapping[CollectionId, bytes]) -> ReplicaFacts:
    """With the content digests that were asked for. All exports of a dataflow hold the same."""
    found = []
    for dataflow in facts.dataflows:
        told = [digests[export] for export in dataflow.exports if export in digests]
        found.append(replace(dataflow, content_digest=told[0]) if told else dataflow)
    return replace(facts, dataflows=tuple(found))
