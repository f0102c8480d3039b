"""Queries of introspection collections, evaluated beside the event loop.

Content is gathered on the loop, where it does not move; the engine works on a thread of its own,
one query at a time. Nothing of this becomes durable or touches the instance's timeline: an answer's
time is the clock's, and a subscribe ticks once a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeVar

import pyarrow as pa

from antiphon.controller.driver import Driver
from antiphon.controller.introspection import bound
from antiphon.controller.introspection.rows import Moment, Process, rows_of
from antiphon.controller.introspection.system import SystemCollection, system_collection
from antiphon.controller.io.calls import Part
from antiphon.controller.io.link import Links
from antiphon.controller.io.orchestrator.local import Orchestrator
from antiphon.controller.io.store_runner import StoreRunner
from antiphon.controller.ports import EnginePort, Evaluated, FollowPort, SubscribeReply
from antiphon.controller.request import ReadOptions
from antiphon.controller.sql.statement import Inspect, InspectChanges
from antiphon.controller.statements.read import NO_REPLICA
from antiphon.history.store import StoredCommand
from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.command import PlanTarget
from antiphon.protocol.errors import (
    InvalidArgument,
    LimitExceeded,
    NotServed,
    SinceViolation,
)
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import CollectionId, Position, ReplicaId
from antiphon.protocol.plan import Plan

QUERIES_MAX: Final = 64  # introspection queries and subscribes at once; the next is refused
INTERVAL_S: Final = 1.0  # between two ticks of a subscribe

Content = dict[CollectionId, pa.RecordBatch]
V = TypeVar("V")


class Inspection:
    """Answers `Inspect` and `InspectChanges`."""

    def __init__(
        self,
        *,
        driver: Driver,
        links: Links,
        store: StoreRunner,
        orchestrator: Orchestrator | None,
        engine: EnginePort | None,
    ) -> None:
        self._driver = driver
        self._links = links
        self._store = store
        self._orchestrator = orchestrator
        self._engine = engine
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="introspection")
        self._active = 0
        self._commands: tuple[tuple[int, int], list[StoredCommand]] = ((0, 0), [])

    async def read(self, statement: Inspect, options: ReadOptions) -> AsyncGenerator[Part, None]:
        """One answer, in parts; at least one, maybe without rows.

        Raises:
            ComputeError: a time or a replica was asked for, a limit, a data error.
        """
        _refuse_options(options)
        read, engine = statement.read, self._served()
        target = read.target
        assert isinstance(target, PlanTarget), "introspection collections have no indexes"
        with self._counted():
            time = self._driver.kernel.now_ms
            gather = await self._gather(read.imports, plan_from_bytes(target.plan))

            def evaluate() -> Evaluated:
                return engine.evaluate(
                    target,
                    gather(),
                    finishing=read.finishing,
                    schema=read.schema,
                    rows_max=options.rows_max,
                    bytes_max=options.bytes_max,
                )

            answer = await self._beside(evaluate)
        for batch in answer.batches or (b"",):
            single = answer.row_count if len(answer.batches) <= 1 else None
            yield Part(batch=batch, row_count=single, time=time, replica=NO_REPLICA)

    async def changes(
        self, statement: InspectChanges, options: ReadOptions
    ) -> AsyncGenerator[SubscribeReply | None, None]:
        """None once it has begun, then an interval a second, for as long as the caller reads.

        Raises:
            SinceViolation: it was to go on from a frontier; no past is kept.
            ComputeError: as `read`.
        """
        _refuse_options(options)
        if options.resume_from is not None:
            raise SinceViolation(
                "the controller keeps no past of itself: subscribe to antiphon.* anew",
                since=self._driver.kernel.now_ms,
            )
        engine = self._served()
        plan = plan_from_bytes(statement.dataflow.plan)
        with self._counted():
            follow = await self._beside(lambda: engine.follow(statement.dataflow))
            yield None
            lower = START
            while True:
                time = max(self._driver.kernel.now_ms, lower.time or 0)
                gather = await self._gather(statement.imports, plan)
                batches = await self._beside(partial(_step, follow, time, gather))
                if lower == START and not statement.with_snapshot:
                    batches = ()
                upper = Frontier(time + 1)
                yield SubscribeReply(lower=lower, upper=upper, batches=batches)
                lower = upper
                await asyncio.sleep(INTERVAL_S)

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _served(self) -> EnginePort:
        if self._engine is None:
            raise NotServed("this controller was started without an engine for introspection")
        return self._engine

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self._active >= QUERIES_MAX:
            raise LimitExceeded(
                f"{QUERIES_MAX} introspection queries are running", limit="QUERIES_MAX"
            )
        self._active += 1
        try:
            yield
        finally:
            self._active -= 1

    async def _beside(self, what: Callable[[], V]) -> V:
        return await asyncio.get_running_loop().run_in_executor(self._pool, what)

    async def _gather(self, wanted: tuple[CollectionId, ...], plan: Plan) -> Callable[[], Content]:
        """What these hold now. The history's rows are made when the result is called, beside the
        loop, for it grows for ever; then LimitExceeded is raised if the plan may meet too many."""
        which = [system_collection(collection) for collection in wanted]
        commands = await self._history() if SystemCollection.HISTORY in which else []
        moment = self._moment(commands)
        content = {
            one.id: rows_of(one, moment) for one in which if one is not SystemCollection.HISTORY
        }

        def gathered() -> Content:
            if SystemCollection.HISTORY in which:
                history = SystemCollection.HISTORY
                content[history.id] = rows_of(history, moment)
            bound.check(plan, {one: batch.num_rows for one, batch in content.items()})
            return content

        return gathered

    def _moment(self, commands: list[StoredCommand]) -> Moment:
        status, orchestrator = self._driver.status(), self._orchestrator
        names = [replica.name for replica in status.replicas]
        children = {} if orchestrator is None else {n: orchestrator.child(n) for n in names}
        return Moment(
            state=self._driver.kernel.instance.state,
            catalog=self._driver.catalog,
            status=status,
            links={name: self._links.phase(ReplicaId(name)) for name in names},
            processes={
                name: Process(process_id=child.process_id, restarts=child.restarts)
                for name, child in children.items()
                if child is not None
            },
            holds=self._driver.holds.all(),
            commands=commands,
        )

    async def _history(self) -> list[StoredCommand]:
        """All durable commands; read again only when there are more, or some were folded."""
        log = self._driver.kernel.instance.state.log
        bounds = (log.base, log.head)
        if self._commands[0] != bounds:
            self._commands = (bounds, await self._store.commands(Position(1)))
        return self._commands[1]


def _step(follow: FollowPort, time: int, gather: Callable[[], Content]) -> tuple[bytes, ...]:
    return follow.step(time, gather())


def _refuse_options(options: ReadOptions) -> None:
    """
    Raises:
        InvalidArgument: a time or a replica was asked for.
    """
    if options.as_of is not None:
        raise InvalidArgument("antiphon.* has no past: read it without a time")
    if options.replica is not None:
        raise InvalidArgument("antiphon.* is answered by the controller: name no replica")
