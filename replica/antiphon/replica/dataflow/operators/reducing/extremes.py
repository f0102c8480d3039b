"""min and max: the current extreme of each group, and its values to fall back on.

Where a type's order codes mean the same everywhere, a group remembers its extreme's code. Then
only a change that takes the extreme itself away makes us read the group's values again; all else
is a comparison. Types without such codes (text, long decimals, intervals) are read whenever they
change. Of intervals that are equal the least by parts is shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import array_of, valid_of
from antiphon.protocol.plan import AggregateFunction
from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.arrangements.batch import Batch, build_batch
from antiphon.replica.dataflow.arrangements.group_table import Numbers
from antiphon.replica.dataflow.arrangements.spine import Spine, probe_keys
from antiphon.replica.dataflow.columns.equality import equal_rows
from antiphon.replica.dataflow.columns.gather import Rows, taken_rows
from antiphon.replica.dataflow.columns.groups import Groups
from antiphon.replica.dataflow.columns.sort_codes import (
    order_codes,
    part_codes,
    sorted_rows,
    values_of_codes,
)
from antiphon.replica.dataflow.columns.zset import Diffs, Zset, concat_rows

Mask = npt.NDArray[np.bool_]
TRACKED_WIDTH = 2  # whether there is a value; its code, complemented for min


class Extremes:
    """One argument of min, max, or both: the multiset of its non-null values in each group.

    The arrangement holds the group's key columns and the value.
    """

    def __init__(self, key_count: int) -> None:
        self._key_count = key_count
        self._spine = Spine()
        self._pending: Batch | None = None

    def read(
        self,
        keys: Sequence[pa.Array],
        column: pa.Array,
        diffs: Diffs,
        groups: Groups,
        functions: Sequence[AggregateFunction],
    ) -> list[pa.Array]:
        """For each function one value a group as it was, then one a group as it is now."""
        rows = np.flatnonzero(diffs)
        change = self._change(keys, column, diffs, rows)
        old, old_groups = self._held(keys, groups, np.arange(len(groups)))
        both = concat_rows([old, change])
        assert both is not None, "two parts"
        group = np.concatenate([old_groups, groups.of_rows()[rows]])
        values = both.columns[0]
        codes, parts = order_codes(values), part_codes(values)
        order, heads = _runs(group, [codes, *parts])
        counts = np.where(np.arange(len(group)) < len(old_groups), both.diffs, 0)
        before = np.add.reduceat(counts[order], heads) if len(heads) else counts
        after = np.add.reduceat(both.diffs[order], heads) if len(heads) else counts
        versions = [order[heads[kept]] for kept in (before > 0, after > 0)]
        if parts:  # of equal values the first alone
            versions = [place[_changes([group[place], codes[place]])] for place in versions]
        return [
            pa.concat_arrays(
                [_picked(values, place, group[place], len(groups), own) for place in versions]
            )
            for own in functions
        ]

    def track(
        self,
        keys: Sequence[pa.Array],
        column: pa.Array,
        diffs: Diffs,
        groups: Groups,
        tracked: Sequence[tuple[AggregateFunction, Numbers]],
    ) -> None:
        """Bring each function's numbers, one row a group, from how they were to how they are."""
        rows = np.flatnonzero(diffs)
        change = self._change(keys, column, diffs, rows)
        codes = np.zeros(len(diffs), np.uint64)
        codes[rows] = order_codes(change.columns[0])
        lost = np.zeros(len(groups), np.bool_)
        for function, numbers in tracked:
            lost |= _follow(numbers, _directed(codes, function), diffs, groups)
        unsure = np.flatnonzero(lost)
        if len(unsure) == 0:
            return
        old, old_groups = self._held(keys, groups, unsure)
        place = np.full(len(groups), -1, np.int64)
        place[unsure] = np.arange(len(unsure))
        own_groups = place[groups.of_rows()[rows]]
        kept = own_groups >= 0
        both = concat_rows([old, change.take(np.flatnonzero(kept))])
        assert both is not None, "two parts"
        group = np.concatenate([old_groups, own_groups[kept]])
        found_codes = order_codes(both.columns[0])
        order, heads = _runs(group, [found_codes])
        counts = np.add.reduceat(both.diffs[order], heads) if len(heads) else both.diffs
        present = order[heads][counts > 0]
        for function, numbers in tracked:
            directed = _directed(found_codes[present], function)
            numbers[unsure] = _largest(directed, group[present], len(unsure))

    def _change(self, keys: Sequence[pa.Array], column: pa.Array, diffs: Diffs, rows: Rows) -> Zset:
        """Make the change pending; returns its values alone, in the rows' order."""
        change = Zset((*keys, column), diffs)
        if len(rows) < len(diffs):
            change = change.take(rows)
        self._pending = build_batch(change.columns, change.diffs, range(self._key_count))
        return Zset(change.columns[-1:], change.diffs)

    def _held(self, keys: Sequence[pa.Array], groups: Groups, which: Rows) -> tuple[Zset, Rows]:
        """The values held of some groups, and which of `which` each is of."""
        own = taken_rows(keys, groups.first_rows[which])
        parts, found = [], []
        for match in probe_keys(self._spine.batches, groups.low[which]):
            others = match.batch.columns[: self._key_count]
            same = equal_rows(own, match.probes, others, match.rows)
            rows = match.rows if same is None else match.rows[same]
            found.append(match.probes if same is None else match.probes[same])
            parts.append(Zset(match.batch.columns[-1:], match.batch.diffs).take(rows))
        held = concat_rows(parts)
        if held is None:
            assert self._pending is not None, "a step is under way"
            kind = self._pending.columns[-1].type
            return Zset((pa.array([], kind),), np.zeros(0, np.int64)), np.zeros(0, np.int64)
        return held, np.concatenate(found)

    def commit(self) -> None:
        if self._pending is not None:
            self._spine.insert(self._pending)
            self._pending = None

    def maintain(self, fuel_rows: int) -> bool:
        return self._spine.maintain(fuel_rows)

    @property
    def state_rows(self) -> int:
        return self._spine.row_count

    @property
    def state_bytes(self) -> int:
        return self._spine.byte_count


