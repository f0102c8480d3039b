"""Commands. The payload of a numbered command is these bytes, so they are deterministic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from google.protobuf.message import DecodeError

from antiphon.protocol.codec.command_decoder import COMMAND_ARMS, closed_peek
from antiphon.protocol.codec.dataflow import (
    dataflow_to_proto,
    finishing_to_proto,
    import_to_proto,
)
from antiphon.protocol.codec.field import MalformedMessage, each, field, require
from antiphon.protocol.codec.frontier import frontier_to_proto
from antiphon.protocol.codec.schema import schema_to_proto
from antiphon.protocol.command import (
    COMMANDS,
    AcceptRebuild,
    AllowCompaction,
    AllowWrites,
    CancelPeek,
    CancelRebuild,
    Command,
    CreateDataflow,
    CreateInstance,
    Hello,
    IndexTarget,
    InitializationComplete,
    Peek,
    Schedule,
    Sent,
    StartRebuild,
    UpdateConfiguration,
)
from antiphon.protocol.dataflow import UNFINISHED
from antiphon.protocol.ids import NO_POSITION, Position
from antiphon.v1 import command_pb2 as pb


def command_to_proto(sent: Sent) -> pb.Command:
    message = pb.Command()
    _fill(message, sent)
    return message


def command_from_proto(message: pb.Command) -> Sent:
    arm = message.WhichOneof("kind")
    if arm is None:
        raise MalformedMessage("no command, or one that this version does not know", "kind")
    command = field(arm, COMMAND_ARMS[arm], getattr(message, arm))
    return Sent(Position(message.position), command)


def command_to_bytes(command: Command) -> bytes:
    """A command without a position: what the history stores as a payload and digests."""
    return command_to_proto(Sent(NO_POSITION, command)).SerializeToString(deterministic=True)


def command_from_bytes(data: bytes) -> Command:
    """The inverse of `command_to_bytes`.

    Raises:
        MalformedMessage: the bytes are no command, or carry a position.
    """
    try:
        message = pb.Command.FromString(data)
    except DecodeError:
        raise MalformedMessage("not the bytes of a command") from None
    require(message.position == NO_POSITION, "position", "a payload has none")
    return command_from_proto(message).command


def commands_to_batch(commands: Iterable[Sent]) -> pb.CommandBatch:
    batch = pb.CommandBatch()
    add = batch.commands.add
    for sent in commands:
        _fill(add(), sent)
    return batch


def commands_from_batch(message: pb.CommandBatch) -> tuple[Sent, ...]:
    """At least one command.

    Raises:
        MalformedMessage: any of them is malformed; none is to be applied.
    """
    require(len(message.commands) > 0, "commands", "none")
    return each("commands", command_from_proto, message.commands)


def commands_to_pass(message: pb.CommandBatch) -> tuple[Sent, ...]:
    """`commands_from_batch` for whoever passes them on: everything is checked alike, but most peeks
    stay closed. A closed one keeps the whole message alive.

    Raises:
        MalformedMessage: any of them is malformed; none is to be passed on.
    """
    require(len(message.commands) > 0, "commands", "none")
    passed: list[Sent] = []
    try:
        for command in message.commands:
            passed.append(closed_peek(command) or command_from_proto(command))
    except MalformedMessage as error:
        raise error.inside(f"commands[{len(passed)}]") from None
    return tuple(passed)


def _fill(message: pb.Command, sent: Sent) -> None:
    command = sent.command
    if sent.position != NO_POSITION:
        message.position = sent.position
    if type(command) is Peek:  # most of all commands: filled where it stands, not copied
        _fill_peek(message.peek, command)
        return
    arm, encode = _ENCODERS[type(command)]
    getattr(message, arm).CopyFrom(encode(command))


def _hello(command: Hello) -> pb.Hello:
    return pb.Hello(
        epoch=command.epoch,
        claim_id=command.claim_id.value,
        connection_id=command.connection_id.value,
        protocol_version=command.protocol_version,
        instance_id=command.instance_id,
        history_id=command.history_id.value,
        decision=pb.SyncDecision.ValueType(command.decision),
        command_set=pb.CommandSet.ValueType(command.command_set),
        session_id=command.session_id,
        expected_incarnation=command.expected_incarnation.value,
        expected_position=command.expected_position,
        replica=command.replica,
    )


def _create_instance(command: CreateInstance) -> pb.CreateInstance:
    return pb.CreateInstance(
        instance_id=command.instance_id,
        name=command.name,
        configuration=command.configuration,
    )


def _initialization_complete(command: InitializationComplete) -> pb.InitializationComplete:
    return pb.InitializationComplete(
        head_position=command.head_position, head_digest=command.head_digest
    )


def _allow_writes(command: AllowWrites) -> pb.AllowWrites:
    return pb.AllowWrites()


def _start_rebuild(command: StartRebuild) -> pb.StartRebuild:
    return pb.StartRebuild(
        session_id=command.session_id,
        collections=command.collections,
        base_time=command.base_time,
        target_time=command.target_time,
        deadline_ms=command.deadline_ms,
        peer=command.peer,
    )


def _cancel_rebuild(command: CancelRebuild) -> pb.CancelRebuild:
    return pb.CancelRebuild(session_id=command.session_id, reason=command.reason)


def _accept_rebuild(command: AcceptRebuild) -> pb.AcceptRebuild:
    return pb.AcceptRebuild(session_id=command.session_id)


def _update_configuration(command: UpdateConfiguration) -> pb.UpdateConfiguration:
    return pb.UpdateConfiguration(values=command.values)


def _create_dataflow(command: CreateDataflow) -> pb.CreateDataflow:
    return pb.CreateDataflow(dataflow=dataflow_to_proto(command.dataflow))


def _allow_compaction(command: AllowCompaction) -> pb.AllowCompaction:
    return pb.AllowCompaction(
        collection=command.collection,
        frontier=frontier_to_proto(command.frontier),
        others=command.others,
    )


def _peek(command: Peek) -> pb.Peek:
    message = pb.Peek()
    _fill_peek(message, command)
    return message


def _fill_peek(message: pb.Peek, command: Peek) -> None:
    message.peek_id = command.peek_id.value
    message.time = command.time
    message.schema.CopyFrom(schema_to_proto(command.schema))
    message.rows_max = command.rows_max
    message.bytes_max = command.bytes_max
    if command.finishing is not UNFINISHED and command.finishing != UNFINISHED:
        message.finishing.CopyFrom(finishing_to_proto(command.finishing))
    target = command.target
    if isinstance(target, IndexTarget):
        _fill_index_target(message.index, target)
    else:
        message.plan.CopyFrom(
            pb.PlanTarget(plan=target.plan, imports=[import_to_proto(i) for i in target.imports])
        )


def _fill_index_target(message: pb.IndexTarget, target: IndexTarget) -> None:
    # On the wire "no keys" is empty; Arrow streams and plans never are.
    keys, plan = target.keys, target.plan
    message.collection = target.collection
    if keys is not None:
        assert keys, "an empty stream of keys"
        message.keys = keys
    if plan is not None:
        assert plan, "an empty plan"
        message.plan = plan
    if target.profile:
        message.profile = True


def _cancel_peek(command: CancelPeek) -> pb.CancelPeek:
    return pb.CancelPeek(peek_id=command.peek_id.value)


def _schedule(command: Schedule) -> pb.Schedule:
    bases = [pb.BaseSource(collection=one.collection, peer=one.peer) for one in command.bases]
    return pb.Schedule(collection=command.collection, bases=bases, others=command.others)


_ENCODERS: Final[dict[type[Command], tuple[str, Callable[[Any], Any]]]] = {
    Hello: ("hello", _hello),
    CreateInstance: ("create_instance", _create_instance),
    InitializationComplete: ("initialization_complete", _initialization_complete),
    AllowWrites: ("allow_writes", _allow_writes),
    StartRebuild: ("start_rebuild", _start_rebuild),
    CancelRebuild: ("cancel_rebuild", _cancel_rebuild),
    AcceptRebuild: ("accept_rebuild", _accept_rebuild),
    UpdateConfiguration: ("update_configuration", _update_configuration),
    CreateDataflow: ("create_dataflow", _create_dataflow),
    AllowCompaction: ("allow_compaction", _allow_compaction),
    Peek: ("peek", _peek),
    CancelPeek: ("cancel_peek", _cancel_peek),
    Schedule: ("schedule", _schedule),
}
assert set(_ENCODERS) == set(COMMANDS), "every command has an encoder"
assert {arm for arm, _ in _ENCODERS.values()} == set(COMMAND_ARMS), "and each a decoder"
