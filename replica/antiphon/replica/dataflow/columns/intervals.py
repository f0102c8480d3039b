"""Rows as intervals of codes, sorted by where they begin: overlaps are found without a scan.

A run is sorted by the lower code. What could overlap is then a prefix of it, and in a prefix those
that reach far enough are found through a tree of greatest upper codes: whole branches that end too
early are left out. All probes go down the tree together, a level at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.columns.gather import Rows, taken_rows
from antiphon.replica.dataflow.columns.zset import Diffs, Zset

LOWEST, HIGHEST = np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF)
_FAN: Final = 16
_PROBES_MAX: Final = 1 << 14  # at a time: each begins with a branch for every part of the top


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Rows, at least one, by ascending `low`. Two overlap where each one's `low` is at most the
    other's `high`; nothing else is meant by an interval whose `high` is below its `low`."""

    columns: tuple[pa.Array, ...]
    diffs: Diffs
    low: Words
    high: Words
    tree: tuple[Words, ...]  # `high`, then the greatest of each _FAN of the level before
    total: int  # of `diffs`

    @staticmethod
    def of(rows: Zset, low: Words, high: Words) -> Run:
        order = np.argsort(low, kind="stable")
        sorted_high = high[order]
        tree = [sorted_high]
        while len(tree[-1]) > _FAN:
            level = tree[-1]
            padded = np.zeros(-(-len(level) // _FAN) * _FAN, np.uint64)
            padded[: len(level)] = level
            tree.append(padded.reshape(-1, _FAN).max(axis=1))
        columns = taken_rows(rows.columns, order)
        total = int(rows.diffs.sum())
        return Run(columns, rows.diffs[order], low[order], sorted_high, tuple(tree), total)

    @property
    def row_count(self) -> int:
        return len(self.diffs)

    @property
    def byte_count(self) -> int:
        return sum(int(column.nbytes) for column in self.columns) + 26 * self.row_count


def overlaps(left: Run, right: Run) -> tuple[Rows, Rows]:
    """The pairs (row of left, row of right) in which each begins before the other one ends.
    O((pairs + rows of the smaller) · log rows of the larger)."""
    if left.row_count > right.row_count:
        found, probes = _found(right, left)
        return probes, found
    probes, found = _found(left, right)
    return probes, found


def _found(probes: Run, run: Run) -> tuple[Rows, Rows]:
    parts = [
        _reached(probes.low[start : start + _PROBES_MAX], probes.high[start : start + _PROBES_MAX],
                 run, start)
        for start in range(0, probes.row_count, _PROBES_MAX)
    ]  # fmt: skip
    return np.concatenate([a for a, _ in parts]), np.concatenate([b for _, b in parts])


def _reached(low: Words, high: Words, run: Run, start: int) -> tuple[Rows, Rows]:
    """(probe, row of the run), probes numbered from `start`."""
    ends = np.searchsorted(run.low, high, side="right")
    level = len(run.tree) - 1
    probes, nodes = _spread(np.arange(len(low)), np.zeros(len(low), np.int64), ends, level)
    while True:
        kept = run.tree[level][nodes] >= low[probes]
        probes, nodes = probes[kept], nodes[kept]
        if level == 0:
            return probes + start, nodes
        level -= 1
        probes, nodes = _spread(probes, nodes * _FAN, ends, level)


def _spread(probes: Rows, first: Rows, ends: Rows, level: int) -> tuple[Rows, Rows]:
    """The children, from `first` on, that begin before each probe's end."""
    limit = -(-ends[probes] // _FAN**level)
    counts = np.clip(limit - first, 0, _FAN)
    places = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(probes, counts), np.repeat(first, counts) + places
