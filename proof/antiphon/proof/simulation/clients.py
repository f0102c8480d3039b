"""Clients of the simulated controller: they try again until they know what became of it.

They reach the controller through a network that is slow and cut; a request whose answer is lost is
repeated, appends under the same producer sequence. What they learn goes to `Observations`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import pyarrow as pa

from antiphon.controller.appends import prepare
from antiphon.controller.instance.event import RequestCanceled
from antiphon.controller.ports import (
    AppendReply,
    DoneReply,
    ErrorReply,
    ReplanReply,
    Reply,
    RowsReply,
    SubscribeReply,
)
from antiphon.controller.request import (
    AppendReceived,
    DriverEvent,
    ReadOptions,
    StatementReceived,
)
from antiphon.controller.sql.statement import Select, Subscribe
from antiphon.history.store import ProducerSequence
from antiphon.proof.simulation.checkers import Acknowledged, Answer, Interval, Observations
from antiphon.proof.simulation.controller_process import ControllerProcess
from antiphon.proof.simulation.model import Change, Row
from antiphon.proof.simulation.world import Process
from antiphon.protocol.delta import DIFF_COLUMN, TIME_COLUMN, decode_batch, delta_schema
from antiphon.protocol.errors import ComputeError, SinceViolation
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import ProducerId, ReplicaId
from antiphon.protocol.schema import Schema, arrow_schema

RETRY_MS: Final = (20, 400)
LABELS: Final = ("alpha", "beta", "gamma", "delta", "ümlaut", "")
ITEM_IDS_MAX: Final = 60
ROWS_PER_CHANGE_MAX: Final = 6

EventOf = Callable[[int], DriverEvent]


class Client:
    """One client's way to the controller: a request, its replies, or its loss."""

    def __init__(self, controller: ControllerProcess, name: str) -> None:
        self.controller = controller
        self.world = controller.world
        self.process = Process(name)
        self.process.start()

    def call(
        self,
        event_of: Callable[[], EventOf],
        on_reply: Callable[[Reply], None],
        on_loss: Callable[[str], None],
    ) -> None:
        """`event_of` runs at the controller when the request arrives there; it may raise. The call
        is over with its last reply: what happens to its stream afterwards is nobody's loss."""
        stream = self.controller.network.open(self.process, self.controller.process)

        def receive(reply: Reply) -> None:
            if _is_last(reply):
                stream.close(0, "answered")
            on_reply(reply)

        def serve(_: object) -> None:
            try:
                build = event_of()
            except ComputeError as error:
                stream.send(1, ErrorReply(error))
                return
            request = self.controller.ask(build, lambda reply: stream.send(1, reply))
            stream.attach(1, serve, lambda reason: self._abandon(request))

        stream.attach(0, receive, on_loss)
        stream.attach(1, serve, lambda reason: None)
        if self.controller.process.alive:
            stream.send(0, None)
        else:
            stream.cut("nobody listens")

    def statement(self, sql: str, options: ReadOptions) -> EventOf:
        statement, version = self.controller.plan(sql)
        return lambda request: StatementReceived(
            request=request, statement=statement, catalog_version=version, options=options
        )

    def later(self, action: Callable[[], None], delay: tuple[int, int] = RETRY_MS) -> None:
        self.world.after(self.world.random.between(*delay), action, self.process)

    def _abandon(self, request: int) -> None:
        self.controller.forget(request)
        self.controller.handle(RequestCanceled(request=request))


