"""The journal's records as values: commands become records, and records commands again.

A record is told apart by its kind, which is the command class's name in snake_case and also the
name of its arm in `antiphon.v1.Command`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from antiphon.history import envelope as envelopes
from antiphon.history.envelope import EnvelopeV1, EpochDedup
from antiphon.history.store import NewCommand, StoredCommand
from antiphon.protocol.codec import command_from_bytes, command_to_bytes
from antiphon.protocol.command import (
    COMMANDS,
    AllowCompaction,
    Command,
    CreateDataflow,
    Sent,
    UpdateConfiguration,
    is_numbered,
)
from antiphon.protocol.ids import CollectionId, Epoch, InstanceId, Position

WHOLE_INSTANCE: Final = CollectionId(0)


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


KINDS: Final[dict[type[Command], str]] = {kind: _snake_case(kind.__name__) for kind in COMMANDS}
UPDATE_CONFIGURATION: Final = KINDS[UpdateConfiguration]
CREATE_DATAFLOW: Final = KINDS[CreateDataflow]
ALLOW_COMPACTION: Final = KINDS[AllowCompaction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A command of the journal without its envelope."""

    position: Position  # NO_POSITION: live state that a reduction leaves over
    kind: str
    subject: CollectionId  # WHOLE_INSTANCE, or what the command is about
    payload: bytes  # the serialized command at position 0


def subject_of(command: Command) -> CollectionId:
    """The collection a numbered command is about: of a dataflow its first export."""
    match command:
        case CreateDataflow():
            return command.dataflow.exports[0].collection
        case AllowCompaction():
            return command.collection
        case _:
            return WHOLE_INSTANCE


def new_command(
    command: Command,
    *,
    instance_id: InstanceId,
    epoch: Epoch,
    position: Position,
    now_ms: int,
) -> NewCommand:
    """A command as `Submission.commands` takes it.

    Args:
        position: the one it will get, which with the epoch identifies it for deduplication.
        now_ms: the time of the append; a replay sees this and never a clock.
    """
    assert is_numbered(command), f"{type(command).__name__} is not of the history"
    payload = command_to_bytes(command)
    return NewCommand(
        kind=KINDS[type(command)],
        subject=subject_of(command),
        payload=payload,
        envelope=envelopes.encode(
            EnvelopeV1(
                instance_id=instance_id,
                dedup=EpochDedup(epoch=epoch, sequence=position),
                payload=payload,
                appended_at_ms=now_ms,
            )
        ),
    )


def record_of(stored: StoredCommand) -> Record:
    """Raises MalformedEnvelope."""
    return Record(
        position=stored.position,
        kind=stored.kind,
        subject=stored.subject,
        payload=envelopes.payload_of(stored.envelope),
    )


def sent_of(record: Record) -> Sent:
    """The command as it travels.

    Raises:
        MalformedMessage: a kind that this version does not know, or a damaged payload.
    """
    return Sent(record.position, command_from_bytes(record.payload))
