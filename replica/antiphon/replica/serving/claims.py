"""What a replica may say of itself: the commands that certainly take effect, and what they made.

The front forwards commands to the worker in order, and a worker that dies takes the replica with
it. So a command counts once it was forwarded outside of an initialization, and the commands of an
initialization count together with its end. Of a dataflow the worker tells how far it is; until it
has, the front says what the command says, which is never too much.
"""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.history.digest import EMPTY_DIGEST, extend
from antiphon.history.journal import KINDS
from antiphon.protocol.codec import command_to_bytes
from antiphon.protocol.command import (
    AcceptRebuild,
    AllowCompaction,
    AllowWrites,
    CommandSet,
    CreateDataflow,
    Hello,
    InitializationComplete,
    Sent,
    StartRebuild,
    SyncDecision,
    is_numbered,
)
from antiphon.protocol.dataflow import DataflowDescription
from antiphon.protocol.errors import RemoteProtocolError
from antiphon.protocol.facts import DataflowFacts
from antiphon.protocol.fingerprint import fingerprint_of
from antiphon.protocol.ids import NO_POSITION, ConnectionId, HistoryId, Position
from antiphon.replica.installing.reconcile import Key, key_of
from antiphon.replica.reporting.news import Told


@dataclass(frozen=True, slots=True)
class _Created:
    position: Position
    facts: DataflowFacts


class Claims:
    """History, position and digest of what took effect; the dataflows that it left."""

    def __init__(self) -> None:
        self.history_id: HistoryId | None = None
        self.position: Position = NO_POSITION
        self.digest = EMPTY_DIGEST
        self.unaccepted = False  # as in the facts
        self._full_set: ConnectionId | None = None
        self._created: dict[Key, _Created] = {}
        self._hello: Hello | None = None
        self._pending: list[Sent] = []

    def begin(self, hello: Hello) -> None:
        """A new session: what an earlier one did not complete never happened."""
        self._hello = hello
        self._pending = []

    def note(self, sent: Sent, *, initialized: bool) -> None:
        """A command that its session let through is about to be forwarded.

        Raises:
            RemoteProtocolError: a suffix does not lead to the digest that it ends with. Nothing of
                it counts.
        """
        if isinstance(sent.command, InitializationComplete):
            self._complete(sent.command)
        elif isinstance(sent.command, StartRebuild):
            self.unaccepted = True
        elif isinstance(sent.command, AcceptRebuild | AllowWrites):
            self.unaccepted = False
        elif is_numbered(sent.command):
            if not initialized:
                self._pending.append(sent)
            elif self.history_id is not None:
                self.position, self.digest = sent.position, _extended(self.digest, sent)
                self._follow(sent)

    def void(self) -> None:
        """What took effect is not known any more."""
        self.history_id = None
        self.position, self.digest = NO_POSITION, EMPTY_DIGEST
        self._full_set = None
        self._created = {}

    def dataflows(self, told: Told) -> tuple[DataflowFacts, ...]:
        """Everything maintained that took effect, in order of creation. The worker leaves out what
        no session could use any more."""
        of_this_set = told.full_set == self._full_set
        applied = told.latest.applied_position
        found: list[DataflowFacts] = []
        for key, created in self._created.items():
            if not of_this_set or applied < created.position:
                found.append(created.facts)
            elif (facts := told.find(key)) is not None:
                found.append(facts)
        return tuple(found)

    def _complete(self, command: InitializationComplete) -> None:
        hello = self._hello
        assert hello is not None, "commands before Hello"
        pending, self._pending = self._pending, []
        if hello.command_set is CommandSet.FULL:
            self._full_set = hello.connection_id
            self._created = {}
        else:
            digest = self.digest
            for sent in pending:
                digest = _extended(digest, sent)
            if digest != command.head_digest:
                raise RemoteProtocolError(
                    f"the suffix after {self.position} does not lead to the digest of"
                    f" {command.head_position}"
                )
        for sent in pending:
            self._follow(sent)
        if hello.decision is SyncDecision.REBUILD:
            self.unaccepted = bool(self._created)
        self.history_id = hello.history_id
        self.position, self.digest = command.head_position, command.head_digest

    def _follow(self, sent: Sent) -> None:
        match sent.command:
            case CreateDataflow(dataflow=dataflow):
                self._created[key_of(dataflow)] = _Created(sent.position, _fresh(dataflow))
            case AllowCompaction(collection=dropped):
                for key in [key for key in self._created if dropped in key]:
                    del self._created[key]
            case _:
                pass


def _extended(digest: bytes, sent: Sent) -> bytes:
    payload = command_to_bytes(sent.command)
    return extend(digest, sent.position, KINDS[type(sent.command)], payload)


def _fresh(dataflow: DataflowDescription) -> DataflowFacts:
    return DataflowFacts(
        exports=tuple(export.collection for export in dataflow.exports),
        fingerprint=fingerprint_of(dataflow),
        since=dataflow.as_of,
        upper=dataflow.as_of,
        hydrated=False,
    )
