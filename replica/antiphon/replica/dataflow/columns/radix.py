"""Where the ranks of a large batch begin, by their upper bits.

Ranks begin with 40 bits of a hash, so they are spread evenly: a table by their upper bits, with one
entry for about a dozen rows, leads to within a few rows of any. The rest is halved, all probes at
once. A plain binary search of a million ranks is some twenty reads of memory, each of which waits
for the one before; this is half a dozen, which wait together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.columns.gather import Rows

_ROWS_MIN: Final = 32_768  # in fewer, which the nearest caches hold, a binary search is as good
_PROBES_MIN: Final = 256  # fewer do not pay for the calls
_PROBES_MAX: Final = 16_384  # at once: what lies between two calls stays in the nearest caches
_ENTRY_ROWS: Final = 8  # one entry for so many rows, up to twice as many
_HALVINGS_MAX: Final = 9  # keys with many rows each crowd together: then it saves nothing
_WORD_BITS: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class Radix:
    """`begins[i]`: how many ranks are below `i << shift`; it has one more entry, for all of them.
    No two entries are further apart than 2 ** halvings - 1."""

    begins: npt.NDArray[np.uint32]
    shift: np.uint64
    halvings: int

    def seek(self, ranks: Words, words: Words) -> Rows:
        """As `ranks.searchsorted(words)`: how many of the ranks are below each word."""
        if len(words) < _PROBES_MIN:
            return ranks.searchsorted(words)
        if len(words) <= _PROBES_MAX:
            return self._sought(ranks, words)
        parts = range(0, len(words), _PROBES_MAX)
        return np.concatenate([self._sought(ranks, words[i : i + _PROBES_MAX]) for i in parts])

    def _sought(self, ranks: Words, words: Words) -> Rows:
        entries = (words >> self.shift).astype(np.int64)
        found: Rows = self.begins.take(entries).astype(np.int64)
        for halving in range(self.halvings - 1, -1, -1):
            # Behind the end stands the last rank again. If it is below the word, all are.
            middle = ranks.take(found + ((1 << halving) - 1), mode="clip")
            found += (middle < words).astype(np.int64) << halving
        return np.minimum(found, len(ranks))


class RadixBuilder:
    """Makes the radix of at most `row_count` ranks as they come, in order."""

    def __init__(self, row_count: int) -> None:
        bits = (row_count // _ENTRY_ROWS).bit_length() - 1
        self._shift = np.uint64(_WORD_BITS - bits)
        self._begins = np.zeros((1 << bits) + 1, np.uint32)
        self._next = 0  # the first entry that is not known yet
        self._written = 0

    def append(self, ranks: Words) -> None:
        """The next ranks, ascending, none below those before."""
        if len(ranks) == 0:
            return
        after = int(ranks[-1] >> self._shift) + 1
        if after > self._next:
            bounds = np.arange(self._next, after, dtype=np.uint64) << self._shift
            self._begins[self._next : after] = ranks.searchsorted(bounds) + self._written
            self._next = after
        self._written += len(ranks)

    def finish(self) -> Radix | None:
        """None: too many ranks lie close together."""
        self._begins[self._next :] = self._written
        widest = int(np.diff(self._begins).max())
        if widest.bit_length() > _HALVINGS_MAX:
            return None
        return Radix(self._begins, self._shift, widest.bit_length())


def radix_builder(row_count: int) -> RadixBuilder | None:
    """None: so few ranks are found without."""
    return RadixBuilder(row_count) if row_count >= _ROWS_MIN else None


def radix_of(ranks: Words) -> Radix | None:
    """Of sorted ranks, all at once."""
    builder = radix_builder(len(ranks))
    if builder is None:
        return None
    builder.append(ranks)
    return builder.finish()