class Definer(Client):
    """Runs statements that change the catalog, each until it is known to have happened."""

    def __init__(self, controller: ControllerProcess, statements: tuple[str, ...]) -> None:
        super().__init__(controller, "definer")
        self._waiting = list(statements)
        self.later(self._next)

    @property
    def done(self) -> bool:
        return not self._waiting

    def _next(self) -> None:
        if self._waiting:
            sql = self._waiting[0]
            self.call(lambda: self.statement(sql, ReadOptions()), self._replied, self._lost)

    def _replied(self, reply: Reply) -> None:
        match reply:
            case DoneReply():
                self._waiting.pop(0)
                self._next()
            case ErrorReply(error=error) if error.code == "collection_exists":
                # The first attempt had happened, and only its answer was lost.
                self._waiting.pop(0)
                self._next()
            case ReplanReply() | ErrorReply():
                self.later(self._next)
            case _:
                raise AssertionError(f"{type(reply).__name__} answers a definition")

    def _lost(self, reason: str) -> None:
        self.later(self._next)


class Writer(Client):
    """Changes the table and the feed, one change after another, each once."""

    def __init__(self, controller: ControllerProcess, observed: Observations) -> None:
        super().__init__(controller, "writer")
        self.stopped = False
        self.busy = False
        self._observed = observed
        self._random = self.world.random.split()
        self._producer = ProducerId(self._random.random_id())
        self._sequence = 0
        self._items: dict[int, tuple[int, str, int]] = {}
        self._labels: set[str] = set()

    def begin(self) -> None:
        self.later(self._next)

    def _next(self) -> None:
        if self.stopped:
            return
        self.busy = True
        self._sequence += 1
        if self._random.chance(20):
            self._attempt_sql(self.world.now_ms, *self._draw_sql())
        else:
            self._attempt(self.world.now_ms, *self._draw())

    def _attempt(self, began_ms: int, change: Change, collection: str, rows: pa.Table) -> None:
        sequence = ProducerSequence(producer_id=self._producer, sequence=self._sequence)

        def event_of() -> EventOf:
            assert self.controller.driver is not None, "the request arrived"
            item = self.controller.driver.catalog.find(collection)
            assert item is not None, f"{collection} was created before the writer began"
            batch = prepare(item, rows)
            return lambda request: AppendReceived(
                request=request, collection=item.id, rows=batch, producer=sequence
            )

        def again() -> None:
            self._attempt(began_ms, change, collection, rows)

        def replied(reply: Reply) -> None:
            match reply:
                case AppendReply(time=time):
                    self._acknowledge(began_ms, change, time)
                case ErrorReply(error=error) if error.code in ("unavailable", "store_poisoned"):
                    self.later(again)
                case ErrorReply(error=error):
                    raise AssertionError(f"an append was refused: {error.code}: {error}")
                case _:
                    raise AssertionError(f"{type(reply).__name__} answers an append")

        self.call(event_of, replied, lambda reason: self.later(again))

    def _attempt_sql(self, began_ms: int, change: Change, sql: str) -> None:
        """An UPDATE or DELETE, which reads before it appends; under the sequence it counts once."""
        sequence = ProducerSequence(producer_id=self._producer, sequence=self._sequence)

        def event_of() -> EventOf:
            statement, version = self.controller.plan(sql)
            return lambda request: StatementReceived(
                request=request, statement=statement, catalog_version=version, producer=sequence
            )

        def again() -> None:
            self._attempt_sql(began_ms, change, sql)

        def replied(reply: Reply) -> None:
            match reply:
                case DoneReply(time=int(time)):
                    self._acknowledge(began_ms, change, time)
                case ErrorReply() | ReplanReply():
                    self.later(again)
                case _:
                    raise AssertionError(f"{type(reply).__name__} answers a change")

        self.call(event_of, replied, lambda reason: self.later(again))

    def _acknowledge(self, began_ms: int, change: Change, time: int) -> None:
        self._observed.writes.append(
            Acknowledged(began_ms=began_ms, ended_ms=self.world.now_ms, time=time, change=change)
        )
        self.busy = False
        self.later(self._next, (0, 120))

    def _draw_sql(self) -> tuple[Change, str]:
        label = self._random.choose(LABELS)
        found = tuple(item for item in self._items.values() if item[1] == label)
        for item in found:
            del self._items[item[0]]
        if self._random.chance(50):
            return Change(deleted=found), f"DELETE FROM items WHERE label = '{label}'"
        grown = tuple((number, name, amount + 1) for number, name, amount in found)
        self._items.update({item[0]: item for item in grown})
        sql = f"UPDATE items SET amount = amount + 1 WHERE label = '{label}'"
        return Change(inserted=grown, deleted=found), sql

    def _draw(self) -> tuple[Change, str, pa.Table]:
        if self._random.chance(30):
            return self._draw_prices()
        return self._draw_items()

    def _draw_items(self) -> tuple[Change, str, pa.Table]:
        """New items, items that go, and items that are replaced (gone and new in one change)."""
        inserted, deleted = [], []
        touched: set[int] = set()
        for _ in range(self._random.between(1, ROWS_PER_CHANGE_MAX)):
            number = self._random.below(ITEM_IDS_MAX)
            if number in touched:
                continue
            touched.add(number)
            old = self._items.pop(number, None)
            if old is not None:
                deleted.append(old)
            if old is None or self._random.chance(50):
                item = (number, self._random.choose(LABELS), self._random.between(-50, 50))
                self._items[number] = item
                inserted.append(item)
        rows = [(*item, -1) for item in deleted] + [(*item, 1) for item in inserted]
        names = ("id", "label", "amount", DIFF_COLUMN)
        types = (pa.int64(), pa.string(), pa.int64(), pa.int64())
        change = Change(inserted=tuple(inserted), deleted=tuple(deleted))
        return change, "items", _table(names, types, rows)

    def _draw_prices(self) -> tuple[Change, str, pa.Table]:
        label = self._random.choose(LABELS)
        names, types = ("label", "price", DIFF_COLUMN), (pa.string(), pa.int64(), pa.int64())
        if label in self._labels and self._random.chance(40):
            self._labels.discard(label)
            return Change(removed=(label,)), "prices", _table(names, types, [(label, None, -1)])
        self._labels.add(label)
        price = self._random.between(1, 99)
        change = Change(upserted=((label, price),))
        return change, "prices", _table(names, types, [(label, price, 1)])


