"""A reader and a subscriber: what they learn goes to `Observations`, to be checked at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from antiphon.controller.ports import (
    ErrorReply,
    ReplanReply,
    Reply,
    RowsReply,
    SubscribeReply,
)
from antiphon.controller.request import (
    ReadOptions,
)
from antiphon.controller.sql.statement import Select, Subscribe
from antiphon.proof.simulation.checkers import Answer, Interval, Observations
from antiphon.proof.simulation.client import Client, EventOf
from antiphon.proof.simulation.model import Row
from antiphon.proof.simulation.seats import Seats
from antiphon.protocol.delta import DIFF_COLUMN, TIME_COLUMN, decode_batch, delta_schema
from antiphon.protocol.errors import SinceViolation
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import ReplicaId
from antiphon.protocol.schema import Schema, arrow_schema


class Reader(Client):
    """Reads one view after another, on any replica or on a named one."""

    def __init__(
        self,
        seats: Seats,
        observed: Observations,
        views: tuple[str, ...],
        replicas: tuple[ReplicaId, ...],
    ) -> None:
        super().__init__(seats, "reader")
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

    def __init__(self, seats: Seats, observed: Observations, view: str) -> None:
        super().__init__(seats, f"subscriber of {view}")
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


def _decode(batches: list[bytes], schema: Schema) -> Counter[Row]:
    rows: Counter[Row] = Counter()
    for message in batches:
        columns = decode_batch(message, arrow_schema(schema)).to_pydict()
        rows.update(zip(*columns.values(), strict=True))
    return rows
