"""The run itself: events go in, subscriptions come out, a replica is killed and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from antiphon.client import AsyncClient
from antiphon.demo.check import Oracle, Verdict, compare, compare_changes
from antiphon.demo.data import Year
from antiphon.demo.events import HOUR_US, Events
from antiphon.demo.meter import Pace, Sent, ViewMeter
from antiphon.demo.views import CREATE_FEED, FEED, TABLES, VIEWS
from antiphon.protocol.errors import AntiphonError, ReplicaFailed, Unavailable
from antiphon.protocol.stage import Stage
from antiphon.v1 import control_pb2 as wire

BATCH_EVENTS: Final = 2_000  # an append: about 17 hours of the year
TICKS_AHEAD_MAX: Final = 4  # the feed waits for the views: latency stays honest, queues short
KILL_AT: Final = 0.35  # of all events
CHECK_AT: Final = 0.65
COME_BACK_TIMEOUT_S: Final = 120.0
SYNC_TIMEOUT_S: Final = 180.0
POLL_S: Final = 0.25


@dataclass(slots=True)
class Kill:
    """What became of the replica that was killed."""

    replica: str
    process_id: int
    at_s: float
    noticed_s: float | None = None
    back_s: float | None = None  # computing again, every view fresh


@dataclass(slots=True)
class Run:
    """Everything the screen shows and the summary says."""

    events_total: int
    started_s: float
    sent: int = 0
    moment_us: int = 0
    pace: Pace = field(default_factory=Pace)
    views: list[ViewMeter] = field(default_factory=lambda: [ViewMeter(v.name) for v in VIEWS])
    status: wire.GetStatusResponse = field(default_factory=wire.GetStatusResponse)
    kill: Kill | None = None
    phase: str = "starting"
    verdicts: list[tuple[str, Verdict]] = field(default_factory=list)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started_s

    @property
    def is_equal(self) -> bool:
        return bool(self.verdicts) and all(verdict.is_equal for _, verdict in self.verdicts)


class Replay:
    """Drives one run over one client. `say` tells the audience what happens; `alive` raises once
    the system has ended by itself."""

    def __init__(
        self,
        client: AsyncClient,
        year: Year,
        events: Events,
        run: Run,
        *,
        speed: float | None,
        kill: bool,
        say: Callable[[str], None],
        alive: Callable[[], None],
    ) -> None:
        self._client = client
        self._year = year
        self._events = events
        self._run = run
        self._speed = speed
        self._kill = kill
        self._say = say
        self._alive = alive
        self._sent: list[Sent] = []
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """From an empty system to the last comparison."""
        await self._prepare()
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(self._watch())]
            background += [group.create_task(self._follow(meter)) for meter in self._run.views]
            await self._feed()
            await self._check("at the end", subscriptions=True)
            for task in background:
                task.cancel()

    async def _prepare(self) -> None:
        run = self._run
        run.phase = "waiting for the replicas"
        await self._until(_all_ready, SYNC_TIMEOUT_S, "the replicas did not come up")
        run.phase = "creating tables and views"
        for name, statement in TABLES.items():
            await self._client.sql(statement)
            await self._client.append(name, getattr(self._year, name))
        await self._client.sql(CREATE_FEED)
        for view in VIEWS:
            for statement in view.statements():
                await self._client.sql(statement)
        self._say(
            f"{len(TABLES)} tables loaded, 1 feed and {len(VIEWS)} views created,"
            f" {len(run.status.replicas)} replicas ready after {run.elapsed_s:.1f} s"
        )

    async def _feed(self) -> None:
        run, total = self._run, len(self._events)
        marks: list[tuple[float, Callable[[], Awaitable[None]]]] = []
        if self._kill:
            marks.append((KILL_AT, self._kill_replica))
        marks.append((CHECK_AT, lambda: self._check("on the way", subscriptions=False)))
        run.phase = "replaying"
        started_s, first_us = time.monotonic(), int(self._events.moment_us[0])
        for start in range(0, total, BATCH_EVENTS):
            stop = min(start + BATCH_EVENTS, total)
            table = self._events.table(start, stop)
            run.moment_us = int(self._events.moment_us[stop - 1])
            if self._speed:
                due_s = started_s + (run.moment_us - first_us) / HOUR_US / self._speed
                await asyncio.sleep(max(due_s - time.monotonic(), 0))
            await self._keep_step()
            sent_s = time.monotonic()
            answer = await self._client.append(FEED, table)
            assert answer.time is not None, "there were rows"
            self._note_sent(Sent(answer.time, sent_s), stop)
            while marks and stop >= marks[0][0] * total:
                await marks.pop(0)[1]()
                run.phase = "replaying"

    def _note_sent(self, sent: Sent, count: int) -> None:
        run = self._run
        self._sent.append(sent)
        run.pace.add(count - run.sent, time.monotonic())
        run.sent = count
        for meter in run.views:
            meter.settle(self._sent)

    async def _keep_step(self) -> None:
        """Waits while some view is too many appends behind."""
        while len(self._sent) >= TICKS_AHEAD_MAX:
            oldest = self._sent[-TICKS_AHEAD_MAX].time
            if all(meter.frontier > oldest for meter in self._run.views):
                return
            self._moved.clear()
            await self._moved.wait()

    async def _follow(self, meter: ViewMeter) -> None:
        async with self._client.subscribe(meter.name, with_progress=True) as changes:
            async for batch in changes:
                meter.receive(batch, time.monotonic())
                meter.settle(self._sent)
                self._moved.set()

    async def _kill_replica(self) -> None:
        run = self._run
        run.status = await self._client.status()
        victim = next(r for r in run.status.replicas if r.process_id)
        os.kill(victim.process_id, signal.SIGKILL)
        run.kill = Kill(victim.name, victim.process_id, time.monotonic())
        self._say(
            f"{victim.name} (process {victim.process_id}) killed with SIGKILL after"
            f" {run.sent:,} events; the feed goes on"
        )

    async def _watch(self) -> None:
        while True:
            self._alive()
            try:
                self._run.status = await self._client.status()
            except Unavailable:
                pass  # `alive` says why, if it is for good
            else:
                self._watch_killed()
            await asyncio.sleep(POLL_S)

    def _watch_killed(self) -> None:
        kill = self._run.kill
        if kill is None or kill.back_s is not None:
            return
        replica = next((r for r in self._run.status.replicas if r.name == kill.replica), None)
        now_s = time.monotonic()
        # Its death is noticed a moment later, and by the one before the other: without a process it
        # may be shown as connected still.
        is_another = replica is not None and replica.process_id not in (0, kill.process_id)
        if replica is None or not _is_ready(replica) or not is_another:
            if kill.noticed_s is None and (replica is None or replica.link != "connected"):
                kill.noticed_s = now_s
            return
        kill.back_s = now_s
        self._say(
            f"{kill.replica} is back (process {replica.process_id}), every view fresh again,"
            f" {now_s - kill.at_s:.1f} s after the kill"
        )

    async def _check(self, place: str, *, subscriptions: bool) -> None:
        """Compares every view on each replica, at one time, with DuckDB over the same data."""
        run = self._run
        run.phase = "comparing"
        assert self._sent, "something was sent"
        at = self._sent[-1].time
        await self._until(_all_ready, COME_BACK_TIMEOUT_S, "a replica did not come back")
        state = self._events.state_after(run.sent)
        expected = await asyncio.to_thread(self._expected, state)
        for replica in [r.name for r in run.status.replicas]:
            for view in VIEWS:
                actual = await self._ask(view.name, replica, at)
                verdict = compare(view, replica, actual, expected[view.name])
                run.verdicts.append((place, verdict))
                self._tell(verdict)
        if subscriptions:
            await self._check_subscriptions(place, at, expected)
        equal = sum(v.is_equal for p, v in run.verdicts if p == place)
        self._say(f"compared with DuckDB {place}, at time {at}: {equal} comparisons equal")

    async def _ask(self, view: str, replica: str, at: int) -> pa.Table:
        """What one replica holds. Its link may be lost at any moment, be it that it was killed just
        now, or that the machine is busy; nothing was done then, so it is asked again."""
        deadline_s = time.monotonic() + COME_BACK_TIMEOUT_S
        while True:
            try:
                return await self._client.peek(view, as_of=at, replica=replica)
            except ReplicaFailed:
                if time.monotonic() > deadline_s:
                    raise
            await asyncio.sleep(POLL_S)

    async def _check_subscriptions(
        self, place: str, at: int, expected: dict[str, pa.Table]
    ) -> None:
        async with asyncio.timeout(SYNC_TIMEOUT_S):
            while any(meter.frontier <= at for meter in self._run.views):
                self._moved.clear()
                await self._moved.wait()
        for view, meter in zip(VIEWS, self._run.views, strict=True):
            verdict = compare_changes(view, meter.batches, expected[view.name])
            self._run.verdicts.append((place, verdict))
            self._tell(verdict)

    def _expected(self, flights: pa.Table) -> dict[str, pa.Table]:
        tables = {name: getattr(self._year, name) for name in TABLES}
        oracle = Oracle({FEED: flights, **tables})
        try:
            return {view.name: oracle.expected(view) for view in VIEWS}
        finally:
            oracle.close()

    def _tell(self, verdict: Verdict) -> None:
        for difference in verdict.differences:
            self._say(f"WRONG {verdict.view} on {verdict.replica}: {difference}")

    async def _until(
        self, reached: Callable[[wire.GetStatusResponse], bool], timeout_s: float, failure: str
    ) -> None:
        deadline_s = time.monotonic() + timeout_s
        while True:
            self._alive()
            try:
                self._run.status = await self._client.status()
                self._watch_killed()
                if reached(self._run.status):
                    return
            except AntiphonError as error:
                failure = f"{failure}: {error}"
            if time.monotonic() > deadline_s:
                raise Unavailable(f"{failure} within {timeout_s:.0f} s")
            await asyncio.sleep(POLL_S)


def _is_ready(replica: wire.ReplicaInfo) -> bool:
    return (
        replica.link == "connected"
        and replica.stage == int(Stage.READ_WRITE)
        and all(c.hydrated for c in replica.collections)
    )


def _all_ready(status: wire.GetStatusResponse) -> bool:
    return bool(status.replicas) and all(_is_ready(replica) for replica in status.replicas)
