"""Sums over window frames in which each value counts once, where it stands first.

A row is the first of its value in a frame from `start` on if no row from there on had the value
before it. Such rows before `end` are found for all frames at once by a wavelet matrix of where the
values stood last: a pass for each bit of a position.
"""

from __future__ import annotations

import numpy as np

from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.arrangements.group_table import Numbers
from antiphon.replica.dataflow.columns.gather import Rows
from antiphon.replica.dataflow.operators.windowing.window_rows import Mask


class FirstRows:
    """`codes`: equal where values are; rows that are not `counted` are nobody's first."""

    def __init__(self, codes: Words, counted: Mask) -> None:
        places = np.flatnonzero(counted)
        order = places[np.argsort(codes[places], kind="stable")]
        again = codes[order[1:]] == codes[order[:-1]]
        # Behind the row before that has the value; 0: there is none. Never behind the row itself.
        self._seen = np.zeros(len(codes), np.int64)
        self._seen[order[1:][again]] = order[:-1][again] + 1

    def sums(self, numbers: Numbers, start: Rows, end: Rows) -> Numbers:
        """For each frame [start, end) the sum over its first rows. `numbers`: a column for each
        row, 0 where it does not count. O((rows + frames) log rows)."""
        # Every row before `start` has been seen before `start`: it is found, and taken off again.
        earlier = running(numbers)[:, start]
        seen, below = self._seen, start + 1
        low, high = np.zeros(len(start), np.int64), end
        found: Numbers = np.zeros((len(numbers), len(start)), np.int64)
        for bit in reversed(range(int(len(seen) + 1).bit_length())):
            upper = (seen >> bit) & 1 == 1
            before = np.concatenate([[0], np.cumsum(~upper)])
            totals = running(np.where(upper, 0, numbers))
            takes = (below >> bit) & 1 == 1
            lower_low, lower_high = before[low], before[high]
            found += np.where(takes, totals[:, high] - totals[:, low], 0)
            low = np.where(takes, before[-1] + low - lower_low, lower_low)
            high = np.where(takes, before[-1] + high - lower_high, lower_high)
            order = np.concatenate([np.flatnonzero(~upper), np.flatnonzero(upper)])
            seen, numbers = seen[order], numbers[:, order]
        return found - earlier


def running(numbers: Numbers) -> Numbers:
    """Totals of what is before each row, and of all."""
    totals: Numbers = np.zeros((len(numbers), numbers.shape[1] + 1), np.int64)
    np.cumsum(numbers, axis=1, out=totals[:, 1:])
    return totals