class Reader(Client):
    """Reads one view after another, on any replica or on a named one."""

    def __init__(
        self,
        controller: ControllerProcess,
        observed: Observations,
        views: tuple[str, ...],
        replicas: tuple[ReplicaId, ...],
    ) -> None:
        super().__init__(controller, "reader")
        self.stopped = False
        self.answered = 0
        self._observed = observed
        self._views = views
        self._replicas = replicas
        self._random = self.world.random.split()

    def begin(self) -> None:
        self.later(self._next)

    def _next(self) -> None:
        if self.stopped:
            return
        replica = self._random.choose(self._replicas) if self._random.chance(20) else None
        self.read(self._random.choose(self._views), replica, self._answered, self._again)

    def _answered(self) -> None:
        self.answered += 1
        self.later(self._next, (0, 60))

    def _again(self, reason: str) -> None:
        self.later(self._next)

    def read(
        self,
        view: str,
        replica: ReplicaId | None,
        on_answer: Callable[[], None],
        on_failure: Callable[[str], None],
    ) -> None:
        """One strict read; the answer is recorded before `on_answer`."""
        began_ms = self.world.now_ms
        batches: list[bytes] = []
        schema: list[Schema] = []

        def event_of() -> EventOf:
            sql = f"SELECT * FROM {view}"
            statement, _ = self.controller.plan(sql)
            assert isinstance(statement, Select), "a SELECT is planned as one"
            schema.append(statement.read.schema)
            return self.statement(sql, ReadOptions(replica=replica))

        def replied(reply: Reply) -> None:
            match reply:
                case RowsReply():
                    batches.extend(reply.batches)
                    if reply.last:
                        rows = _decode(batches, schema[0])
                        self._observed.answers.append(
                            Answer(
                                view=view,
                                began_ms=began_ms,
                                ended_ms=self.world.now_ms,
                                time=reply.time,
                                rows=rows,
                                replica=reply.replica,
                            )
                        )
                        on_answer()
                case ErrorReply(error=error):
                    on_failure(str(error))
                case ReplanReply():
                    on_failure("the catalog moved")
                case _:
                    raise AssertionError(f"{type(reply).__name__} answers a read")

        self.call(event_of, replied, on_failure)


