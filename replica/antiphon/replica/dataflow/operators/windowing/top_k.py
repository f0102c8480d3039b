"""Top-k: the first rows of each group, after an offset. Only touched groups are read.

Of a group that has no more rows than are shown, before the change and after it, nothing is read:
what happens to it happens to the result. Nor is anything read for what happens behind the last row
that is shown.

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
from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.arrangements.batch import Batch, build_batch, sorted_batch
from antiphon.replica.dataflow.arrangements.group_table import GroupTable, Numbers
from antiphon.replica.dataflow.arrangements.spine import Spine, probe_keys
from antiphon.replica.dataflow.columns.equality import equal_rows
from antiphon.replica.dataflow.columns.gather import Rows, taken_rows
from antiphon.replica.dataflow.columns.groups import Groups, group_rows
from antiphon.replica.dataflow.columns.sort_codes import coarse_order
from antiphon.replica.dataflow.columns.words import identity_words
from antiphon.replica.dataflow.columns.zset import Diffs, Zset
from antiphon.replica.dataflow.operators.operator import Operator, Step
from antiphon.replica.dataflow.operators.windowing.ranking import Candidates, Ranking, rank

Mask = npt.NDArray[np.bool_]
_NO_LIMIT: Final = 2**62
_NO_BOUND: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_FRONT_ROWS: Final = 32  # a front is never cut shorter than this
# Of each group: its rows; where the last row that is shown stands; the bound of its front; the rows
# in the front. The second and third are coarse codes, complemented: 0 where there is none.
_TOTAL, _LAST_SHOWN, _BOUND, _IN_FRONT = range(4)


class TopK(Operator):
    """Rows of equal order are taken by their row hash, which the arrangements keep beside them."""

    def __init__(
        self,
        group_by: Sequence[int],
        order_by: Sequence[SortKey],
        limit: int | None,
        offset: int,
        *,
        by_parts: bool = False,
    ) -> None:
        """`by_parts`: the rows have intervals."""
        self._by_parts = by_parts
        self._group_by = tuple(group_by)
        self._order_by = tuple(order_by)
        self._first = offset
        self._last = offset + (_NO_LIMIT if limit is None else limit)
        self._has_fronts = limit is not None and len(order_by) > 0
        self._kept = 2 * self._last + _FRONT_ROWS  # what a front is cut to
        self._most = 2 * self._kept  # when it is
        self._all = Spine()
        self._front = Spine()
        self._table = GroupTable(4)
        self._pending: tuple[Batch, Batch | None, Rows, Groups, Numbers] | None = None

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        self._pending = None
        change = inputs[0]
        assert change is not None, "the scheduler runs only what has input"
        if change.hashes is None or self._by_parts:
            hashes = identity_words(change.columns, change.row_count, by_parts=self._by_parts)
        else:
            hashes = change.hashes[1]
        stored = array_of(hashes.view(np.int64), pa.int64())
        batch = build_batch(
            (*change.columns, stored), change.diffs, self._group_by, row_hashes=hashes
        )
        if len(batch) == 0:
            return None
        groups = group_rows([batch.columns[i] for i in self._group_by], len(batch))
        slots, state = self._table.look_up(groups.low, groups.high)
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
        state[few, _LAST_SHOWN] = 0
        return few

    def _ranked(
        self, batch: Batch, groups: Groups, state: Numbers, of_row: Rows, shown: Mask
    ) -> tuple[Batch | None, Zset | None]:
        """What the rows that are not `shown` as they come do to the fronts and to the result."""
        candidates = self._candidates(batch, groups, state, of_row, ~shown)
        if candidates is None:
            return None, None
        ranking = rank(candidates, self._order_by, coarse=self._has_fronts)
        after = ranking.within(ranking.after)
        front = None
        if self._has_fronts:
            front = self._moved_fronts(candidates, ranking, after[1], state)
        moved = self._included(after) - self._included(ranking.within(ranking.before))
        places = np.flatnonzero(moved)
        if len(places) == 0:
            return front, None
        rows, diffs = ranking.rows[places], moved[places]
        order = np.argsort(rows)
        _, columns = candidates.gathered(rows[order])
        return front, Zset(columns[:-1], diffs[order], is_distinct=True)

    def _included(self, places: tuple[Diffs, Diffs]) -> Diffs:
        """How many copies of each row are shown; `places`: those that it takes in its group."""
        begins, ends = places
        found: Diffs = np.minimum(ends, self._last) - np.minimum(begins, self._last)
        if self._first:
            found -= np.minimum(ends, self._first) - np.minimum(begins, self._first)
        return found

    def _candidates(
        self, batch: Batch, groups: Groups, state: Numbers, of_row: Rows, ranked: Mask
    ) -> Candidates | None:
        """The rows that decide; brings the counts of the fronts to after the change. `ranked`:
        rows of the change to look at. None: all of them are behind what is shown."""
        has_front = state[:, _BOUND] != 0
        whole = ~has_front
        # A group that has grown beyond what is read at once is read all the same: it gets a front.
        last_shown = np.where(state[:, _TOTAL] <= self._most, state[:, _LAST_SHOWN], 0)
        seen = np.where(has_front, state[:, _BOUND], last_shown)
        if seen.any():
            key = self._order_by[0]
            codes = coarse_order(
                batch.columns[key.column], descending=key.descending, nulls_first=key.nulls_first
            )
            inside = ranked & (codes <= _codes_of(seen)[of_row])
            read = np.zeros(len(groups), np.bool_)
            read[of_row[inside]] = True
            if has_front.any():
                fronted = inside & has_front[of_row]
                np.add.at(state[:, _IN_FRONT], of_row[fronted], batch.diffs[fronted])
                short = self._is_short(state)
                whole |= short
                read |= short
            ranked = inside | (ranked & (whole & read)[of_row])
        rows = np.flatnonzero(ranked)
        if len(rows) == 0:
            return None
        touched = np.zeros(len(groups), np.bool_)
        touched[of_row[rows]] = True
        sources, found = self._held(self._all, batch, groups, np.flatnonzero(touched & whole))
        fronts, of_fronts = self._held(self._front, batch, groups, np.flatnonzero(touched & ~whole))
        return _candidates(sources + fronts, found + of_fronts, batch, rows, of_row[rows])

    def _is_short(self, state: Numbers) -> Mask:
        """The groups with a front that may show rows beyond it."""
        short: Mask = (state[:, _IN_FRONT] < self._last) & (state[:, _TOTAL] > state[:, _IN_FRONT])
        short &= state[:, _BOUND] != 0
        return short

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
        self, candidates: Candidates, ranking: Ranking, ends: Diffs, state: Numbers
    ) -> Batch | None:
        """Set the state to how the groups are after the change; what that does to the fronts.
        `ends`: the place behind each row's copies in its group."""
        assert ranking.coarse is not None, "fronts go by coarse codes"
        heads = np.flatnonzero(ranking.starts)
        of_head = ranking.group[heads]
        counted = np.add.reduceat(ranking.after, heads)
        state[of_head, _LAST_SHOWN] = 0
        if self._last:
            full = counted >= self._last
            at = _first_reaching(self._last, ends, heads[full])
            state[of_head[full], _LAST_SHOWN] = (~ranking.coarse[at]).view(np.int64)
        cut = counted > self._most
        if not cut.any() and not state[:, _BOUND].any():
            return None
        old_bounds = _codes_of(state[:, _BOUND])
        whole = np.ones(len(state), np.bool_)
        had_front = state[:, _BOUND] != 0
        read_all = ~had_front | self._is_short(state)
        whole[of_head] = read_all[of_head]
        # A group that was read whole and is small needs no front any more.
        state[of_head[whole[of_head] & ~cut], _BOUND:] = 0
        if cut.any():
            self._cut(ranking, ends, heads[cut], of_head[cut], state)
        bounds = _codes_of(state[:, _BOUND])
        has_front = state[:, _BOUND] != 0
        group, coarse = ranking.group, ranking.coarse
        was = np.where(had_front[group] & (coarse <= old_bounds[group]), ranking.before, 0)
        now = np.where(has_front[group] & (coarse <= bounds[group]), ranking.after, 0)
        in_front = np.add.reduceat(now, heads)
        state[of_head, _IN_FRONT] = in_front
        return self._front_change(candidates, ranking.rows, now - was)

    def _cut(
        self, ranking: Ranking, ends: Diffs, heads: Rows, groups: Rows, state: Numbers
    ) -> None:
        """Give groups with too many candidates a bound behind the first `_kept` of them."""
        assert ranking.coarse is not None, "fronts go by coarse codes"
        codes = ranking.coarse[_first_reaching(self._kept, ends, heads)]
        bounded = codes != _NO_BOUND
        state[groups[bounded], _BOUND] = (~codes[bounded]).view(np.int64)

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


def _codes_of(numbers: Rows) -> Words:
    """Coarse codes from how the table holds them. None: the highest, which nothing is behind."""
    codes: Words = ~np.ascontiguousarray(numbers).view(np.uint64)
    return codes


def _first_reaching(count: int, ends: Diffs, heads: Rows) -> Rows:
    """The first row of each group with that many copies up to it; each must have one."""
    reached = np.flatnonzero(ends >= count)
    found: Rows = reached[np.searchsorted(reached, heads)]
    return found


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
