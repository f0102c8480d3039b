"""Recursion: the least fixpoint of a plan that reads its own result.

Theory of operation
-------------------
What the plan makes of nothing is the first round's result; what it makes of a round's result is the
next one's. Each round is a dataflow of its own, kept up to date like every other: a change of the
inputs goes through all rounds, each of which sees the change of the round before. So deletions need
no rule of their own, and every time is what iterating from scratch would give.

    result of round i = plan(result of round i - 1),  of round 0 = plan(nothing)
    gain of round i   = result of round i - result of round i - 1

The fixpoint is reached where a round gains nothing. When the last round gains something, rounds are
added until one does not; when the last two gain nothing, the last goes. Memory is the plan's state
for each round; a tick costs its changes for each round that they reach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import pyarrow as pa

from antiphon.protocol.ids import CollectionId
from antiphon.replica.dataflow.columns.zset import Zset, concat_rows, without_errors
from antiphon.replica.dataflow.operators.operator import Operator, Step

ROUNDS_MAX: Final = 1_000  # a recursion that is deeper is taken for one without an end
ROWS_MAX: Final = 20_000_000  # that all rounds gain together, for the same reason
OWN: Final = CollectionId(0)  # the result of the round before, among a round's inputs
FIRST_INPUT: Final = 1  # the recursion's inputs, as a round's inputs, are numbered from here


class Round(Protocol):
    """The dataflow of one round."""

    def prepare(self, time: int, inputs: Mapping[CollectionId, Zset]) -> Zset: ...
    def commit(self) -> None: ...
    def abandon(self) -> None: ...
    def maintain(self, fuel_rows: int) -> bool: ...
    @property
    def next_time(self) -> int | None: ...
    @property
    def state_rows(self) -> int: ...
    @property
    def state_bytes(self) -> int: ...


class Content:
    """A collection as the sum of its changes so far, put together now and then."""

    def __init__(self) -> None:
        self._parts: list[Zset] = []
        self._total = 0
        self._row_count = 0
        self._compact_count = 256

    def with_change(self, change: Zset | None) -> list[Zset]:
        return self._parts if change is None else [*self._parts, change]

    def total_with(self, change: Zset | None) -> int:
        """The sum of all multiplicities. If it is not 0, there is something."""
        return self._total + (0 if change is None else int(change.diffs.sum()))

    def add(self, change: Zset | None) -> None:
        if change is None or not change.row_count:
            return
        self._total = self.total_with(change)
        self._parts.append(change)
        self._row_count += change.row_count
        # Without rows below nothing a total of 0 is no row at all, and is seldom anything else.
        if self._total == 0 or self._row_count > 2 * self._compact_count:
            self.compact()
            self._compact_count = max(self._row_count, 256)

    def compact(self) -> None:
        whole = _consolidated(self._parts)
        self._parts = [] if whole is None else [whole]
        self._row_count = 0 if whole is None else whole.row_count

    @property
    def row_count(self) -> int:
        return self._row_count

    @property
    def byte_count(self) -> int:
        return sum(int(column.nbytes) for part in self._parts for column in part.columns)


@dataclass(slots=True)
class _Level:
    """A round and what it has gained; errors are of its whole result."""

    flow: Round
    gain: Content = field(default_factory=Content)
    errors: Content = field(default_factory=Content)
    gain_change: Zset | None = None  # of the step that is prepared
    error_change: Zset | None = None

    @property
    def gains_nothing(self) -> bool:
        """Once the prepared step has taken place."""
        if self.gain.total_with(self.gain_change) != 0:
            return False
        return _consolidated(self.gain.with_change(self.gain_change)) is None


class Recursion(Operator):
    """The fixpoint's change. `build` makes a round that has seen nothing yet."""

    runs_first = True  # the plan may hold constants

    def __init__(self, build: Callable[[], Round], input_count: int) -> None:
        self._build = build
        self._levels = [_Level(build())]
        self._contents = [Content() for _ in range(input_count)]
        self._given: list[Zset | None] = [None] * input_count
        self._shown = Content()  # errors
        self._shown_change: Zset | None = None
        self._dropped = 0  # levels that go when the prepared step takes place
        self._added: list[_Level] = []

    @property
    def next_time(self) -> int | None:
        times = [time for level in self._levels if (time := level.flow.next_time) is not None]
        return min(times, default=None)

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        self._given = list(inputs)
        self._added = []
        try:
            parts = self._through_all(step)
            parts += self._to_the_end(step)
        except BaseException:
            self.abandon()
            raise
        self._count_dropped()
        self._show_errors(step)
        return concat_rows(parts)

    def _through_all(self, step: Step) -> list[Zset]:
        """The change of the last round's result, with every round up to date."""
        given = {
            CollectionId(FIRST_INPUT + place): change
            for place, change in enumerate(self._given)
            if change is not None
        }
        before: Zset | None = None  # the change of the result before
        for level in self._levels:
            due = level.flow.next_time
            idle = not given and before is None and (due is None or due > step.time)
            if idle and not step.is_first:
                level.gain_change = level.error_change = None
                continue
            inputs = given if before is None else {**given, OWN: before}
            after = self._advanced(level, step, inputs)
            level.gain_change = _difference(after, before)
            before = after
        return [] if before is None else [before]

    def _to_the_end(self, step: Step) -> list[Zset]:
        """Adds rounds until one gains nothing; what they gain."""
        gained: list[Zset] = []
        if self._levels[-1].gains_nothing:
            return []
        given = {}
        for place, content in enumerate(self._contents):
            whole = concat_rows(content.with_change(self._given[place]))
            if whole is not None:
                given[CollectionId(FIRST_INPUT + place)] = whole
        gains = [level.gain.with_change(level.gain_change) for level in self._levels]
        result = _consolidated([part for parts in gains for part in parts])
        while not self._is_endless(result):
            level = _Level(self._build())
            self._added.append(level)
            after = self._advanced(level, step, given if result is None else {**given, OWN: result})
            level.gain_change = _difference(after, result)
            if level.gain_change is None:
                break
            gained.append(level.gain_change)
            result = after
        return gained

    def _is_endless(self, result: Zset | None) -> bool:
        """Whether it is taken for a recursion without an end: its error side says so, for as long
        as that is so."""
        rounds = len(self._levels) + len(self._added)
        return rounds >= ROUNDS_MAX or (result is not None and result.row_count > ROWS_MAX)

    def _advanced(
        self, level: _Level, step: Step, inputs: Mapping[CollectionId, Zset]
    ) -> Zset | None:
        """The change of a round's result."""
        change = level.flow.prepare(step.time, inputs)
        level.error_change = change.errors
        return without_errors(change) if change.row_count else None

    def _count_dropped(self) -> None:
        """The last round goes if it and the one before gain nothing; one is always kept."""
        self._dropped = 0
        if self._added:
            return
        levels = self._levels
        for before, last in zip(reversed(levels[:-1]), reversed(levels), strict=False):
            if not (last.gains_nothing and before.gains_nothing):
                break
            self._dropped += 1

    def _show_errors(self, step: Step) -> None:
        """Those of the fixpoint, which are the last round's."""
        levels = [*self._levels, *self._added]
        last = levels[len(levels) - self._dropped - 1]
        errors = last.errors.with_change(last.error_change)
        wanted = concat_rows(errors if last.gains_nothing else [*errors, _ENDLESS])
        shown = concat_rows(self._shown.with_change(None))
        change = _difference(wanted, shown)
        self._shown_change = change
        if change is not None:
            step.errors.append(change)

    def commit(self) -> None:
        for content, change in zip(self._contents, self._given, strict=True):
            content.add(change)
        self._shown.add(self._shown_change)
        self._levels += self._added
        for level in self._levels:
            level.flow.commit()
            level.gain.add(level.gain_change)
            level.errors.add(level.error_change)
            level.gain_change = level.error_change = None
        if self._dropped:
            del self._levels[-self._dropped :]
        self._forget()

    def abandon(self) -> None:
        for level in (*self._levels, *self._added):
            level.flow.abandon()
            level.gain_change = level.error_change = None
        self._forget()

    def _forget(self) -> None:
        self._given = [None] * len(self._contents)
        self._shown_change = None
        self._added = []
        self._dropped = 0

    def maintain(self, fuel_rows: int) -> bool:
        return any(level.flow.maintain(fuel_rows) for level in self._levels)

    @property
    def round_count(self) -> int:
        return len(self._levels)

    @property
    def state_rows(self) -> int:
        rounds = sum(level.flow.state_rows + level.gain.row_count for level in self._levels)
        return rounds + sum(content.row_count for content in self._contents)

    @property
    def state_bytes(self) -> int:
        rounds = sum(level.flow.state_bytes + level.gain.byte_count for level in self._levels)
        return rounds + sum(content.byte_count for content in self._contents)


_ENDLESS: Final = Zset(
    tuple(
        pa.array([text])
        for text in (
            "recursion_limit",
            f"the recursion has not come to its end after {ROUNDS_MAX} rounds or {ROWS_MAX} rows",
            "WITH RECURSIVE",
        )
    ),
    np.ones(1, np.int64),
)


def _consolidated(parts: Sequence[Zset]) -> Zset | None:
    whole = concat_rows(parts)
    if whole is None or not whole.row_count:
        return None
    whole = whole.consolidated()
    return whole if whole.row_count else None


def _difference(after: Zset | None, before: Zset | None) -> Zset | None:
    """None: nothing."""
    parts = [] if after is None else [after]
    if before is not None:
        parts.append(before.negated())
    return _consolidated(parts)
