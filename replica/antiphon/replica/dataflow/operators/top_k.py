"""Top-k: the first rows of each group, after an offset. Only touched groups are read.

Of a group that has no more rows than are shown, before the change and after it, nothing is read:
what happens to it happens to the result.

Of a large group only its *front* is read: the rows that are not beyond a bound, kept in an
arrangement of their own. A change beyond the bound cannot be seen; one within it moves the front.
When the front runs short it is filled again from all rows, and then holds twice what is needed, so
that this is rare. Bounds are compared by a coarse code of the first sort key, which means the same
at every time; rows that share the bound's code all belong to the front.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import array_of
from antiphon.protocol.plan import SortKey
from antiphon.protocol.row_hash import Words, hash_keys
from antiphon.replica.dataflow.batch import Batch, build_batch, sorted_batch
from antiphon.replica.dataflow.equality import equal_rows
from antiphon.replica.dataflow.gather import Rows, taken_rows
from antiphon.replica.dataflow.group_table import GroupTable, Numbers
from antiphon.replica.dataflow.groups import Groups, group_rows
from antiphon.replica.dataflow.operators.operator import Operator, Step
from antiphon.replica.dataflow.operators.ranking import Candidates, Ranking, rank
from antiphon.replica.dataflow.sort_codes import coarse_order
from antiphon.replica.dataflow.spine import Spine, probe_keys
from antiphon.replica.dataflow.zset import Zset

Mask = npt.NDArray[np.bool_]
_NO_LIMIT: Final = 2**62
_NO_BOUND: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_FRONT_ROWS: Final = 32  # a front is never cut shorter than this
# Of each group: its rows; the bound of its front (complemented: 0 where there is none); the rows in
# the front.
_TOTAL, _BOUND, _IN_FRONT = range(3)


class TopK(Operator):
    """Rows of equal order are taken by their row hash, which the arrangements keep beside them."""

    def __init__(
        self, group_by: Sequence[int], order_by: Sequence[SortKey], limit: int | None, offset: int
    ) -> None:
        self._group_by = tuple(group_by)
        self._order_by = tuple(order_by)
        self._first = offset
        self._last = offset + (_NO_LIMIT if limit is None else limit)
        self._has_fronts = limit is not None and len(order_by) > 0
        self._kept = 2 * self._last + _FRONT_ROWS  # what a front is cut to
        self._most = 2 * self._kept  # when it is
        self._all = Spine()
        self._front = Spine()
        self._table = GroupTable(3)
        self._pending: tuple[Batch, Batch | None, Rows, Groups, Numbers] | None = None

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        self._pending = None
        change = inputs[0]
        assert change is not None, "the scheduler runs only what has input"
        hashes = hash_keys(change.columns, change.row_count) if change.hashes is None else (
            change.hashes[1]
        )  # fmt: skip
        stored = array_of(hashes.view(np.int64), pa.int64())
        batch = build_batch(
            (*change.columns, stored), change.diffs, self._group_by, row_hashes=hashes
        )
        if len(batch) == 0:
            return None
        groups = group_rows([batch.columns[i] for i in self._group_by], len(batch))
        slots = self._table.locate(groups.low, groups.high)
        state = self._table.read(slots)
        of_row = groups.of_rows()
        shown = self._counted(batch, groups, state)[of_row]
        front, output = self._ranked(batch, groups, state, of_row, shown)
        state[state[:, _TOTAL] == 0] = 0  # nothing is left of the group
        self._pending = (batch, front, slots, groups, state)
        places = np.flatnonzero(shown)
        if len(places):
            as_it_came = Zset(
                taken_rows(batch.columns[:-1], places), batch.diffs[places], is_distinct=True
            )
            output = as_it_came if output is None else _both(as_it_came, output)
        return output

    def _counted(self, batch: Batch, groups: Groups, state: Numbers) -> Mask:
        """Bring the groups' totals to after the change. Which groups show all that they have,
        before and after."""
        if not self._has_fronts:
            return np.zeros(len(groups), np.bool_)
        before = state[:, _TOTAL].copy()
        state[:, _TOTAL] += groups.sums(batch.diffs)
        if self._first:
            return np.zeros(len(groups), np.bool_)
        few: Mask = (before <= self._last) & (state[:, _TOTAL] <= self._last)
        few &= state[:, _BOUND] == 0
        return few

    def _ranked(
        self, batch: Batch, groups: Groups, state: Numbers, of_row: Rows, shown: Mask
    ) -> tuple[Batch | None, Zset | None]:
        """What the rows that are not `shown` as they come do to the fronts and to the result."""
        candidates = self._candidates(batch, groups, state, of_row, ~shown)
        if candidates is None:
            return None, None
        ranking = rank(candidates, self._order_by, coarse=self._has_fronts)
        front = self._moved_fronts(candidates, ranking, state) if self._has_fronts else None
        moved = ranking.included(ranking.after, self._first, self._last)
        moved = moved - ranking.included(ranking.before, self._first, self._last)
        places = np.flatnonzero(moved)
        if len(places) == 0:
            return front, None
        rows, diffs = ranking.rows[places], moved[places]
        order = np.argsort(rows)
        _, columns = candidates.gathered(rows[order])
        return front, Zset(columns[:-1], diffs[order], is_distinct=True)

    def _candidates(
        self, batch: Batch, groups: Groups, state: Numbers, of_row: Rows, ranked: Mask
    ) -> Candidates | None:
        """The rows that decide; brings the counts of the fronts to after the change. `ranked`:
        rows of the change to look at. None: all of them are beyond the fronts."""
        has_front = state[:, _BOUND] != 0
        whole = ~has_front
        if has_front.any():
            key = self._order_by[0]
            codes = coarse_order(
                batch.columns[key.column], descending=key.descending, nulls_first=key.nulls_first
            )
            fronted = has_front[of_row]
            inside = fronted & (codes <= _bounds(state)[of_row])
            np.add.at(state[:, _IN_FRONT], of_row, np.where(inside, batch.diffs, 0))
            whole |= (state[:, _IN_FRONT] < self._last) & (state[:, _TOTAL] > state[:, _IN_FRONT])
            ranked = ranked & (whole[of_row] | inside)
        rows = np.flatnonzero(ranked)
        if len(rows) == 0:
            return None
        touched = np.zeros(len(groups), np.bool_)
        touched[of_row[rows]] = True
        sources, found = self._held(self._all, batch, groups, np.flatnonzero(touched & whole))
        fronts, of_fronts = self._held(self._front, batch, groups, np.flatnonzero(touched & ~whole))
        return _candidates(sources + fronts, found + of_fronts, batch, rows, of_row[rows])

    def _held(
        self, spine: Spine, batch: Batch, groups: Groups, which: Rows
    ) -> tuple[list[tuple[Batch, Rows]], list[Rows]]:
        """The rows that a spine holds of some groups, and the group of each."""
        if len(which) == 0:
            return [], []
        own = taken_rows([batch.columns[i] for i in self._group_by], groups.first_rows[which])
        sources, found = [], []
        for match in probe_keys(spine.batches, groups.low[which]):
            others = [match.batch.columns[i] for i in self._group_by]
            same = equal_rows(own, match.probes, others, match.rows)
            rows, probes = match.rows, match.probes
            if same is not None:
                rows, probes = rows[same], probes[same]
            sources.append((match.batch, rows))
            found.append(which[probes])
        return sources, found

    def _moved_fronts(
        self, candidates: Candidates, ranking: Ranking, state: Numbers
    ) -> Batch | None:
        """Set the state to how the groups are after the change; what that does to the fronts."""
        assert ranking.coarse is not None, "fronts go by coarse codes"
        heads = np.flatnonzero(ranking.starts)
        of_head = ranking.group[heads]
        counted = np.add.reduceat(ranking.after, heads)
        old_bounds = _bounds(state)
        whole = np.ones(len(state), np.bool_)
        had_front = state[:, _BOUND] != 0
        read_all = ~had_front | (
            (state[:, _IN_FRONT] < self._last) & (state[:, _TOTAL] > state[:, _IN_FRONT])
        )
        whole[of_head] = read_all[of_head]
        cut = counted > self._most
        # A group that was read whole and is small needs no front any more.
        state[of_head[whole[of_head] & ~cut], _BOUND:] = 0
        if cut.any():
            self._cut(ranking, heads, of_head, cut, state)
        if not had_front.any() and not cut.any():
            return None
        bounds = _bounds(state)
        has_front = state[:, _BOUND] != 0
        group, coarse = ranking.group, ranking.coarse
        was = np.where(had_front[group] & (coarse <= old_bounds[group]), ranking.before, 0)
        now = np.where(has_front[group] & (coarse <= bounds[group]), ranking.after, 0)
        in_front = np.add.reduceat(now, heads)
        state[of_head, _IN_FRONT] = in_front
        return self._front_change(candidates, ranking.rows, now - was)

    def _cut(self, ranking: Ranking, heads: Rows, of_head: Rows, cut: Mask, state: Numbers) -> None:
        """Give groups with too many candidates a bound behind the first `_kept` of them."""
        assert ranking.coarse is not None, "fronts go by coarse codes"
        _, ends = ranking.within(ranking.after)
        reached = np.flatnonzero(ends >= self._kept)
        first = reached[np.searchsorted(reached, heads[cut])]
        codes = ranking.coarse[first]
        chosen = of_head[cut]
        bounded = codes != _NO_BOUND
        chosen, codes = chosen[bounded], codes[bounded]
        state[chosen, _BOUND] = (~codes).view(np.int64)

    def _front_change(self, candidates: Candidates, rows: Rows, diffs: Rows) -> Batch | None:
        places = np.flatnonzero(diffs)
        if len(places) == 0:
            return None
        order = np.argsort(rows[places])
        ranks, columns = candidates.gathered(rows[places][order])
        return sorted_batch(ranks, columns, diffs[places][order], None)

    def commit(self) -> None:
        if self._pending is None:
            return
        batch, front, slots, groups, state = self._pending
        self._pending = None
        self._all.insert(batch)
        if front is not None:
            self._front.insert(front)
        if self._has_fronts:
            self._table.write(slots, groups.low, groups.high, state)

    def maintain(self, fuel_rows: int) -> bool:
        more = self._all.maintain(fuel_rows)
        more |= self._front.maintain(fuel_rows)
        return self._table.maintain(fuel_rows) or more

    @property
    def state_rows(self) -> int:
        return self._all.row_count + self._front.row_count + self._table.group_count

    @property
    def state_bytes(self) -> int:
        return self._all.byte_count + self._front.byte_count + self._table.byte_count


def _bounds(state: Numbers) -> Words:
    bounds: Words = ~np.ascontiguousarray(state[:, _BOUND]).view(np.uint64)
    return bounds


def _both(first: Zset, second: Zset) -> Zset:
    """Of different groups, so that no row is in both."""
    columns = tuple(
        pa.concat_arrays(list(pair)) for pair in zip(first.columns, second.columns, strict=True)
    )
    return Zset(columns, np.concatenate([first.diffs, second.diffs]), is_distinct=True)


def _candidates(
    sources: list[tuple[Batch, Rows]], found: list[Rows], batch: Batch, rows: Rows, of_rows: Rows
) -> Candidates:
    held = sum(len(part) for part in found)
    return Candidates([*sources, (batch, rows)], np.concatenate([*found, of_rows]), held)