class Subscriber(Client):
    """Follows one view for ever: where a stream ends, the next one resumes."""

    def __init__(self, controller: ControllerProcess, observed: Observations, view: str) -> None:
        super().__init__(controller, f"subscriber of {view}")
        self._observed = observed
        self._view = view
        self._generation = 0
        self._intervals: list[Interval] = []
        self._frontier: int | None = None
        self._schema: Schema | None = None
        self._attempt_number = 0

    @property
    def frontier(self) -> int:
        return self._frontier or 0

    def begin(self) -> None:
        self._fresh()
        self.later(self._attempt)

    def _fresh(self) -> None:
        """From a snapshot: a new sequence, checked by itself."""
        self._generation += 1
        self._frontier = None
        self._intervals = []
        self._observed.intervals[f"{self._view}#{self._generation}"] = self._intervals

    def _attempt(self) -> None:
        self._attempt_number += 1
        attempt = self._attempt_number
        resume = None if self._frontier is None else Frontier(self._frontier)

        def event_of() -> EventOf:
            sql = f"SUBSCRIBE {self._view}"
            statement, _ = self.controller.plan(sql)
            assert isinstance(statement, Subscribe), "a SUBSCRIBE is planned as one"
            self._schema = statement.schema
            return self.statement(sql, ReadOptions(resume_from=resume))

        def replied(reply: Reply) -> None:
            if attempt != self._attempt_number:
                return
            match reply:
                case SubscribeReply():
                    self._take(reply)
                case ErrorReply(error=error):
                    if isinstance(error, SinceViolation) and resume is not None:
                        self._fresh()
                    self._retry(attempt)
                case ReplanReply():
                    self._retry(attempt)
                case _:
                    raise AssertionError(f"{type(reply).__name__} answers a subscribe")

        self.call(event_of, replied, lambda reason: self._retry(attempt))

    def _retry(self, attempt: int) -> None:
        if attempt == self._attempt_number:
            self._attempt_number += 1
            self.later(self._attempt)

    def _take(self, reply: SubscribeReply) -> None:
        assert self._schema is not None, "a reply before its request"
        lower, upper = reply.lower.time, reply.upper.time
        assert lower is not None, "nothing begins at the closed frontier"
        assert upper is not None, "a subscribe of open inputs does not end"
        rows: list[tuple[Row, int, int]] = []
        wide = delta_schema(self._schema)
        for message in reply.batches:
            table = decode_batch(message, wide).to_pydict()
            times, diffs = table.pop(TIME_COLUMN), table.pop(DIFF_COLUMN)
            values = zip(*table.values(), strict=True)
            rows.extend(zip(values, times, diffs, strict=True))
        self._intervals.append(Interval(lower=lower, upper=upper, rows=tuple(rows)))
        self._frontier = upper


def _is_last(reply: Reply) -> bool:
    match reply:
        case RowsReply(last=last):
            return last
        case SubscribeReply():
            return False
        case _:
            return True


def _table(
    names: tuple[str, ...],
    types: tuple[pa.DataType, ...],
    rows: Sequence[tuple[int | str | None, ...]],
) -> pa.Table:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.table(arrays, names=list(names))


def _decode(batches: list[bytes], schema: Schema) -> Counter[Row]:
    rows: Counter[Row] = Counter()
    for message in batches:
        columns = decode_batch(message, arrow_schema(schema)).to_pydict()
        rows.update(zip(*columns.values(), strict=True))
    return rows