def tracked_values(numbers: Numbers, function: AggregateFunction, kind: pa.DataType) -> pa.Array:
    """The extremes that a group table remembers."""
    codes = _directed(np.ascontiguousarray(numbers[:, 1]).view(np.uint64), function)
    return values_of_codes(codes, kind, numbers[:, 0] > 0)


def _directed(codes: Words, function: AggregateFunction) -> Words:
    """Codes of which the largest is wanted."""
    return ~codes if function is AggregateFunction.MIN else codes


def _follow(numbers: Numbers, codes: Words, diffs: Diffs, groups: Groups) -> Mask:
    """Let the numbers follow the change where that suffices; where it does not is returned."""
    ordered, signs = codes[groups.order], diffs[groups.order]
    entered, left = signs > 0, signs < 0
    enters = np.maximum.reduceat(np.where(entered, ordered, np.uint64(0)), groups.heads)
    leaves = np.maximum.reduceat(np.where(left, ordered, np.uint64(0)), groups.heads)
    has_entered = np.logical_or.reduceat(entered, groups.heads)
    has_left = np.logical_or.reduceat(left, groups.heads)
    current = np.ascontiguousarray(numbers[:, 1]).view(np.uint64)  # 0 where there is none
    present = (numbers[:, 0] > 0) | has_entered
    largest = np.maximum(current, enters)
    numbers[:, 0] = present
    numbers[:, 1] = largest.view(np.int64)
    # The largest is certainly still there unless something as large was taken away.
    return np.asarray(has_left & (~present | (leaves >= largest)))


def _largest(codes: Words, group: Rows, group_count: int) -> Numbers:
    """The numbers of groups from their codes, which lie by group in ascending or any order."""
    found: Numbers = np.zeros((group_count, TRACKED_WIDTH), np.int64)
    if len(codes):
        largest = np.zeros(group_count, np.uint64)
        np.maximum.at(largest, group, codes)
        found[:, 1] = largest.view(np.int64)
        found[group, 0] = 1
    return found


def _runs(group: Rows, codes: list[Words]) -> tuple[Rows, Rows]:
    """(the order by group and codes, where each distinct row of them begins in it)."""
    order = sorted_rows(group, codes)
    return order, np.flatnonzero(_changes([group[order], *[code[order] for code in codes]]))


def _changes(keys: Sequence[npt.NDArray[np.generic]]) -> Mask:
    """Where any of them differs from what is before it; true at the first."""
    found = np.zeros(len(keys[0]), np.bool_)
    found[:1] = True
    for key in keys:
        found[1:] |= key[1:] != key[:-1]
    return found


def _picked(
    values: pa.Array, place: Rows, group: Rows, group_count: int, function: AggregateFunction
) -> pa.Array:
    """The first or last value of each group, of values in order; null for a group without any."""
    chosen = np.full(group_count, -1, np.int64)
    if function is AggregateFunction.MIN:
        chosen[group[::-1]] = place[::-1]  # the last write wins: the smallest
    else:
        chosen[group] = place
    index = array_of(chosen, pa.int64(), chosen >= 0)
    assert valid_of(values) is None, "nulls are no candidates"
    return values.take(index)
