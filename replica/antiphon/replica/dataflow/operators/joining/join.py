"""The inner equi-join. Outer, semi and anti joins are made of it in `render`.

With dL, dR the changes and L, R the states before them: dL ⋈ R + (L + dL) ⋈ dR. One side's change
is in its state before the other side's is joined with it, so a change on both sides at one time
counts once: with both old states it would be lost, with both new ones doubled.

A side that is looked up where others arrange it has its whole content from the beginning. While the
dataflow is filled, that content is met by the other side's, and does not come as a change as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.replica.dataflow.arrangements.batch import Batch
from antiphon.replica.dataflow.arrangements.intake import Change
from antiphon.replica.dataflow.arrangements.spine import probe_keys
from antiphon.replica.dataflow.columns.equality import equal_rows
from antiphon.replica.dataflow.columns.gather import Rows, taken_rows
from antiphon.replica.dataflow.columns.words import key_words
from antiphon.replica.dataflow.columns.zset import Zset, concat_rows
from antiphon.replica.dataflow.operators.arrange import Arranged
from antiphon.replica.dataflow.operators.operator import Operator, Step

LEFT, RIGHT = 0, 1
_SORTED_PROBES: Final = 512  # from so many on, sorting probes costs less than it saves


class Join(Operator):
    """`output`: (side, column) of each output column. Reads two arrangements, has no state."""

    def __init__(
        self,
        left: Arranged,
        right: Arranged,
        output: Sequence[tuple[int, int]],
        *,
        keeps_distinct: bool = False,
    ) -> None:
        """`keeps_distinct`: pairs of rows that differ still do when only `output` is left."""
        assert len(left.key_indices) == len(right.key_indices), "keys differ in number"
        self._keeps_distinct = keeps_distinct
        self._sides = (left, right)
        self._output = tuple(output)
        self._bringing = bringing_side(left, right)

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        left, right = self._sides
        found = []
        if step.is_load and self._bringing is not None:
            brought = self._sides[self._bringing].pending
            if brought is None:
                return None
            other = self._sides[1 - self._bringing]
            return concat_rows(self._matched(self._bringing, brought, other.after(step)))
        if left.pending is not None:
            found += self._matched(LEFT, left.pending, right.before(step))
        if right.pending is not None:
            found += self._matched(RIGHT, right.pending, left.after(step))
        if len(found) == 1:
            # From one batch, which has each row once.
            return found[0]
        return concat_rows(found)

    def _matched(self, side: int, change: Change, batches: Sequence[Batch]) -> list[Zset]:
        words, order = change.words, None
        assert words is not None, "an arrangement knows its keys' words"
        if len(words) >= _SORTED_PROBES:
            order = words.argsort()
            words = words.take(order)
        own_keys = [change.columns[i] for i in self._sides[side].key_indices]
        other_indices = self._sides[1 - side].key_indices
        found = []
        for match in probe_keys(batches, words):
            own_rows, other_rows, whole = match.probes, match.rows, match.whole
            if order is not None:
                own_rows, whole = order.take(own_rows), False
            other_keys = [match.batch.columns[i] for i in other_indices]
            same = equal_rows(own_keys, own_rows, other_keys, other_rows)
            if same is not None:
                own_rows, other_rows, whole = own_rows[same], other_rows[same], False
            if len(own_rows):
                found.append(
                    self._assembled(
                        side, change, None if whole else own_rows, match.batch, other_rows
                    )
                )
        return found

    def _assembled(
        self, side: int, change: Change, own_rows: Rows | None, batch: Batch, other_rows: Rows
    ) -> Zset:
        """`own_rows` None: each row of the change once, in its order."""
        own: Sequence[pa.Array] = [change.columns[i] for from_, i in self._output if from_ == side]
        others = [batch.columns[i] for from_, i in self._output if from_ != side]
        diffs = change.diffs
        if own_rows is not None:
            own, diffs = taken_rows(own, own_rows), diffs.take(own_rows)
        parts = (iter(own), iter(taken_rows(others, other_rows)))
        columns = tuple([next(parts[from_ != side]) for from_, _ in self._output])
        return Zset(
            columns, diffs * batch.diffs.take(other_rows),
            # With times, a row that came and went is there twice.
            is_distinct=self._keeps_distinct and change.is_distinct and batch.times is None,
        )  # fmt: skip


def bringing_side(left: Arranged, right: Arranged) -> int | None:
    """The side whose content comes as changes while a dataflow is filled, if not both do."""
    if right.is_whole:
        return LEFT
    return RIGHT if left.is_whole else None


class Unmatched(Operator):
    """The left rows whose key is not among the right side's distinct keys.

    With K the keys: dL where the key is not in K + dK, and for each key that came or went the rows
    of L before. `keys` arranges distinct keys by all their columns; inputs are the left change with
    its null keys, which never match, and the two arrangements.

    A left side that others arrange has its whole content from the beginning. While the dataflow is
    filled it comes after all the keys, so that no key finds any of its rows already there.
    """

    def __init__(self, width: int, left: Arranged, keys: Arranged) -> None:
        self._width = width
        self._left = left
        self._keys = keys
        self._has_begun = False  # whether any left row has come

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        found = []
        change = inputs[0]
        filling = step.is_load and self._left.is_whole
        if filling:
            turns = self._keys.pending is not None and self._has_begun
            assert not turns, "a key comes after rows of an outer side that is shared"
            self._has_begun = self._has_begun or change is not None
        if change is not None:
            found.append(self._absent(change, step))
        if self._keys.pending is not None and not filling:
            found += self._turned(self._keys.pending, step)
        return concat_rows([part for part in found if part is not None])

    def _absent(self, change: Zset, step: Step) -> Zset | None:
        """The changed rows without a match in the keys as they are now."""
        keys = [change.columns[i] for i in self._left.key_indices]
        matched = np.zeros(change.row_count, np.int64)
        words = key_words(keys, change.row_count)
        for match in probe_keys(self._keys.after(step), words):
            others = [match.batch.columns[i] for i in self._keys.key_indices]
            same = equal_rows(keys, match.probes, others, match.rows)
            own, other = match.probes, match.rows
            if same is not None:
                own, other = own[same], other[same]
            np.add.at(matched, own, match.batch.diffs[other])
        rows = np.flatnonzero(matched == 0)
        if len(rows) == 0:
            return None
        own_columns = Zset(change.columns[: self._width], change.diffs)
        return own_columns if len(rows) == change.row_count else own_columns.take(rows)

    def _turned(self, keys: Change, step: Step) -> list[Zset]:
        """The rows there were of keys that came (they leave) or went (they return)."""
        found = []
        assert keys.words is not None, "an arrangement knows its keys' words"
        wanted = [keys.columns[i] for i in self._keys.key_indices]
        for match in probe_keys(self._left.before(step), keys.words):
            own = [match.batch.columns[i] for i in self._left.key_indices]
            same = equal_rows(wanted, match.probes, own, match.rows)
            probes, rows = match.probes, match.rows
            if same is not None:
                probes, rows = probes[same], rows[same]
            columns = taken_rows(match.batch.columns[: self._width], rows)
            found.append(Zset(columns, -keys.diffs[probes] * match.batch.diffs[rows]))
        return found
