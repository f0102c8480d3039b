"""Commands as records and back."""

from __future__ import annotations

import pytest

from antiphon.history.envelope import EpochDedup, decode
from antiphon.history.journal import (
    KINDS,
    WHOLE_INSTANCE,
    Record,
    new_command,
    record_of,
    sent_of,
    subject_of,
)
from antiphon.history.store import StoredCommand
from antiphon.protocol.codec import MalformedMessage
from antiphon.protocol.command import Command, Sent, is_numbered
from antiphon.protocol.ids import CollectionId, Epoch, InstanceId, Position
from antiphon.v1 import command_pb2 as pb
from tests.history.recorded import recorded

BY_KIND = {kind: command for kind, (_, command) in recorded().items()}
NUMBERED = sorted(kind for kind, command in BY_KIND.items() if is_numbered(command))


def numbered(command: Command) -> StoredCommand:
    new = new_command(
        command, instance_id=InstanceId(7), epoch=Epoch(2), position=Position(5), now_ms=99
    )
    return StoredCommand(
        position=Position(5),
        kind=new.kind,
        subject=new.subject,
        envelope=new.envelope,
        digest=bytes(32),
        appended_at_ms=99,
    )


def test_kinds_are_the_arms_of_the_wire() -> None:
    arms = [field.name for field in pb.Command.DESCRIPTOR.oneofs_by_name["kind"].fields]
    assert sorted(KINDS.values()) == sorted(arms)


@pytest.mark.parametrize("kind", NUMBERED)
def test_a_numbered_command_comes_back(kind: str) -> None:
    record = record_of(numbered(BY_KIND[kind]))
    assert record.kind == kind
    assert sent_of(record) == Sent(Position(5), BY_KIND[kind])


def test_the_kinds_of_the_history_are_three() -> None:
    assert NUMBERED == ["allow_compaction", "create_dataflow", "update_configuration"]


def test_subjects_say_what_a_command_is_about() -> None:
    subjects = {kind: subject_of(BY_KIND[kind]) for kind in NUMBERED}
    assert subjects == {
        "create_dataflow": CollectionId(7),
        "allow_compaction": CollectionId(7),
        "update_configuration": WHOLE_INSTANCE,
    }


def test_the_envelope_names_instance_epoch_position_and_time() -> None:
    envelope = decode(numbered(BY_KIND["allow_compaction"]).envelope)
    assert envelope.instance_id == 7
    assert envelope.dedup == EpochDedup(epoch=Epoch(2), sequence=5)
    assert envelope.appended_at_ms == 99


def test_live_state_is_never_numbered() -> None:
    with pytest.raises(AssertionError):
        numbered(BY_KIND["schedule"])


def test_a_kind_that_is_not_known_is_an_error_only_when_opened() -> None:
    record = Record(
        position=Position(1), kind="later", subject=WHOLE_INSTANCE, payload=b"\xfa\x3e\x03xyz"
    )
    with pytest.raises(MalformedMessage):
        sent_of(record)
