"""A small replica of its own making: honest, or with one fault.

It keeps copies of tables under the names of indexes, subscribes and materialized views, and reads
everything from one tail for each table, from time 0 on. That is enough for most checks, and shows
that they ask for what the protocol says and not for how our own replica works.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import grpc

from antiphon.proof.conformance.content import delta_of
from antiphon.protocol.codec import (
    commands_from_batch,
    delta_to_proto,
    facts_to_proto,
    frontier_from_proto,
    frontier_to_proto,
    responses_to_batch,
)
from antiphon.protocol.command import (
    AcceptRebuild,
    AllowCompaction,
    AllowWrites,
    CancelPeek,
    Command,
    CreateDataflow,
    Hello,
    IndexTarget,
    InitializationComplete,
    Peek,
    Schedule,
    Sent,
)
from antiphon.protocol.dataflow import CollectionKind, MaterializedViewExport, SubscribeExport
from antiphon.protocol.errors import (
    AntiphonError,
    CollectionMissing,
    LimitExceeded,
    SinceViolation,
    Unavailable,
)
from antiphon.protocol.facts import DataflowFacts, ReplicaFacts
from antiphon.protocol.failure import failure_of
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.greeting import NOBODY, Incumbent
from antiphon.protocol.ids import CollectionId, ConnectionId, Incarnation, ReplicaId
from antiphon.protocol.io.channel import open_channel
from antiphon.protocol.response import (
    Dropped,
    Failure,
    Frontiers,
    PeekCanceled,
    PeekResponse,
    PeekRows,
    Response,
    Status,
    SubscribeBatch,
    SubscribeDropped,
    SubscribeResponse,
)
from antiphon.protocol.session import ReplicaSession
from antiphon.protocol.stage import Stage
from antiphon.protocol.version import SPOKEN
from antiphon.v1 import collections_pb2 as pb
from antiphon.v1 import collections_pb2_grpc, compute_pb2_grpc
from tests.proof.conformance.copies import Copy, Export
from tests.proof.conformance.faults import Fault


@dataclass(slots=True)
class Link:
    """One stream; an error in the queue ends it."""

    queue: asyncio.Queue[tuple[ConnectionId, Response] | AntiphonError] = field(
        default_factory=asyncio.Queue
    )
    session: ReplicaSession | None = None
    collected: list[Command] = field(default_factory=list)


class FaultyReplica(compute_pb2_grpc.ComputeServicer):
    """`controller`: where the tables are."""

    def __init__(self, controller: str, fault: Fault) -> None:
        self._fault = fault
        self._channel = open_channel(controller)
        self._store = collections_pb2_grpc.CollectionsStub(self._channel)
        self.facts = ReplicaFacts(
            replica=ReplicaId("fake"),
            incarnation=Incarnation(secrets.token_bytes(16)),
            versions=SPOKEN,
            command_digest=bytes(32),
        )
        self._incumbent = NOBODY
        self._current: Link | None = None
        self._exports: dict[CollectionId, Export] = {}
        self._tables: dict[CollectionId, Copy] = {}
        self._peeks: list[tuple[Peek, Export]] = []
        self._writes = False
        self._writing: dict[CollectionId, asyncio.Task[None]] = {}
        self._shards: dict[CollectionId, int] = {}

    async def close(self) -> None:
        tasks = [*(copy.following for copy in self._tables.values()), *self._writing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._channel.close()

    # The service.

    async def Probe(self, request: Any, context: Any) -> Any:
        session = None if self._current is None else self._current.session
        stage = Stage.CLOSED if session is None else session.stage
        dataflows = tuple(
            DataflowFacts(
                exports=(export.collection,),
                fingerprint=bytes(32),
                since=Frontier(export.as_of),
                upper=Frontier(export.told or export.as_of),
                hydrated=export.told is not None,
            )
            for export in self._exports.values()
        )
        return facts_to_proto(replace(self.facts, stage=stage, dataflows=dataflows))

    async def Session(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        link = Link()
        tasks = [
            asyncio.ensure_future(self._read(link, requests)),
            asyncio.ensure_future(self._beat(link)),
        ]
        try:
            while True:
                item = await link.queue.get()
                if isinstance(item, AntiphonError):
                    raise item
                connection_id, response = item
                yield responses_to_batch(connection_id, [response])
        finally:
            for task in tasks:
                task.cancel()
            if self._current is link:
                self._leave()

    async def _read(self, link: Link, requests: Any) -> None:
        try:
            async for message in requests:
                for sent in commands_from_batch(message):
                    self._take(link, sent)
        except AntiphonError as error:
            link.queue.put_nowait(error)
        except (grpc.aio.UsageError, grpc.aio.InternalError):
            link.queue.put_nowait(Unavailable("the controller is gone"))

    async def _beat(self, link: Link) -> None:
        while self._fault is not Fault.HAS_NO_HEARTBEAT:
            await asyncio.sleep(1.0)
            if link.session is not None and link.session.stage >= Stage.INITIALIZATION:
                self._respond(
                    link,
                    Status(
                        stage=link.session.stage,
                        applied_position=self.facts.applied_position,
                        durable_position=self.facts.durable_position,
                    ),
                )

    # Commands.

    def _take(self, link: Link, sent: Sent) -> None:
        if link.session is None:
            link.session = self._begin(sent)
        if self._fault is Fault.IGNORES_POSITIONS and sent.position:
            sent = Sent(type(sent.position)(link.session.position + 1), sent.command)
        command = sent.command
        if not isinstance(command, AcceptRebuild) or self._fault is not Fault.ACCEPTS_TOO_EARLY:
            link.session.receive(sent)
        if isinstance(command, Hello):
            self._take_over(link, command)
        elif isinstance(command, InitializationComplete):
            self._initialize(link, command)
        elif link.session.stage is Stage.INITIALIZATION:
            link.collected.append(command)
            if self._fault is Fault.KEEPS_WHAT_IS_HALF_SENT:
                self._apply(link, command)
        else:
            if sent.position:
                self.facts = replace(self.facts, applied_position=sent.position)
            self._apply(link, command)
            self._settle()

    def _begin(self, sent: Sent) -> ReplicaSession:
        """The session of a stream, as strict as the fault lets it be."""
        facts, incumbent = self.facts, self._incumbent
        hello = sent.command
        if isinstance(hello, Hello):
            if self._fault is Fault.IGNORES_EPOCHS:
                facts = replace(facts, highest_epoch=NOBODY.epoch)
                incumbent = NOBODY
            if self._fault is Fault.IGNORES_FACTS:
                facts = replace(
                    facts,
                    incarnation=hello.expected_incarnation,
                    applied_position=hello.expected_position,
                    session_id=type(hello.session_id)(0),
                )
            if self._fault is Fault.IGNORES_VERSIONS:
                version = hello.protocol_version
                facts = replace(facts, versions=replace(facts.versions, min=1, max=version))
        return ReplicaSession(facts, incumbent)

    def _take_over(self, link: Link, hello: Hello) -> None:
        if self._current is not None and self._fault is not Fault.KEEPS_BOTH_CONNECTIONS:
            self._current.queue.put_nowait(Unavailable("a newer connection has taken over"))
        self._leave()
        self._current = link
        self._incumbent = Incumbent(
            epoch=hello.epoch, claim_id=hello.claim_id, connection_id=hello.connection_id
        )
        self.facts = replace(
            self.facts,
            instance_id=hello.instance_id,
            highest_epoch=hello.epoch,
            session_id=hello.session_id,
        )
        if self._fault is Fault.SPEAKS_TOO_EARLY:
            position = self.facts.applied_position
            early = Status(
                stage=Stage.CREATION, applied_position=position, durable_position=position
            )
            self._respond(link, early)

    def _leave(self) -> None:
        self._current = None
        self._peeks.clear()
        self._writes = False

    def _initialize(self, link: Link, command: InitializationComplete) -> None:
        assert link.session is not None, "a command came through it"
        assert link.session.hello is not None, "the stage says so"
        if self._fault is not Fault.KEEPS_WHAT_IS_ABSENT:
            self._exports.clear()
        self._peeks.clear()
        for collected in link.collected:
            self._apply(link, collected)
        self.facts = replace(
            self.facts,
            history_id=link.session.hello.history_id,
            applied_position=command.head_position,
            command_digest=command.head_digest,
        )
        for export in self._exports.values():
            export.told = None
        self._settle()

    def _apply(self, link: Link, command: Command) -> None:
        match command:
            case CreateDataflow(dataflow=dataflow):
                for export in dataflow.exports:
                    assert dataflow.as_of.time is not None, "the session lets no other through"
                    source = dataflow.imports[0]
                    self._exports[export.collection] = Export(
                        export.collection, export.kind, source.collection, dataflow.as_of.time,
                        since=dataflow.as_of.time, is_feed=source.kind is CollectionKind.FEED,
                    )  # fmt: skip
            case Schedule():
                for collection in self._named(command):
                    self._exports[collection].scheduled = True
            case AllowCompaction(collection=collection, frontier=frontier):
                if frontier.time is None:
                    self._drop(link, collection)
                    return
                for collection in self._named(command):
                    export = self._exports[collection]
                    export.since = max(export.since, frontier.time)
            case Peek():
                self._peek(link, command)
            case CancelPeek(peek_id=peek_id):
                if any(peek.peek_id == peek_id for peek, _ in self._peeks):
                    self._peeks = [one for one in self._peeks if one[0].peek_id != peek_id]
                    self._answer(command.peek_id, PeekCanceled())
            case AllowWrites():
                self._writes = True
            case _:
                pass

    def _drop(self, link: Link, collection: CollectionId) -> None:
        export = self._exports.pop(collection)
        if isinstance(export.kind, SubscribeExport):
            times = 2 if self._fault is Fault.ENDS_A_SUBSCRIBE_TWICE else 1
            for _ in range(times):
                end = SubscribeDropped(at=export.covered)
                self._respond(link, SubscribeResponse(collection=collection, result=end))
        if self._fault is Fault.FORGETS_PINNED_READS:
            self._peeks = [one for one in self._peeks if one[1] is not export]
        if self._fault is Fault.CANCELS_UNASKED:
            for peek, _ in self._peeks:
                self._answer(peek.peek_id, PeekCanceled())
            self._peeks.clear()
        for _ in range(2 if self._fault is Fault.DROPS_TWICE else 1):
            self._respond(link, Dropped(collection=collection))

    # Computation: there is none.

    def _copy(self, export: Export) -> Copy:
        """What the export shows."""
        if export.copy is not None:
            return export.copy
        table = self._tables.get(export.table)
        if table is None:
            table = Copy(
                export.table, self._store, self._settle, self._fault, is_feed=export.is_feed
            )
            self._tables[export.table] = table
        return table

    def _settle(self) -> None:
        """Says what is news to the one who listens."""
        link = self._current
        if link is None or link.session is None or link.session.stage < Stage.READ_ONLY:
            return
        for export in list(self._exports.values()):
            if export.scheduled or self._fault is Fault.COMPUTES_UNSCHEDULED:
                self._report(link, export, self._copy(export))
            elif export.told is None:
                self._tell(link, export, export.as_of)
        waiting, self._peeks = self._peeks, []
        for peek, export in waiting:
            self._try(peek, export)

    def _report(self, link: Link, export: Export, table: Copy) -> None:
        upper = max(table.reached, export.as_of)
        if export.told is None and self._fault is Fault.STARTS_BEFORE_AS_OF:
            self._tell(link, export, export.as_of - 5)
        if export.told is None or upper > export.told:
            self._tell(link, export, upper)
            if self._fault is Fault.REGRESSES:
                self._tell(link, export, upper - 1)
        if isinstance(export.kind, SubscribeExport) and upper > export.as_of:
            self._publish(link, export, table, upper)
        if isinstance(export.kind, MaterializedViewExport) and (
            self._writes or self._fault is Fault.WRITES_UNASKED
        ):
            running = self._writing.get(export.collection)
            if running is None or running.done():
                self._writing[export.collection] = asyncio.ensure_future(self._write(export, table))

    def _named(self, command: Schedule | AllowCompaction) -> tuple[CollectionId, ...]:
        forgets = self._fault is Fault.FORGETS_THE_OTHERS
        return command.collections[:1] if forgets else command.collections

    def _tell(self, link: Link, export: Export, upper: int) -> None:
        export.told = upper
        frontier = Frontier(upper)
        self._respond(
            link,
            Frontiers(
                collection=export.collection,
                write_frontier=frontier,
                input_frontier=frontier,
                output_frontier=frontier,
            ),
        )

    def _publish(self, link: Link, export: Export, table: Copy, upper: int) -> None:
        lower = export.covered.time or 0
        if upper <= lower:
            return
        assert isinstance(export.kind, SubscribeExport), "the caller looked"
        first = export.as_of if lower == 0 else None
        batches = table.updates(lower, upper, first, with_snapshot=export.kind.with_snapshot)
        if lower and self._fault is Fault.LEAVES_A_GAP:
            lower += 1
        batch = SubscribeBatch(lower=Frontier(lower), upper=Frontier(upper), batches=batches)
        export.covered = Frontier(upper)
        self._respond(link, SubscribeResponse(collection=export.collection, result=batch))

    async def _write(self, export: Export, table: Copy) -> None:
        """Moves the shard to where the table is; the first answer says where it stands."""
        while (lower := self._shards.get(export.collection, 0)) < table.reached:
            if not self._writes and self._fault is not Fault.WRITES_UNASKED:
                return
            upper, claim_id = table.reached, self._incumbent.claim_id
            assert claim_id is not None, "somebody allowed it"
            changes = table.between(lower, upper)
            if self._fault is Fault.WRITES_TWICE:
                changes += changes
            request = pb.CompareAndAppendRequest(
                collection=export.collection,
                expected_upper=frontier_to_proto(Frontier(lower)),
                new_upper=frontier_to_proto(Frontier(upper)),
                delta=delta_to_proto(export.collection, delta_of(changes)),
                epoch=self._incumbent.epoch,
                claim_id=claim_id.value,
            )
            try:
                answer = await self._store.CompareAndAppend(request)
            except grpc.aio.AioRpcError:
                return  # a newer controller speaks, or the store is gone
            self._shards[export.collection] = frontier_from_proto(answer.upper).time or 0

    # Reads.

    def _peek(self, link: Link, peek: Peek) -> None:
        assert isinstance(peek.target, IndexTarget), "the checks that are run read indexes"
        export = self._exports.get(peek.target.collection)
        before_since = export is not None and peek.time < export.since
        if export is None:
            self._answer(peek.peek_id, failure_of(CollectionMissing("there is none")))
        elif before_since and self._fault is not Fault.ANSWERS_BEFORE_SINCE:
            self._answer(peek.peek_id, failure_of(SinceViolation("it is gone")))
        elif self._fault is not Fault.ANSWERS_NEVER:
            self._try(peek, export)

    def _try(self, peek: Peek, export: Export) -> None:
        table = self._copy(export)
        early = self._fault is Fault.ANSWERS_TOO_EARLY and table.reached > export.as_of
        if table.reached <= peek.time and not early:
            self._peeks.append((peek, export))
            return
        result = table.rows_at(peek.time)
        if result.row_count > peek.rows_max:
            self._answer(peek.peek_id, failure_of(LimitExceeded("too many rows")))
            return
        for _ in range(2 if self._fault is Fault.ANSWERS_TWICE else 1):
            self._answer(peek.peek_id, result)

    def _answer(self, peek_id: Any, result: PeekRows | PeekCanceled | Failure) -> None:
        if self._current is not None:
            self._respond(self._current, PeekResponse(peek_id=peek_id, result=result))

    def _respond(self, link: Link, response: Response) -> None:
        assert link.session is not None, "somebody spoke on it"
        connection_id = link.session.connection_id
        if self._fault is Fault.SAYS_THE_OLD_CONNECTION_ID or connection_id is None:
            connection_id = ConnectionId(bytes(16))
        link.queue.put_nowait((connection_id, response))
