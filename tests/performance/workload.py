"""The engine benchmarks' data: orders of customers, changed in ticks; the same for every side.

It needs numpy alone, for peers import it in environments of their own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

REGIONS: Final = 50
AMOUNT_MAX: Final = 10_000
TOP: Final = 10
WARM_UP_TICKS: Final = 3
TURN: Final = "turn"  # the line by which a side asks for its turn


@dataclass(frozen=True)
class Workload:
    """`name`: group, join, join_group or top_k, and for our side alone extremes, distinct or
    window. `ticks`: how many of each size, in this order. `turn_ticks`: after so many that count a
    side waits for its next turn; 0: it never waits."""

    name: str
    orders: int
    keys: int
    ticks: tuple[tuple[int, int], ...]  # (changes in a tick, ticks that count)
    seed: int = 7
    turn_ticks: int = 0

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Workload:
        values = json.loads(text)
        values["ticks"] = tuple((size, count) for size, count in values["ticks"])
        return Workload(**values)


@dataclass(frozen=True)
class Rows:
    """Changes of `orders(id, key, amount)`: `diff` is 1 for an insert, -1 for a delete."""

    id: Ints
    key: Ints
    amount: Ints
    diff: Ints

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True)
class Tick:
    """`counts`: whether its time is taken; the first few of each size warm up."""

    size: int
    counts: bool
    rows: Rows


class Source:
    """The orders, and their changes: half of a tick deletes random orders, half inserts new ones,
    so the number of orders stays. Ticks of one change do so in turn. One seed, one sequence."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._random = np.random.default_rng(workload.seed)
        count = workload.orders
        self.id = np.arange(count, dtype=np.int64)
        self.key = self._random.integers(0, workload.keys, count)
        self.amount = self._random.integers(0, AMOUNT_MAX, count)
        self._next_id = count
        self._owed: Rows | None = None  # what comes in place of what a tick of one took away

    def customers(self) -> tuple[Ints, Ints]:
        """`customers(key, region)`: one for each key. They do not change."""
        keys = np.arange(self._workload.keys, dtype=np.int64)
        return keys, keys * 7_919 % REGIONS

    def content(self) -> Rows:
        """The orders now."""
        return Rows(
            self.id.copy(), self.key.copy(), self.amount.copy(), np.ones(len(self.id), np.int64)
        )

    def ticks(self) -> Iterator[Tick]:
        turn_ticks = self._workload.turn_ticks
        for size, count in self._workload.ticks:
            warm_up = min(WARM_UP_TICKS, count)
            for number in range(-warm_up, count):
                if turn_ticks and number >= 0 and number % turn_ticks == 0:
                    _wait_for_turn()
                yield Tick(size, number >= 0, self._change(size))

    def _change(self, size: int) -> Rows:
        if size == 1:
            return self._one()
        half = size // 2
        gone = self._random.choice(len(self.id), half, replace=False)
        old = (self.id[gone], self.key[gone], self.amount[gone])
        self.id[gone] = np.arange(self._next_id, self._next_id + half)
        self._next_id += half
        self.key[gone] = self._random.integers(0, self._workload.keys, half)
        self.amount[gone] = self._random.integers(0, AMOUNT_MAX, half)
        new = (self.id[gone], self.key[gone], self.amount[gone])
        id, key, amount = (np.concatenate(pair) for pair in zip(old, new, strict=True))
        return Rows(id, key, amount, np.repeat(np.array([-1, 1]), half))

    def _one(self) -> Rows:
        if self._owed is not None:
            found, self._owed = self._owed, None
            return found
        both = self._change(2)
        first, self._owed = (
            Rows(both.id[at], both.key[at], both.amount[at], both.diff[at])
            for at in (slice(0, 1), slice(1, 2))
        )
        return first


def _wait_for_turn() -> None:
    """Who asks has had all of its last turn."""
    print(TURN, flush=True)
    if not sys.stdin.readline():
        raise SystemExit("nobody gives turns any more")


def answer(source: Source, name: str) -> list[int]:
    """How many rows the workload's result has, and a sum that a wrong group or row would change;
    from scratch. Every side must arrive at these."""
    _, regions = source.customers()
    match name:
        case "group":
            totals = np.bincount(source.key, source.amount).astype(np.int64)
            return [len(np.unique(source.key)), int((totals**2).sum())]
        case "join":
            return [len(source.id), int((source.amount * (regions[source.key] + 1)).sum())]
        case "join_group":
            totals = np.bincount(regions[source.key], source.amount).astype(np.int64)
            return [len(np.unique(regions[source.key])), int((totals**2).sum())]
        case "top_k":
            order = np.lexsort((source.id, -source.amount, source.key))
            key = source.key[order]
            first = np.concatenate([[True], key[1:] != key[:-1]])
            start = np.maximum.accumulate(np.where(first, np.arange(len(key)), 0))
            top = order[np.arange(len(key)) - start < TOP]
            totals = np.bincount(source.key[top], source.amount[top]).astype(np.int64)
            return [len(top), int((totals**2).sum())]
        case _:
            raise ValueError(f"no workload {name}")
