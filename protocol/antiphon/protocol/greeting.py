"""Hello: who may speak to a replica. Checked whole before the incumbent is touched.

The order is that of trust. Unless the versions fit, no other field means what it says; a stranger
learns nothing of epochs; a fenced controller is told so before it is told that its facts are old,
because probing again would not help it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from antiphon.protocol.command import CommandSet, Hello, SyncDecision
from antiphon.protocol.errors import (
    EpochFenced,
    InstanceMismatch,
    RemoteProtocolError,
    StaleFacts,
    VersionMismatch,
)
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import NO_EPOCH, ClaimId, ConnectionId, Epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Incumbent:
    """Whom the replica obeyed last. Epoch and claim are durable, the connection is not."""

    epoch: Epoch
    claim_id: ClaimId | None
    connection_id: ConnectionId | None = None


NOBODY: Final = Incumbent(epoch=NO_EPOCH, claim_id=None)

# What each decision means for the commands that follow.
COMMAND_SETS: Final = {
    SyncDecision.KEEP_UP: CommandSet.SUFFIX,
    SyncDecision.CATCH_UP: CommandSet.SUFFIX,
    SyncDecision.RECONCILE: CommandSet.FULL,
    SyncDecision.REBUILD: CommandSet.FULL,
}
assert set(COMMAND_SETS) == set(SyncDecision), "every decision has its set"


def check_hello(hello: Hello, facts: ReplicaFacts, incumbent: Incumbent) -> None:
    """Returns if the speaker may take the replica over; changes nothing in any case.

    Raises:
        RemoteProtocolError: contradicts itself, or repeats a connection id.
        VersionMismatch: a version that this replica does not speak.
        InstanceMismatch: meant for another replica, or for a replica of another instance.
        EpochFenced: a newer epoch was here, or another claim of the same one.
        StaleFacts: the replica has changed since it was probed; probe again.
    """
    if hello.protocol_version not in facts.versions:
        raise VersionMismatch(
            f"the replica speaks {facts.versions}, not {hello.protocol_version}",
            spoken=str(facts.versions),
            asked=hello.protocol_version,
        )
    if COMMAND_SETS[hello.decision] is not hello.command_set:
        raise RemoteProtocolError(f"{hello.decision.name} with a {hello.command_set.name} set")
    if hello.connection_id == incumbent.connection_id:
        raise RemoteProtocolError(f"the connection id {hello.connection_id} is not new")
    _check_identity(hello, facts)
    _check_fence(hello, incumbent)
    _check_facts(hello, facts)


def _check_identity(hello: Hello, facts: ReplicaFacts) -> None:
    if hello.replica != facts.replica:
        raise InstanceMismatch(
            f"this is replica {facts.replica}, not {hello.replica}",
            replica=facts.replica,
            asked=hello.replica,
        )
    if facts.instance_id is not None and hello.instance_id != facts.instance_id:
        raise InstanceMismatch(
            f"{facts.replica} belongs to instance {facts.instance_id}, not {hello.instance_id}",
            instance=facts.instance_id,
            asked=hello.instance_id,
        )


def _check_fence(hello: Hello, incumbent: Incumbent) -> None:
    if hello.epoch < incumbent.epoch:
        raise EpochFenced(
            f"epoch {hello.epoch} is over: {incumbent.epoch} was here",
            epoch=hello.epoch,
            highest=incumbent.epoch,
        )
    if hello.epoch == incumbent.epoch and hello.claim_id != incumbent.claim_id:
        raise EpochFenced(
            f"epoch {hello.epoch} was claimed by another controller",
            epoch=hello.epoch,
            highest=incumbent.epoch,
        )


def _check_facts(hello: Hello, facts: ReplicaFacts) -> None:
    if hello.expected_incarnation != facts.incarnation:
        raise StaleFacts(
            f"{facts.replica} was started again",
            incarnation=str(facts.incarnation),
            expected=str(hello.expected_incarnation),
        )
    if hello.expected_position != facts.applied_position:
        raise StaleFacts(
            f"{facts.replica} is at position {facts.applied_position}",
            position=facts.applied_position,
            expected=hello.expected_position,
        )
    if hello.session_id <= facts.session_id:
        raise StaleFacts(
            f"{facts.replica} has seen session {facts.session_id}",
            session=facts.session_id,
            asked=hello.session_id,
        )
    # A full set may replace one history by another; a suffix extends the one that is there.
    if hello.command_set is CommandSet.SUFFIX and hello.history_id != facts.history_id:
        raise StaleFacts(
            f"{facts.replica} has another history",
            history=str(facts.history_id),
            asked=str(hello.history_id),
        )
