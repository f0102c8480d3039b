"""What the driver owes an instance: durable, then sent, then replied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from antiphon.controller.ports import Reply
from antiphon.protocol.command import AllowCompaction, BaseSource, Command, Schedule, Sent
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import NO_POSITION, CollectionId, Position, ReplicaId


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedEntry:
    """A command for the history. It is sent once the driver says that it is durable, not before."""

    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionEntry:
    """What readers no longer need (maintained collections), and how far shards may fold."""

    compaction: Mapping[CollectionId, Frontier]
    since: Mapping[CollectionId, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldEntry:
    """The log up to here belongs to the base. Nothing waits for it."""

    to: Position


Entry = NumberedEntry | CompactionEntry | FoldEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectLink:
    replica: ReplicaId
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """Hello first; everything that the replica must know follows in the same breath."""

    replica: ReplicaId
    commands: tuple[Sent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendCommands:
    replica: ReplicaId
    commands: tuple[Sent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSession:
    """Ends the stream, or answers a probe with no; the link goes on probing."""

    replica: ReplicaId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisconnectLink:
    replica: ReplicaId


@dataclass(frozen=True, slots=True, kw_only=True)
class AskDigests:
    """Of what a replica holds at `time`, beside its session. Answered by `DigestsTold` or never."""

    replica: ReplicaId
    collections: tuple[CollectionId, ...]
    time: int


Send = ConnectLink | OpenSession | SendCommands | CloseSession | DisconnectLink | AskDigests


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Perform the fields in this order; an entry is durable before a send that follows from it."""

    entries: tuple[Entry, ...] = ()
    sends: tuple[Send, ...] = ()
    replies: tuple[tuple[int, Reply], ...] = ()
    wake_at_ms: int | None = None  # on the caller's clock; None: no deadline is pending


@dataclass(slots=True)
class Outbox:
    """Gathers one step's effects, in the order in which they were decided."""

    entries: list[Entry] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    replies: list[tuple[int, Reply]] = field(default_factory=list)

    def send(self, replica: ReplicaId, *commands: Sent) -> None:
        """Commands for an open session; neighbours for one replica share a batch."""
        if not commands:
            return
        last = self.sends[-1] if self.sends else None
        if isinstance(last, SendCommands) and last.replica == replica:
            self.sends[-1] = SendCommands(replica=replica, commands=last.commands + commands)
        else:
            self.sends.append(SendCommands(replica=replica, commands=commands))

    def reply(self, request: int, reply: Reply) -> None:
        self.replies.append((request, reply))

    def ready(self, wake_at_ms: int | None) -> Ready:
        return Ready(
            entries=tuple(self.entries),
            sends=tuple(self.sends),
            replies=tuple(self.replies),
            wake_at_ms=wake_at_ms,
        )


def live(command: Command) -> Sent:
    """A command at no position: framing and live state."""
    return Sent(NO_POSITION, command)


def allowing(compaction: Iterable[tuple[CollectionId, Frontier]]) -> list[Sent]:
    """A compaction map as commands: one for each frontier that is in it."""
    same: dict[int | None, list[CollectionId]] = {}
    for collection, frontier in compaction:
        same.setdefault(frontier.time, []).append(collection)
    return [
        live(AllowCompaction(collection=first, frontier=Frontier(time), others=tuple(others)))
        for time, (first, *others) in same.items()
    ]


def scheduling(starting: Iterable[tuple[CollectionId, tuple[BaseSource, ...]]]) -> list[Sent]:
    """Permission to start, at once for all that take their bases from the same."""
    together: dict[tuple[BaseSource, ...], list[CollectionId]] = {}
    for collection, bases in starting:
        together.setdefault(bases, []).append(collection)
    return [
        live(Schedule(collection=first, others=tuple(others), bases=bases))
        for bases, (first, *others) in together.items()
    ]
