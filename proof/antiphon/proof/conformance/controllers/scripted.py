"""A replica that computes nothing: what it says of itself follows from what it was sent.

Whatever a controller says is held against the protocol, by the same session that a real replica
has; the first thing that is illegal is written down, and nothing after it counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from antiphon.history.digest import extend
from antiphon.history.journal import KINDS
from antiphon.protocol.codec import command_to_bytes
from antiphon.protocol.command import (
    AllowCompaction,
    CommandSet,
    CreateDataflow,
    Hello,
    InitializationComplete,
    Sent,
    is_numbered,
)
from antiphon.protocol.content_digest import CONTENT_DIGEST_BYTES
from antiphon.protocol.dataflow import DataflowDescription
from antiphon.protocol.describe import describe
from antiphon.protocol.errors import AntiphonError
from antiphon.protocol.facts import DataflowFacts, ReplicaFacts, with_digests
from antiphon.protocol.fingerprint import fingerprint_of
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.greeting import Incumbent
from antiphon.protocol.ids import (
    NO_EPOCH,
    NO_POSITION,
    NO_SESSION,
    ClaimId,
    CollectionId,
    Incarnation,
    ReplicaId,
    is_transient,
)
from antiphon.protocol.response import Response
from antiphon.protocol.session import ReplicaSession
from antiphon.protocol.stage import Stage
from antiphon.protocol.version import SPOKEN

NOBODY: Final = ClaimId(bytes(16))


@dataclass(slots=True)
class Heard:
    """One stream, from the replica's end."""

    session: ReplicaSession
    commands: list[Sent] = field(default_factory=list)
    illegal: str | None = None  # the first thing that was
    over: bool = False

    @property
    def hello(self) -> Hello | None:
        first = self.commands[0].command if self.commands else None
        return first if isinstance(first, Hello) else None

    @property
    def is_complete(self) -> bool:
        return any(isinstance(s.command, InitializationComplete) for s in self.commands)

    def of(self, *kinds: type) -> list[Sent]:
        """What was heard of these kinds, in order."""
        return [sent for sent in self.commands if isinstance(sent.command, kinds)]

    def numbered(self) -> list[Sent]:
        return [sent for sent in self.commands if is_numbered(sent.command)]


class ScriptedReplica:
    """Its facts, and the streams that it has heard."""

    def __init__(self, name: ReplicaId, incarnation: Incarnation) -> None:
        self.facts = ReplicaFacts(replica=name, incarnation=incarnation, versions=SPOKEN)
        self.sessions: list[Heard] = []
        self.probes = 0
        self.digest = bytes(CONTENT_DIGEST_BYTES)  # of whatever it is asked about
        self._claim = NOBODY
        self._dataflows: dict[CollectionId, DataflowDescription] = {}
        self._uppers: dict[CollectionId, Frontier] = {}

    def probed(self, digests_of: Iterable[CollectionId] = ()) -> ReplicaFacts:
        digests = dict.fromkeys(digests_of, self.digest)
        if not digests:
            self.probes += 1
        return with_digests(self.facts, digests)

    def take_after(self, other: ScriptedReplica) -> None:
        """It says that it holds what the other one holds, from the same commands."""
        self._dataflows, self._uppers = dict(other._dataflows), dict(other._uppers)
        self.facts = replace(
            other.facts,
            replica=self.facts.replica,
            incarnation=self.facts.incarnation,
            highest_epoch=NO_EPOCH,
            session_id=NO_SESSION,
            stage=Stage.CLOSED,
        )

    def opened(self) -> Heard:
        """A stream. The one before is over: a valid newcomer ends it."""
        facts = self.facts
        claim = None if facts.highest_epoch == 0 else self._claim
        incumbent = Incumbent(epoch=facts.highest_epoch, claim_id=claim)
        heard = Heard(ReplicaSession(facts, incumbent))
        self.sessions.append(heard)
        return heard

    def heard(self, stream: Heard, sent: Sent) -> None:
        if stream.illegal is not None:
            return
        try:
            stream.session.receive(sent)
        except AntiphonError as error:
            stream.illegal = f"{describe(sent)}: {error}"
            return
        stream.commands.append(sent)
        self._follow(stream, sent)

    def said(self, stream: Heard, response: Response) -> None:
        """Before it leaves. What a check says that no replica may is not entered here.

        Raises:
            LocalProtocolError: the check is wrong.
        """
        stream.session.send(response)

    def reached(self, collection: CollectionId, upper: Frontier) -> None:
        """It says from here on that it is so far with a dataflow."""
        self._uppers[collection] = upper
        self._tell()

    def ended(self, stream: Heard) -> None:
        stream.over = True
        if stream is self.sessions[-1]:
            self.facts = replace(self.facts, stage=Stage.CLOSED)

    def _follow(self, stream: Heard, sent: Sent) -> None:
        command = sent.command
        if isinstance(command, Hello):
            self._claim = command.claim_id
            self.facts = replace(
                self.facts,
                highest_epoch=command.epoch,
                instance_id=command.instance_id,
                session_id=command.session_id,
            )
        elif isinstance(command, InitializationComplete):
            self._initialized(stream, command)
        elif is_numbered(command) and stream.is_complete:
            payload = command_to_bytes(command)
            digest = extend(self.facts.command_digest, sent.position, KINDS[type(command)], payload)
            self.facts = replace(self.facts, applied_position=sent.position, command_digest=digest)
            self._apply(sent)
        self.facts = replace(self.facts, stage=stream.session.stage)
        self._tell()

    def _initialized(self, stream: Heard, complete: InitializationComplete) -> None:
        hello = stream.hello
        assert hello is not None, "the session has checked"
        if hello.command_set is CommandSet.FULL:
            self._dataflows.clear()
        for sent in stream.commands:
            self._apply(sent)
        self.facts = replace(
            self.facts,
            history_id=hello.history_id,
            applied_position=complete.head_position,
            command_digest=complete.head_digest,
        )

    def _apply(self, sent: Sent) -> None:
        match sent.command:
            case CreateDataflow(dataflow=dataflow):
                for export in dataflow.exports:
                    if not is_transient(export.collection):
                        self._dataflows[export.collection] = dataflow
            case AllowCompaction(collection=dropped) if sent.position != NO_POSITION:
                self._dataflows.pop(dropped, None)
            case _:
                pass

    def _tell(self) -> None:
        dataflows = tuple(
            DataflowFacts(
                exports=(collection,),
                fingerprint=fingerprint_of(dataflow),
                since=dataflow.as_of,
                upper=self._uppers.get(collection, dataflow.as_of).join(dataflow.as_of),
                hydrated=collection in self._uppers,
            )
            for collection, dataflow in self._dataflows.items()
        )
        self.facts = replace(self.facts, dataflows=dataflows)
