"""A malformed command is refused whole, and the error names the field."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.protobuf.message import DecodeError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from antiphon.protocol.codec.command import (
    command_from_proto,
    command_to_proto,
    commands_from_batch,
    commands_to_pass,
)
from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.command import (
    AllowCompaction,
    Command,
    CommandSet,
    CreateDataflow,
    Hello,
    IndexTarget,
    Peek,
    PlanTarget,
    Sent,
    SyncDecision,
)
from antiphon.protocol.dataflow import (
    CollectionKind,
    DataflowDescription,
    Export,
    Import,
    IndexExport,
)
from antiphon.protocol.errors import RemoteProtocolError
from antiphon.protocol.frontier import Frontier
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
)
from antiphon.protocol.schema import INT64, Column, Schema
from antiphon.v1 import command_pb2 as pb
from tests.protocol import strategies

U1 = CollectionId(1)
SCHEMA = Schema((Column(name="a", type=INT64),))
HELLO = Hello(
    epoch=Epoch(1),
    claim_id=ClaimId(b"c" * 16),
    connection_id=ConnectionId(b"n" * 16),
    protocol_version=1,
    instance_id=InstanceId(1),
    history_id=HistoryId(b"h" * 16),
    replica=ReplicaId("r1"),
    decision=SyncDecision.REBUILD,
    command_set=CommandSet.FULL,
    session_id=SessionId(1),
    expected_incarnation=Incarnation(b"i" * 16),
    expected_position=Position(0),
)
IMPORT = Import(collection=U1, kind=CollectionKind.TABLE, schema=SCHEMA)
CREATE = CreateDataflow(
    dataflow=DataflowDescription(
        name="d",
        imports=(IMPORT,),
        plan=b"plan",
        exports=(Export(collection=CollectionId(2), kind=IndexExport(key_columns=(0,))),),
        as_of=Frontier(5),
        schema=SCHEMA,
    )
)
PEEK = Peek(
    peek_id=PeekId(b"p" * 16),
    time=5,
    target=IndexTarget(collection=U1),
    schema=SCHEMA,
    rows_max=1,
    bytes_max=1,
)
PLAN_PEEK = Peek(
    peek_id=PeekId(b"p" * 16),
    time=5,
    target=PlanTarget(plan=b"plan", imports=(IMPORT,)),
    schema=SCHEMA,
    rows_max=1,
    bytes_max=1,
)
COMPACT = AllowCompaction(collection=U1, frontier=Frontier(5))


def clear(path: str) -> Callable[[pb.Command], None]:
    """Spoil a message by clearing the field at the end of a path."""

    def spoil(message: pb.Command) -> None:
        target: object = message
        *outer, last = path.split(".")
        for name in outer:
            target = getattr(target, name)
        target.ClearField(last)  # type: ignore[attr-defined]

    return spoil


def spoil_type(message: pb.Command) -> None:
    message.create_dataflow.dataflow.imports[0].schema.columns[0].type.kind = 99  # type: ignore[assignment]


def spoil_key(message: pb.Command) -> None:
    message.create_dataflow.dataflow.exports[0].index.key_columns[0] = 7


def spoil_import_kind(message: pb.Command) -> None:
    message.peek.plan.imports[0].ClearField("kind")


def spoil_claim(message: pb.Command) -> None:
    message.hello.claim_id = b"short"


def spoil_answer(message: pb.Command) -> None:
    message.peek.schema.columns[0].type.kind = 99  # type: ignore[assignment]


def spoil_time(message: pb.Command) -> None:
    message.peek.time = 2**64 - 1


def spoil_export(message: pb.Command) -> None:
    message.create_dataflow.dataflow.exports[0].ClearField("kind")


@pytest.mark.parametrize(
    ("command", "spoil", "path"),
    [
        (HELLO, clear("hello.epoch"), "hello.epoch"),
        (HELLO, clear("hello.connection_id"), "hello.connection_id"),
        (HELLO, spoil_claim, "hello.claim_id"),
        (HELLO, clear("hello.protocol_version"), "hello.protocol_version"),
        (HELLO, clear("hello.decision"), "hello.decision"),
        (HELLO, clear("hello.command_set"), "hello.command_set"),
        (HELLO, clear("hello.replica"), "hello.replica"),
        (HELLO, clear("hello.instance_id"), "hello.instance_id"),
        (HELLO, clear("hello.session_id"), "hello.session_id"),
        (COMPACT, clear("allow_compaction.frontier"), "allow_compaction.frontier"),
        (COMPACT, clear("allow_compaction.collection"), "allow_compaction.collection"),
        (CREATE, clear("create_dataflow.dataflow"), "create_dataflow.dataflow"),
        (CREATE, clear("create_dataflow.dataflow.as_of"), "create_dataflow.dataflow.as_of"),
        (CREATE, clear("create_dataflow.dataflow.plan"), "create_dataflow.dataflow.plan"),
        (CREATE, clear("create_dataflow.dataflow.schema"), "create_dataflow.dataflow.schema"),
        (CREATE, clear("create_dataflow.dataflow.exports"), "create_dataflow.dataflow.exports"),
        (CREATE, spoil_export, "create_dataflow.dataflow.exports[0].kind"),
        (CREATE, spoil_key, "create_dataflow.dataflow.exports[0].key_columns"),
        (
            CREATE,
            spoil_type,
            "create_dataflow.dataflow.imports[0].schema.columns[0].type.kind",
        ),
        (PEEK, clear("peek.peek_id"), "peek.peek_id"),
        (PEEK, clear("peek.index"), "peek.target"),
        (PEEK, clear("peek.index.collection"), "peek.index.collection"),
        (PEEK, clear("peek.schema"), "peek.schema"),
        (PEEK, spoil_answer, "peek.schema.columns[0].type.kind"),
        (PEEK, clear("peek.rows_max"), "peek.rows_max"),
        (PEEK, clear("peek.bytes_max"), "peek.bytes_max"),
        (PEEK, spoil_time, "peek.time"),
        (PLAN_PEEK, clear("peek.plan.plan"), "peek.plan.plan"),
        (PLAN_PEEK, spoil_import_kind, "peek.plan.imports[0].kind"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_error_names_the_field(
    command: Command, spoil: Callable[[pb.Command], None], path: str
) -> None:
    message = command_to_proto(Sent(NO_POSITION, command))
    spoil(message)
    with pytest.raises(MalformedMessage) as caught:
        command_from_proto(message)
    assert caught.value.path == path
    # Whoever passes it on refuses the same. It knows the schema, so that a sound one stays closed.
    batch = pb.CommandBatch(commands=[command_to_proto(Sent(NO_POSITION, command)), message])
    with pytest.raises(MalformedMessage) as passed:
        commands_to_pass(batch)
    assert passed.value.path == f"commands[1].{path}"


def test_a_command_of_a_newer_peer_is_refused_not_ignored() -> None:
    # Field 99 of the oneof: to this version it is an unknown field beside no command at all.
    message = pb.Command.FromString(b"\x9a\x06\x00")
    with pytest.raises(MalformedMessage, match="kind: no command"):
        command_from_proto(message)


@settings(max_examples=300)
@given(strategies.sents, st.data())
def test_spoiled_bytes_decode_or_are_refused_by_name_and_nothing_else(
    sent: Sent, data: st.DataObject
) -> None:
    sound = command_to_proto(sent)
    assert command_from_proto(sound) == sent  # from here on its schema is known
    spoiled = bytearray(sound.SerializeToString())
    assume(spoiled)
    for _ in range(data.draw(st.integers(1, 3))):
        spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    try:
        command = pb.Command.FromString(bytes(spoiled))
    except DecodeError:
        return
    batch = pb.CommandBatch(commands=[command])
    assert outcome(commands_to_pass, batch) == outcome(commands_from_batch, batch)


def outcome(
    decode: Callable[[pb.CommandBatch], tuple[Sent, ...]], batch: pb.CommandBatch
) -> tuple[Sent, ...] | str:
    """The commands, opened, or what is said of the first that is malformed."""
    try:
        return decode(batch)
    except RemoteProtocolError as error:
        return str(error)
