"""Rows of several partitions in the order of a window, and the frame of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.plan import SortKey
from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.columns.gather import Rows, index_of, taken
from antiphon.replica.dataflow.columns.sort_codes import sort_codes, sorted_rows
from antiphon.replica.dataflow.columns.zset import Diffs
from antiphon.replica.dataflow.operators.windowing.ranking import Candidates

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Arranged:
    """The distinct rows among candidates, by partition, then in order, then by row hash.

    `rows`: a candidate for each. `before`, `after`: how often it was and is there. `peers`: counts
    the sets of rows that are equal in the order, up from 0, through all partitions.
    """

    rows: Rows
    partition: Rows
    peers: Rows
    before: Diffs
    after: Diffs

    def part(self, block: slice) -> Arranged:
        return Arranged(
            self.rows[block], self.partition[block], self.peers[block], self.before[block],
            self.after[block],
        )  # fmt: skip


def blocks(partition: Rows, rows_min: int) -> list[slice]:
    """All rows in stretches of whole partitions, none but the last with fewer than `rows_min`."""
    count = len(partition)
    if count <= rows_min:
        return [slice(0, count)]
    edges = np.append(np.flatnonzero(_changes(partition))[1:], count)
    found, start = [], 0
    while start < count:
        place = int(edges.searchsorted(start + rows_min))
        stop = int(edges[min(place, len(edges) - 1)])
        found.append(slice(start, stop))
        start = stop
    return found


def arranged(candidates: Candidates, hashes: Words, order_by: Sequence[SortKey]) -> Arranged:
    """O(n log n)."""
    keys: list[Words] = []
    for key in order_by:
        column = candidates.column(key.column)
        keys += sort_codes(column, descending=key.descending, nulls_first=key.nulls_first)
    place = sorted_rows(candidates.group, [*keys, hashes])
    group, hash_ = candidates.group[place], hashes[place]
    new_peers = _changes(group)
    for codes in keys:
        new_peers |= _changes(codes[place])
    fresh = new_peers | _changes(hash_)
    heads = np.flatnonzero(fresh)
    diffs = np.concatenate([batch.diffs[rows] for batch, rows in candidates.sources])[place]
    after = np.add.reduceat(diffs, heads)
    before = np.add.reduceat(np.where(place < candidates.held, diffs, 0), heads)
    return Arranged(
        rows=place[heads],
        partition=group[heads],
        peers=(np.cumsum(new_peers) - 1)[heads],
        before=np.maximum(before, 0),
        after=np.maximum(after, 0),
    )


def _changes(values: npt.NDArray[np.generic]) -> Mask:
    """Where a value differs from the one before it; true at the first."""
    found = np.ones(len(values), np.bool_)
    found[1:] = values[1:] != values[:-1]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """One version of the partitions, every copy of a row a row of its own.

    Of each row: `starts`, `ends`: its partition, as positions here. `peers`: the number of its set
    of peers, from 0 up without gaps. `peer_edges`: where each set begins, and the end of the last.
    """

    columns: tuple[pa.Array, ...]
    starts: Rows
    ends: Rows
    peers: Rows
    peer_edges: Rows

    @property
    def count(self) -> int:
        return len(self.starts)

    @property
    def positions(self) -> Rows:
        return np.arange(len(self.starts))

    @property
    def peer_starts(self) -> Rows:
        return self.peer_edges[self.peers]

    @property
    def peer_ends(self) -> Rows:
        return self.peer_edges[self.peers + 1]


def ordered(columns: Sequence[pa.Array], rows: Arranged, counts: Diffs) -> Ordered:
    """`columns`: of the distinct rows; `counts`: how often each is there in this version."""
    copies = np.repeat(np.arange(len(counts)), counts)
    index = index_of(copies)
    partitions = np.append(np.flatnonzero(_changes(rows.partition[copies])), len(copies))
    sizes = np.diff(partitions)
    edges = np.flatnonzero(_changes(rows.peers[copies]))
    return Ordered(
        columns=tuple(taken(column, index) for column in columns),
        starts=np.repeat(partitions[:-1], sizes),
        ends=np.repeat(partitions[1:], sizes),
        peers=np.repeat(np.arange(len(edges)), np.diff(np.append(edges, len(copies)))),
        peer_edges=np.append(edges, len(copies)),
    )
