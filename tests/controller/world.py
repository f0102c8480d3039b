"""A driver among ports that a test holds in its hands: a store in memory, replicas by script.

Nothing happens but in these calls. `run` performs what is queued at the store; replicas say only
what a test has them say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa

from antiphon.controller.driver import Driver
from antiphon.controller.instance.event import DigestsTold, LinkLost, ResponsesReceived, Ticked
from antiphon.controller.instance.invariants import check
from antiphon.controller.instance.state import InstanceConfig
from antiphon.controller.ports import Reply
from antiphon.controller.ports import World as Ports
from antiphon.controller.recovery import recover
from antiphon.controller.request import (
    AppendReceived,
    DriverEvent,
    ReadOptions,
    ReplicaNamed,
    ReplicaReached,
    ReplicasConfigured,
    StatementReceived,
)
from antiphon.controller.sql.planner import plan_statement, split_statements
from antiphon.controller.sql.statement import Statement
from antiphon.history.memory import MemoryStore
from antiphon.history.store import Fence, ProducerSequence
from antiphon.protocol.command import Command, Peek, Sent
from antiphon.protocol.delta import DIFF_COLUMN, Delta, encode_batch
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import (
    ClaimId,
    CollectionId,
    HistoryId,
    Incarnation,
    InstanceId,
    PeekId,
    ReplicaId,
)
from antiphon.protocol.response import PeekResponse, PeekRows, Response
from antiphon.protocol.schema import arrow_schema
from antiphon.protocol.version import SPOKEN

NOW_MS = 1_000_000


@dataclass(slots=True)
class Push:
    lower: Frontier
    upper: Frontier
    deltas: Mapping[CollectionId, Delta]


@dataclass(slots=True)
class Recorder:
    """All ports but the store: each only remembers."""

    now: int = NOW_MS
    draws: int = 0
    log: list[str] = field(default_factory=list)  # the order of effects
    sent: dict[str, list[Command]] = field(default_factory=dict)
    opened: dict[str, tuple[Sent, ...]] = field(default_factory=dict)  # whole sessions
    fetches: list[tuple[str, PeekId, int]] = field(default_factory=list)
    digests: list[DigestsTold] = field(default_factory=list)  # that were asked for
    pushes: list[Push] = field(default_factory=list)
    replies: dict[int, list[Reply]] = field(default_factory=dict)

    def connect(self, replica: ReplicaId, address: str) -> None:
        self.log.append(f"connect {replica}")

    def open(self, replica: ReplicaId, commands: tuple[Sent, ...]) -> None:
        self.log.append(f"open {replica}")
        self.opened[replica] = commands
        self.sent[replica] = [sent.command for sent in commands]

    def send(self, replica: ReplicaId, commands: tuple[Sent, ...]) -> None:
        self.log += [f"send {type(sent.command).__name__}" for sent in commands]
        self.sent[replica] += [sent.command for sent in commands]

    def close(self, replica: ReplicaId, reason: str) -> None:
        self.log.append(f"close {replica}")

    def disconnect(self, replica: ReplicaId) -> None:
        self.log.append(f"disconnect {replica}")

    def ask_digests(
        self, replica: ReplicaId, collections: tuple[CollectionId, ...], time: int
    ) -> None:
        self.log.append(f"ask {replica} for digests")
        told = dict.fromkeys(collections, b"d" * 16)  # all hold the same
        self.digests.append(DigestsTold(replica=replica, time=time, digests=told))

    def fetch(self, replica: ReplicaId, peek_id: PeekId, request: int) -> None:
        self.fetches.append((replica, peek_id, request))

    def push(self, lower: Frontier, upper: Frontier, deltas: Mapping[CollectionId, Delta]) -> None:
        self.log.append("push")
        self.pushes.append(Push(lower, upper, deltas))

    def reply(self, request: int, reply: Reply) -> None:
        self.log.append(f"reply {type(reply).__name__}")
        self.replies.setdefault(request, []).append(reply)

    def now_ms(self) -> int:
        return self.now

    def random_id(self) -> bytes:
        self.draws += 1
        return self.draws.to_bytes(16, "big")


class World:
    """One driver over one store. `restart` makes the next controller of the same store."""

    def __init__(
        self,
        store: MemoryStore | None = None,
        *,
        named: Mapping[ReplicaId, str] | None = None,
        **config: object,
    ) -> None:
        self.store = store or MemoryStore(
            instance_id=InstanceId(7), history_id=HistoryId(b"h" * 16)
        )
        self.ports = Recorder()
        self._config = config
        claim = ClaimId(self.store.opened().epoch.to_bytes(16, "big"))
        opened = self.store.claim(claim)
        fence = Fence(epoch=opened.epoch, claim_id=claim)
        instance = InstanceConfig(
            instance_id=opened.instance_id,
            name="test",
            history_id=opened.history_id,
            epoch=fence.epoch,
            claim_id=claim,
        )
        recovered = recover(
            opened,
            self.store.history(),
            replace(instance, **config),  # type: ignore[arg-type]
        )
        self.conflicts = recovered.conflicts
        ports = Ports(
            store=self.store,
            links=self.ports,
            tails=self.ports,
            replies=self.ports,
            clock=self.ports,
            random=self.ports,
        )
        self.driver = Driver(recovered=recovered, fence=fence, world=ports)
        self._requests = 0
        self.handle(ReplicasConfigured(request=self.request(), replicas=named or {}))
        self.run()

    def restart(self, named: Mapping[ReplicaId, str] | None = None) -> World:
        """This controller is killed: what was queued is lost; another claims the store, and its
        settings name these replicas."""
        self.store.crash()
        return World(self.store, named=named, **self._config)

    def request(self) -> int:
        self._requests += 1
        return self._requests

    def handle(self, event: DriverEvent) -> None:
        self.driver.handle(event)
        check(self.driver.kernel.instance.state)
        while self.ports.digests:
            self.driver.handle(self.ports.digests.pop(0))

    def commit(self) -> bool:
        """The store performs the oldest submission. False: nothing waits there."""
        completion = self.store.commit_next()
        if completion is None:
            return False
        self.handle(completion)
        return True

    def run(self) -> None:
        while self.commit():
            pass

    # Statements.

    def plan(self, sql: str) -> Statement:
        (piece,) = split_statements(sql)
        return plan_statement(piece, self.driver.catalog)

    def begin(
        self,
        statement: Statement | str,
        *,
        version: int | None = None,
        producer: ProducerSequence | None = None,
        **options: object,
    ) -> int:
        """Hand over a statement; its request."""
        request = self.request()
        planned = self.plan(statement) if isinstance(statement, str) else statement
        self.handle(
            StatementReceived(
                request=request,
                statement=planned,
                catalog_version=self.driver.catalog.version if version is None else version,
                options=ReadOptions(**options),  # type: ignore[arg-type]
                producer=producer,
            )
        )
        return request

    def sql(self, statement: str) -> Reply:
        """A statement that needs no replica, to its end."""
        request = self.begin(statement)
        self.run()
        return self.reply(request)

    def reply(self, request: int) -> Reply:
        """The one reply to a request."""
        (reply,) = self.ports.replies[request]
        return reply

    def id(self, name: str) -> CollectionId:
        item = self.driver.catalog.find(name)
        assert item is not None, name
        return item.id

    def append(
        self, name: str, rows: list[dict[str, object]], producer: ProducerSequence | None = None
    ) -> int:
        item = self.driver.catalog.find(name)
        assert item is not None, name
        schema = pa.schema([*arrow_schema(item.schema), pa.field(DIFF_COLUMN, pa.int64(), False)])
        batch = pa.RecordBatch.from_pylist([{DIFF_COLUMN: 1, **row} for row in rows], schema)
        request = self.request()
        self.handle(
            AppendReceived(request=request, collection=item.id, rows=batch, producer=producer)
        )
        return request

    # Replicas.

    def connect(self, name: str, **facts: object) -> list[Command]:
        replica = ReplicaId(name)
        if replica not in self.driver.kernel.instance.state.replicas:
            self.handle(ReplicaNamed(request=self.request(), replica=replica, address="unix:x"))
            while replica not in self.driver.kernel.instance.state.replicas:
                assert self.commit(), f"{name} was not added"
        known = ReplicaFacts(replica=replica, incarnation=Incarnation(b"i" * 16), versions=SPOKEN)
        probed = replace(known, **facts)  # type: ignore[arg-type]
        self.handle(ReplicaReached(replica=replica, facts=probed))
        return self.ports.sent.get(name, [])

    def respond(self, name: str, *responses: Response) -> None:
        replica = self.driver.kernel.instance.state.replicas[ReplicaId(name)]
        assert replica.connection_id is not None
        self.handle(
            ResponsesReceived(
                replica=replica.id, connection_id=replica.connection_id, responses=responses
            )
        )

    def lose(self, name: str) -> None:
        replica = self.driver.kernel.instance.state.replicas[ReplicaId(name)]
        self.handle(
            LinkLost(replica=replica.id, connection_id=replica.connection_id, reason="gone")
        )

    def peeks(self, name: str) -> list[Peek]:
        return [command for command in self.ports.sent[name] if isinstance(command, Peek)]

    def answer(self, name: str, peek: Peek, rows: list[dict[str, object]]) -> None:
        """The rows of a peek, in the columns that it named."""
        schema = arrow_schema(peek.schema)
        columns = list(zip(*(row.values() for row in rows), strict=True)) or [()] * len(schema)
        batch = pa.RecordBatch.from_arrays(
            [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
        )
        result = PeekRows(batches=(encode_batch(batch),), row_count=len(rows))
        self.respond(name, PeekResponse(peek_id=peek.peek_id, result=result))

    def pass_time(self, milliseconds: int) -> None:
        self.ports.now += milliseconds
        self.handle(Ticked())
        self.run()

    def content(self, name: str) -> list[dict[str, object]]:
        """What the store holds of a table or feed now, in any order but a stable one."""
        time = self.driver.timeline_upper - 1
        rows = [
            row
            for delta in self.store.snapshot(self.id(name), time)
            for batch in delta.rows
            for row in batch.to_pylist()
        ]
        for row in rows:
            del row["antiphon_time"]
        return sorted(rows, key=repr)
