"""Rows of several groups in order, and what of each group is among the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import values_of
from antiphon.protocol.plan import SortKey
from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.arrangements.batch import Batch
from antiphon.replica.dataflow.columns.gather import Rows, index_of, taken, taken_rows
from antiphon.replica.dataflow.columns.sort_codes import coarse_order, sort_codes, sorted_rows
from antiphon.replica.dataflow.columns.zset import Diffs

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Rows of batches, one after another; `group`: of each row, small numbers. The first `held`
    rows are what there was, the others what changes. The last column of each is its row hash."""

    sources: list[tuple[Batch, Rows]]
    group: Rows
    held: int

    def column(self, index: int) -> pa.Array:
        pieces = [taken(batch.columns[index], index_of(rows)) for batch, rows in self.sources]
        return pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces)

    def gathered(self, rows: Rows) -> tuple[Words, tuple[pa.Array, ...]]:
        """(ranks, columns with the hash) of ascending rows."""
        ranks, pieces, start = [], [], 0
        for batch, available in self.sources:
            end = start + len(available)
            first, last = np.searchsorted(rows, (start, end))
            if last > first:
                inside = available[rows[first:last] - start]
                ranks.append(batch.ranks[inside])
                pieces.append(taken_rows(batch.columns, inside))
            start = end
        columns = tuple(
            parts[0] if len(parts) == 1 else pa.concat_arrays(list(parts))
            for parts in zip(*pieces, strict=True)
        )
        return np.concatenate(ranks), columns


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The distinct rows among candidates, by group, then in order.

    `rows`: a candidate for each. `before`, `after`: its multiplicity as it was and as it is.
    `starts`: where a group begins. `coarse`: never falls within a group; None: not asked for.
    """

    rows: Rows
    group: Rows
    before: Diffs
    after: Diffs
    starts: Mask
    coarse: Words | None

    def within(self, counts: Diffs) -> tuple[Diffs, Diffs]:
        """The places [begin, end) that each row's copies take in its group."""
        ends = np.cumsum(counts)
        begins = ends - counts
        heads = np.flatnonzero(self.starts)
        base = begins[heads].repeat(np.diff(heads, append=len(ends)))
        return begins - base, ends - base


def rank(candidates: Candidates, order_by: Sequence[SortKey], *, coarse: bool) -> Ranking:
    """O(n log n)."""
    hashes: Words = values_of(candidates.column(-1)).view(np.uint64)
    keys: list[Words] = []
    rough: Words | None = None
    for position, key in enumerate(order_by):
        column = candidates.column(key.column)
        order = {"descending": key.descending, "nulls_first": key.nulls_first}
        keys += sort_codes(column, **order)
        if position == 0 and coarse:
            rough = coarse_order(column, **order)
    keys.append(hashes)
    group = candidates.group
    place = sorted_rows(group, keys)
    sorted_group, sorted_hash = group[place], hashes[place]
    fresh = np.ones(len(place), np.bool_)
    fresh[1:] = (sorted_group[1:] != sorted_group[:-1]) | (sorted_hash[1:] != sorted_hash[:-1])
    heads = np.flatnonzero(fresh)
    diffs = np.concatenate([batch.diffs[rows] for batch, rows in candidates.sources])[place]
    after = np.add.reduceat(diffs, heads)
    before = np.add.reduceat(np.where(place < candidates.held, diffs, 0), heads)
    rows, of_row = place[heads], sorted_group[heads]
    starts = np.ones(len(rows), np.bool_)
    starts[1:] = of_row[1:] != of_row[:-1]
    return Ranking(
        rows, of_row, np.maximum(before, 0), np.maximum(after, 0), starts,
        None if rough is None else rough[rows],
    )  # fmt: skip
