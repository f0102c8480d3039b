"""Every command survives the wire, alone, in a batch and as a payload."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.codec.command import (
    command_from_bytes,
    command_from_proto,
    command_to_bytes,
    command_to_proto,
    commands_from_batch,
    commands_to_batch,
    commands_to_pass,
)
from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.command import (
    COMMANDS,
    AllowCompaction,
    AllowWrites,
    Command,
    Sent,
    UpdateConfiguration,
)
from antiphon.protocol.frontier import CLOSED
from antiphon.protocol.ids import NO_POSITION, CollectionId, Position
from antiphon.v1 import command_pb2 as pb
from tests.protocol import strategies


@given(strategies.sents)
def test_every_command_survives_the_wire(sent: Sent) -> None:
    data = command_to_proto(sent).SerializeToString()
    assert command_from_proto(pb.Command.FromString(data)) == sent


@given(st.lists(strategies.sents, min_size=1, max_size=3).map(tuple))
def test_a_batch_keeps_its_commands_in_order(sents: tuple[Sent, ...]) -> None:
    data = commands_to_batch(sents).SerializeToString()
    assert commands_from_batch(pb.CommandBatch.FromString(data)) == sents


@given(st.lists(strategies.sents, min_size=1, max_size=3).map(tuple))
def test_commands_that_are_only_passed_on_are_the_same_ones(sents: tuple[Sent, ...]) -> None:
    batch = commands_to_batch(sents)
    commands_from_batch(batch)  # from here on all schemas are known, so that peeks stay closed
    passed = commands_to_pass(batch)
    heads = [(sent.position, sent.kind, sent.peek_id) for sent in sents]
    assert [(sent.position, sent.kind, sent.peek_id) for sent in passed] == heads
    assert passed == sents


@given(strategies.commands)
def test_every_command_survives_as_a_payload(command: Command) -> None:
    data = command_to_bytes(command)
    assert command_from_bytes(data) == command
    assert command_to_bytes(command_from_bytes(data)) == data


def test_the_format_has_an_arm_for_every_command_and_no_other() -> None:
    arms = pb.Command.DESCRIPTOR.oneofs_by_name["kind"].fields
    assert [arm.message_type.name for arm in arms] == [kind.__name__ for kind in COMMANDS]
    assert set(strategies.COMMANDS) == set(COMMANDS)


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_every_field_of_a_command_is_on_the_wire(kind: type[Any]) -> None:
    arms = pb.Command.DESCRIPTOR.oneofs_by_name["kind"].fields
    message = next(arm.message_type for arm in arms if arm.message_type.name == kind.__name__)
    oneofs = {oneof.name for oneof in message.oneofs}
    inside = {field.name for oneof in message.oneofs for field in oneof.fields}
    on_wire = ({field.name for field in message.fields} - inside) | oneofs
    assert on_wire == set(kind.__dataclass_fields__)


def test_a_payload_does_not_depend_on_the_order_of_a_mapping() -> None:
    forth = UpdateConfiguration(values={"a": "1", "b": "2", "c": "3"})
    back = UpdateConfiguration(values={"c": "3", "b": "2", "a": "1"})
    assert command_to_bytes(forth) == command_to_bytes(back)


def test_a_payload_has_no_position() -> None:
    numbered = Sent(Position(4), AllowCompaction(collection=CollectionId(1), frontier=CLOSED))
    with pytest.raises(MalformedMessage, match="position: a payload has none"):
        command_from_bytes(command_to_proto(numbered).SerializeToString())


def test_a_payload_that_is_no_message_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="not the bytes of a command"):
        command_from_bytes(b"\xff")


def test_an_empty_batch_is_refused() -> None:
    for decode in (commands_from_batch, commands_to_pass):
        with pytest.raises(MalformedMessage, match="commands: none"):
            decode(pb.CommandBatch())


def test_one_malformed_command_refuses_the_whole_batch_and_names_its_place() -> None:
    batch = commands_to_batch([Sent(NO_POSITION, AllowWrites())] * 2)
    batch.commands[1].schedule.SetInParent()
    with pytest.raises(MalformedMessage) as caught:
        commands_from_batch(batch)
    assert caught.value.path == "commands[1].schedule.collection"
