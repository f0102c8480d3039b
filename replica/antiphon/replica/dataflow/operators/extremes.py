"""min and max: read from the rows of the groups that changed, kept in an arrangement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from antiphon.protocol.buffers import array_of, valid_of
from antiphon.protocol.plan import AggregateFunction
from antiphon.replica.dataflow.batch import Batch, Rows, build_batch
from antiphon.replica.dataflow.equality import equal_rows
from antiphon.replica.dataflow.groups import Groups
from antiphon.replica.dataflow.sort_codes import order_codes
from antiphon.replica.dataflow.spine import Spine, probe_keys
from antiphon.replica.dataflow.zset import Diffs, Zset, concat_rows


class Extremes:
    """One argument of min, max, or both: the multiset of its non-null values in each group.

    The arrangement holds the group's key columns and the value. Only groups that a change touches
    are read.
    """

    def __init__(self, key_count: int) -> None:
        self._key_count = key_count
        self._spine = Spine()
        self._pending: Batch | None = None

    def step(
        self,
        keys: Sequence[pa.Array],
        column: pa.Array,
        diffs: Diffs,
        groups: Groups,
        functions: Sequence[AggregateFunction],
    ) -> list[pa.Array]:
        """For each function one value a group as it was, then one a group as it is now."""
        self._pending = None
        columns = (*keys, column)
        rows = np.flatnonzero(diffs)
        change = Zset(columns, diffs).take(rows)
        self._pending = build_batch(change.columns, change.diffs, range(self._key_count))
        change_groups = groups.of_rows()[rows]
        old, old_groups = self._held(keys, groups)
        both = concat_rows([Zset((old.columns[-1],), old.diffs), Zset((change.columns[-1],),
                                                                      change.diffs)])
        assert both is not None, "two parts"
        group = np.concatenate([old_groups, change_groups])
        is_old = np.arange(len(group)) < len(old_groups)
        values = both.columns[0]
        codes = order_codes(values)
        order = np.lexsort((codes, group))
        heads = _run_heads(group[order], codes[order])
        counts = np.where(is_old, both.diffs, 0)[order]
        before = np.add.reduceat(counts, heads) if len(heads) else counts
        after = np.add.reduceat(both.diffs[order], heads) if len(heads) else counts
        place, run_group = order[heads], group[order][heads]
        return [
            pa.concat_arrays(
                [_picked(values, place, run_group, kept, len(groups), function)
                 for kept in (before > 0, after > 0)]
            )
            for function in functions
        ]  # fmt: skip

    def _held(self, keys: Sequence[pa.Array], groups: Groups) -> tuple[Zset, Rows]:
        """The rows held of the groups, and which group each is of."""
        index = array_of(groups.first_rows, pa.int64())
        own = [key.take(index) for key in keys]
        ranks = groups.low
        parts, found = [], []
        for match in probe_keys(self._spine.batches, ranks):
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


def _run_heads(group: Rows, codes: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> Rows:
    starts = np.ones(len(group), np.bool_)
    starts[1:] = (group[1:] != group[:-1]) | (codes[1:] != codes[:-1])
    return np.flatnonzero(starts)


def _picked(
    values: pa.Array,
    place: Rows,
    group: Rows,
    kept: np.ndarray[tuple[int], np.dtype[np.bool_]],
    group_count: int,
    function: AggregateFunction,
) -> pa.Array:
    """The first or last kept value of each group; null for a group without any."""
    place, group = place[kept], group[kept]
    chosen = np.full(group_count, -1, np.int64)
    if function is AggregateFunction.MIN:
        chosen[group[::-1]] = place[::-1]  # the last write wins: the smallest
    else:
        chosen[group] = place
    index = array_of(chosen, pa.int64(), chosen >= 0)
    assert valid_of(values) is None, "nulls are no candidates"
    return values.take(index)
