"""Framing commands for transcripts that no replica took part in."""

from __future__ import annotations

from antiphon.proof.conformance.dataflows import INSTANCE
from antiphon.proof.conformance.transcript import Heard, Said, Transcript
from antiphon.protocol.command import (
    Command,
    CommandSet,
    CreateInstance,
    Hello,
    InitializationComplete,
    Sent,
    SyncDecision,
)
from antiphon.protocol.ids import (
    NO_POSITION,
    ClaimId,
    ConnectionId,
    Epoch,
    HistoryId,
    Incarnation,
    ReplicaId,
    SessionId,
)
from antiphon.protocol.response import Response

CONNECTION = ConnectionId(b"c" * 16)
HELLO = Hello(
    epoch=Epoch(1),
    claim_id=ClaimId(bytes(16)),
    connection_id=CONNECTION,
    protocol_version=1,
    instance_id=INSTANCE,
    history_id=HistoryId(bytes(16)),
    replica=ReplicaId("r1"),
    decision=SyncDecision.REBUILD,
    command_set=CommandSet.FULL,
    session_id=SessionId(1),
    expected_incarnation=Incarnation(bytes(16)),
    expected_position=NO_POSITION,
)
BEGIN = (HELLO, CreateInstance(instance_id=INSTANCE, name="conformance"))
COMPLETE = InitializationComplete(head_position=NO_POSITION, head_digest=bytes(32))


def transcript_of(*entries: Command | Response, responses: tuple[type, ...]) -> Transcript:
    """Entries in order; those of a type in `responses` were heard, the others said."""
    return Transcript(
        [
            Heard(connection_id=CONNECTION, response=entry)  # type: ignore[arg-type]
            if isinstance(entry, responses)
            else Said(Sent(NO_POSITION, entry))  # type: ignore[arg-type]
            for entry in entries
        ]
    )
