"""Commands: controller to replica. Imperatives, frozen, a closed set.

Three classes by how they travel: *framing*, once a session, at no position; *numbered*, durable
before sent, in the digest, replayed; *live*, the current state of peeks, schedules and compaction,
sent whole on connect, at no position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from antiphon.protocol.dataflow import UNFINISHED, DataflowDescription, Finishing, Import
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import (
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
    is_transient,
)
from antiphon.protocol.schema import Schema


class SyncDecision(IntEnum):
    KEEP_UP = 1
    CATCH_UP = 2
    RECONCILE = 3
    REBUILD = 4


class CommandSet(IntEnum):
    SUFFIX = 1  # what follows extends what the replica has
    FULL = 2  # what follows is all there is: absence means drop


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """First on every stream: who speaks, by which claim, and what it believes of the replica."""

    epoch: Epoch
    claim_id: ClaimId
    connection_id: ConnectionId
    protocol_version: int
    instance_id: InstanceId
    history_id: HistoryId
    replica: ReplicaId
    decision: SyncDecision
    command_set: CommandSet
    session_id: SessionId
    expected_incarnation: Incarnation
    expected_position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateInstance:
    """The compatibility check of a session; not a change of state on a replica that has state."""

    instance_id: InstanceId
    name: str
    configuration: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitializationComplete:
    """Ends the replayed prefix. With a full set the replica adopts this position and digest."""

    head_position: Position
    head_digest: bytes


@dataclass(frozen=True, slots=True)
class AllowWrites:
    """One-way, for the whole replica, for this connection; issued afresh, never replayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRebuild:
    """Rebuild these collections: base exactly at `base_time`, live deltas above it, until
    `target_time` is reached. Answered by one `RebuildResult`, unless canceled. `peer`: the address
    of a replica that gives the base where it can; empty: the store gives all of it."""

    session_id: SessionId
    collections: tuple[CollectionId, ...]
    base_time: int
    target_time: int
    deadline_ms: int
    peer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRebuild:
    """Give up what was rebuilt so far. May cross the result, and then changes nothing."""

    session_id: SessionId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptRebuild:
    """The completed rebuild counts from now on: strict reads and writes may use it."""

    session_id: SessionId


DEFAULT_SETTING: Final = "default"  # as a value: what the setting would be without


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateConfiguration:
    """Takes effect at once, on all that exists. Absent keys keep their value, `default` takes one
    back, keys that somebody does not know are none of his."""

    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateDataflow:
    """Install a dataflow: its imports exist, its exports are new. It computes once scheduled.
    Numbered; live when all its exports are transient."""

    dataflow: DataflowDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowCompaction:
    """External readers need no time before `frontier`. Closed: drop, numbered, answered by exactly
    one `Dropped`, and of one collection alone. Otherwise live."""

    collection: CollectionId
    frontier: Frontier
    others: tuple[CollectionId, ...] = ()  # further ones of which the same is said

    @property
    def collections(self) -> tuple[CollectionId, ...]:
        return (self.collection, *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseSource:
    """A table or feed whose content at a dataflow's as_of a peer gives, by `FetchState`."""

    collection: CollectionId
    peer: str  # its address


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Permission to start computing; each dataflow needs it once in every session. `bases`: imports
    that a peer gives, the others come from the store; the content is the same whoever gives it.
    Sent again with other bases while the dataflow fills, what has not arrived whole is read from
    those instead."""

    collection: CollectionId
    bases: tuple[BaseSource, ...] = ()
    others: tuple[CollectionId, ...] = ()  # further ones of which the same is said

    @property
    def collections(self) -> tuple[CollectionId, ...]:
        return (self.collection, *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexTarget:
    """Reads an arrangement. `keys`: an Arrow IPC stream of rows of the index's key columns, or None
    for all. `plan`: a serialized plan over `Get(collection)`, or None for the rows as they are.
    `profile`: instead, what the operators that keep it have done: rows of `profile.PROFILE`."""

    collection: CollectionId
    keys: bytes | None = None
    plan: bytes | None = None
    profile: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTarget:
    """Evaluates a serialized plan once, at the peek's time."""

    plan: bytes
    imports: tuple[Import, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peek:
    """One read at one time; exactly one `PeekResponse`, once everything at that time is final. A
    later `AllowCompaction`, even a drop, does not touch it."""

    peek_id: PeekId
    time: int
    target: IndexTarget | PlanTarget
    schema: Schema  # of the answer
    finishing: Finishing = UNFINISHED
    rows_max: int
    bytes_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPeek:
    """Best effort; `Canceled` is then a legal answer."""

    peek_id: PeekId


FramingCommand = (
    Hello | CreateInstance | InitializationComplete | AllowWrites
    | StartRebuild | CancelRebuild | AcceptRebuild
)  # fmt: skip
WorkCommand = UpdateConfiguration | CreateDataflow | AllowCompaction | Peek | CancelPeek | Schedule
Command = FramingCommand | WorkCommand

COMMANDS: Final[tuple[type[Command], ...]] = (
    Hello, CreateInstance, InitializationComplete, AllowWrites, StartRebuild, CancelRebuild,
    AcceptRebuild, UpdateConfiguration, CreateDataflow, AllowCompaction, Peek, CancelPeek, Schedule,
)  # fmt: skip


class Sent:
    """A command as it travels: with its place in the history, or NO_POSITION. A value: nobody
    changes one.

    A peek may come closed, for whoever passes it on needs its id and no more: it is read when
    somebody asks for the command. Open and closed ones of the same peek are equal.
    """

    __match_args__ = ("position", "command")
    __slots__ = ("_command", "_read", "kind", "peek_id", "position")
    # Some commands hold dicts, and a closed peek would have to be opened to be hashed.
    __hash__ = None  # type: ignore[assignment]

    position: Position
    kind: type[Command]
    peek_id: PeekId | None  # that a `Peek` or a `CancelPeek` is about; None: another command

    def __init__(self, position: Position, command: Command) -> None:
        self.position = position
        self.kind = type(command)
        self.peek_id = command.peek_id if isinstance(command, Peek | CancelPeek) else None
        self._command: Command | None = command
        self._read: Callable[[], Peek] | None = None

    @classmethod
    def closed(cls, position: Position, peek_id: PeekId, read: Callable[[], Peek]) -> Sent:
        """A `Peek` with this id, which `read` returns, and always can."""
        sent = cls.__new__(cls)
        sent.position = position
        sent.kind = Peek
        sent.peek_id = peek_id
        sent._command = None
        sent._read = read
        return sent

    @property
    def command(self) -> Command:
        if self._command is None:
            assert self._read is not None, "neither open nor closed"
            self._command = self._read()
        return self._command

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sent):
            return NotImplemented
        return self.position == other.position and self.command == other.command

    def __repr__(self) -> str:
        return f"Sent(position={self.position!r}, command={self.command!r})"


def is_numbered(command: Command) -> bool:
    """Whether the command belongs in the durable history."""
    match command:
        case UpdateConfiguration():
            return True
        case CreateDataflow():
            return not command.dataflow.is_transient
        case AllowCompaction():
            return command.frontier.is_closed and not is_transient(command.collection)
        case _:
            return False
