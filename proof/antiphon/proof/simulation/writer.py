"""A writer: it changes the table and the feed, each change once, and asks until it knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from antiphon.controller.appends import prepare
from antiphon.controller.ports import (
    AppendReply,
    DoneReply,
    ErrorReply,
    ReplanReply,
    Reply,
)
from antiphon.controller.request import (
    AppendReceived,
    StatementReceived,
)
from antiphon.history.store import ProducerSequence
from antiphon.proof.simulation.checkers import Acknowledged, Observations
from antiphon.proof.simulation.client import Client, EventOf
from antiphon.proof.simulation.model import Change
from antiphon.proof.simulation.seats import Seats
from antiphon.protocol.delta import DIFF_COLUMN
from antiphon.protocol.ids import ProducerId

LABELS: Final = ("alpha", "beta", "gamma", "delta", "ümlaut", "")
ITEM_IDS_MAX: Final = 60
ROWS_PER_CHANGE_MAX: Final = 6
# Nothing was done, or the sequence tells: it is right to ask again, maybe another controller.
RETRIED: Final = ("unavailable", "store_poisoned", "epoch_fenced")


class Writer(Client):
    """Changes the table and the feed, one change after another, each once."""

    def __init__(self, seats: Seats, observed: Observations) -> None:
        super().__init__(seats, "writer")
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
                case ErrorReply(error=error) if error.code in RETRIED:
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


def _table(
    names: tuple[str, ...],
    types: tuple[pa.DataType, ...],
    rows: Sequence[tuple[int | str | None, ...]],
) -> pa.Table:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.table(arrays, names=list(names))
