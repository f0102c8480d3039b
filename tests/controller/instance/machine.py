"""An instance machine with scripted replicas: what the tests of its parts stand on.

Every step is followed by the invariants, and every command that leaves is checked by a session, as
a real controller and a real replica would check it.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from antiphon.controller.instance.event import (
    CompactionDurable,
    CopyRequested,
    DigestsTold,
    Event,
    InstallDurable,
    InstallRequested,
    LinkLost,
    PeekRequested,
    ReplicaAdded,
    ReplicaProbed,
    ResponsesReceived,
    StoredInput,
    SubscribeRequested,
    Ticked,
    TimelineAdvanced,
)
from antiphon.controller.instance.invariants import check
from antiphon.controller.instance.ready import (
    AskDigests,
    CompactionEntry,
    NumberedEntry,
    OpenSession,
    Ready,
    SendCommands,
)
from antiphon.controller.instance.replicas.log import CommandLog
from antiphon.controller.instance.state import Collection, InstanceConfig, State
from antiphon.controller.instance.step import Instance
from antiphon.controller.ports import Reply
from antiphon.protocol.command import Command, IndexTarget, Sent
from antiphon.protocol.dataflow import (
    UNFINISHED,
    CollectionKind,
    DataflowDescription,
    Export,
    Import,
    IndexExport,
    MaterializedViewExport,
)
from antiphon.protocol.delta import DIFF_COLUMN, TIME_COLUMN, delta_schema, encode_batch
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.frontier import START, Frontier
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
    transient,
)
from antiphon.protocol.response import (
    CopyToDropped,
    CopyToResponse,
    CopyToRows,
    Dropped,
    Failure,
    Frontiers,
    PeekResponse,
    PeekRows,
    Response,
    SubscribeBatch,
    SubscribeResponse,
)
from antiphon.protocol.schema import INT64, Column, Schema
from antiphon.protocol.session import ControllerSession
from antiphon.protocol.version import SPOKEN

SCHEMA = Schema((Column(name="k", type=INT64), Column(name="v", type=INT64)))
T = CollectionId(1)  # a table, in every machine
U = CollectionId(2)  # another
CONFIG = InstanceConfig(
    instance_id=InstanceId(7),
    name="test",
    history_id=HistoryId(b"h" * 16),
    epoch=Epoch(3),
    claim_id=ClaimId(b"c" * 16),
    retain_ms=10,
)


class Machine:
    """Feed it; it keeps what the instance owed, and pretends that the store is instant."""

    def __init__(self, config: InstanceConfig = CONFIG, *, upper: int = 100) -> None:
        state = State(config=config, timeline_upper=upper, head=NO_POSITION, head_digest=b"")
        self.instance = Instance(state)
        self.history = CommandLog()  # of the store
        self.now_ms = 1_000_000
        self.sent: dict[str, list[Command]] = {}
        self.replies: dict[int, list[Reply]] = {}
        self.others: list[object] = []  # sends that are no commands
        self.digest: bytes | None = b"d" * 16  # what all replicas hold; None: the test tells
        self.wake_at_ms: int | None = None
        self._sessions: dict[str, ControllerSession] = {}
        self._draws = 0
        self._requests = 0
        self.install(stored=(T, U))

    @property
    def state(self) -> State:
        return self.instance.state

    def collection(self, collection: CollectionId) -> Collection:
        return self.state.collections[collection]

    def since(self, collection: CollectionId) -> int | None:
        return self.collection(collection).since.time

    def draw(self) -> bytes:
        self._draws += 1
        return self._draws.to_bytes(16, "big")

    def request(self) -> int:
        self._requests += 1
        return self._requests

    def step(self, event: Event) -> Ready:
        ready = self.instance.step(event, self.now_ms)
        for send in ready.sends:
            match send:
                case OpenSession(replica=replica, commands=commands):
                    facts = self.state.replicas[replica].facts
                    assert facts is not None
                    self._sessions[replica] = ControllerSession(facts)
                    self.sent[replica] = []
                    self._say(replica, commands)
                case SendCommands(replica=replica, commands=commands):
                    self._say(replica, commands)
                case _:
                    self.others.append(send)
        for request, reply in ready.replies:
            self.replies.setdefault(request, []).append(reply)
        self.wake_at_ms = ready.wake_at_ms
        check(self.state)
        for send in ready.sends:
            if isinstance(send, AskDigests) and self.digest is not None:
                told = dict.fromkeys(send.collections, self.digest)
                self.step(DigestsTold(replica=send.replica, time=send.time, digests=told))
        return ready

    def _say(self, replica: str, commands: tuple[Sent, ...]) -> None:
        for sent in commands:
            self._sessions[replica].send(sent)
            self.sent[replica].append(sent.command)

    def take(self, replica: str) -> list[Command]:
        """What was sent since the last look."""
        commands, self.sent[replica] = self.sent.get(replica, []), []
        return commands

    def session(self, name: str) -> ControllerSession:
        return self._sessions[name]

    # Replicas.

    def add(self, *names: str) -> None:
        for name in names:
            self.step(ReplicaAdded(replica=ReplicaId(name), address=f"unix:{name}"))

    def connect(self, name: str, **facts: object) -> list[Command]:
        """Probe and open; what the replica was told."""
        known = ReplicaFacts(
            replica=ReplicaId(name), incarnation=Incarnation(b"i" * 16), versions=SPOKEN
        )
        connection = ConnectionId(self.draw())
        replica = ReplicaId(name)
        if replica not in self.state.replicas:
            self.add(name)
        probed = replace(known, **facts)  # type: ignore[arg-type]
        self.step(ReplicaProbed(replica=replica, facts=probed, connection_id=connection))
        return self.take(name)

    def respond(self, name: str, *responses: Response, legal: bool = True) -> Ready:
        """`legal` False: what no session would let through."""
        replica = self.state.replicas[ReplicaId(name)]
        connection = replica.connection_id
        assert connection is not None
        for response in responses if legal else ():
            self._sessions[name].receive(connection, response)
        return self.step(
            ResponsesReceived(
                replica=ReplicaId(name), connection_id=connection, responses=responses
            )
        )

    def lose(self, name: str) -> Ready:
        connection = self.state.replicas[ReplicaId(name)].connection_id
        return self.step(LinkLost(replica=ReplicaId(name), connection_id=connection, reason="gone"))

    def report(
        self,
        name: str,
        collection: CollectionId,
        write: int | None = None,
        *,
        input: int | None = None,
        output: int | None = None,
    ) -> Ready:
        """All three frontiers at `write`, unless they are given one by one."""
        frontiers = Frontiers(
            collection=collection,
            write_frontier=None if write is None else Frontier(write),
            input_frontier=Frontier(input) if input is not None else _frontier(write),
            output_frontier=Frontier(output) if output is not None else _frontier(write),
        )
        return self.respond(name, frontiers)

    def answer(
        self, name: str, peek_id: PeekId, *, row_count: int = 0, legal: bool = True
    ) -> Ready:
        rows = PeekRows(batches=(), row_count=row_count)
        return self.respond(name, PeekResponse(peek_id=peek_id, result=rows), legal=legal)

    def dropped(self, name: str, collection: CollectionId) -> Ready:
        return self.respond(name, Dropped(collection=collection))

    # The store and the clock.

    def tick(self, upper: int) -> Ready:
        return self.step(TimelineAdvanced(upper=upper))

    def beat(self) -> dict[CollectionId, Frontier]:
        """A second later; what was allowed to compact, durable at once."""
        self.now_ms += 1_000
        ready = self.step(Ticked())
        allowed: dict[CollectionId, Frontier] = {}
        for entry in ready.entries:
            assert isinstance(entry, CompactionEntry)
            allowed.update(entry.compaction)
            self.step(CompactionDurable(compaction=entry.compaction))
        return allowed

    # Statements.

    def install(
        self,
        *dataflows: DataflowDescription,
        stored: tuple[CollectionId, ...] = (),
        drops: tuple[CollectionId, ...] = (),
    ) -> int:
        """A statement that is durable at once; its request."""
        request = self.request()
        tables = tuple(
            StoredInput(collection=c, kind=CollectionKind.TABLE, schema=SCHEMA) for c in stored
        )
        ready = self.step(
            InstallRequested(request=request, stored=tables, dataflows=dataflows, drops=drops)
        )
        if request not in self.state.installs:
            return request
        for entry in ready.entries:
            assert isinstance(entry, NumberedEntry)
            self.history.append(entry.command)
        head = self.state.head
        self.step(
            InstallDurable(
                request=request,
                positions=tuple(Position(head + 1 + at) for at in range(len(ready.entries))),
                head=Position(head + len(ready.entries)),
                head_digest=self.history.digest_at(self.history.head) or b"",
            )
        )
        return request

    def install_stored(self, stored: StoredInput) -> None:
        """A table or a feed of any kind."""
        request = self.request()
        self.step(InstallRequested(request=request, stored=(stored,), dataflows=(), drops=()))
        self.step(
            InstallDurable(
                request=request,
                positions=(),
                head=self.state.head,
                head_digest=self.state.head_digest,
            )
        )

    def peek(
        self,
        *imports: CollectionId,
        time: int | None = None,
        replica: str | None = None,
    ) -> tuple[int, PeekId]:
        request, peek_id = self.request(), PeekId(self.draw())
        self.step(
            PeekRequested(
                request=request,
                peek_id=peek_id,
                target=IndexTarget(collection=imports[0]),
                schema=SCHEMA,
                finishing=UNFINISHED,
                imports=imports,
                time=time,
                replica=None if replica is None else ReplicaId(replica),
                rows_max=1_000,
                bytes_max=1_000_000,
            )
        )
        return request, peek_id

    def subscribe(
        self,
        collection: CollectionId = T,
        *,
        time: int | None = None,
        resume_from: int | None = None,
        replica: str | None = None,
        with_snapshot: bool = True,
    ) -> tuple[int, CollectionId]:
        request, name = self.request(), transient(self._requests)
        self.step(
            SubscribeRequested(
                request=request,
                collection=name,
                dataflow=index(0, on=collection),
                imports=(collection,),
                with_snapshot=with_snapshot,
                time=time,
                resume_from=None if resume_from is None else Frontier(resume_from),
                replica=None if replica is None else ReplicaId(replica),
            )
        )
        return request, name

    def copy(
        self, collection: CollectionId = T, *, replica: str | None = None, time: int | None = None
    ) -> tuple[int, CollectionId]:
        request, name = self.request(), transient(self._requests)
        self.step(
            CopyRequested(
                request=request,
                collection=name,
                dataflow=index(0, on=collection),
                imports=(collection,),
                uri="x.parquet",
                time=time,
                replica=None if replica is None else ReplicaId(replica),
            )
        )
        return request, name

    def copied(
        self, name: str, collection: CollectionId, result: CopyToRows | CopyToDropped | Failure
    ) -> Ready:
        return self.respond(name, CopyToResponse(collection=collection, result=result))

    def batch(
        self,
        name: str,
        collection: CollectionId,
        lower: int,
        upper: int,
        *times: int,
        legal: bool = True,
    ) -> Ready:
        """One update at each of `times`, whose values are its time."""
        result = SubscribeBatch(
            lower=Frontier(lower), upper=Frontier(upper), batches=(updates(*times),)
        )
        response = SubscribeResponse(collection=collection, result=result)
        return self.respond(name, response, legal=legal)


def _frontier(time: int | None) -> Frontier | None:
    return None if time is None else Frontier(time)


def updates(*times: int) -> bytes:
    """A delta with one row for each time, encoded."""
    columns = {"k": times, "v": times, TIME_COLUMN: times, DIFF_COLUMN: [1] * len(times)}
    return encode_batch(pa.RecordBatch.from_pydict(columns, schema=delta_schema(SCHEMA)))


def index(
    number: int, *, on: CollectionId = T, kind: CollectionKind = CollectionKind.TABLE
) -> DataflowDescription:
    """A dataflow that exports `number` as an index on a table, or on what `kind` says."""
    return DataflowDescription(
        name=f"i{number}",
        imports=(Import(collection=on, kind=kind, schema=SCHEMA),),
        plan=b"p",
        exports=(Export(collection=CollectionId(number), kind=IndexExport(key_columns=(0,))),),
        as_of=START,
        schema=SCHEMA,
    )


def view(number: int, *, on: CollectionId = T) -> DataflowDescription:
    """The same, as a materialized view."""
    export = Export(collection=CollectionId(number), kind=MaterializedViewExport())
    return replace(index(number, on=on), name=f"v{number}", exports=(export,))


def of_type(commands: list[Command], *kinds: type[Command]) -> list[Command]:
    return [command for command in commands if isinstance(command, kinds)]
