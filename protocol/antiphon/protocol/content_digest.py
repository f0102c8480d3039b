"""The content digest: Σ diff · H(row) mod 2^128, over the rows of a collection at one time.

A sum does not depend on how changes were batched, compacted or ordered, and follows a change by
adding the change's own sum. So replicas that hold a collection in different shapes, and from
different times on, can compare it. It finds faults, not attackers. H is the row hash, which any
language can compute: `docs/row_hash.md`. Errors are summed as rows of their own and multiplied by
an odd constant, so that no row is mistaken for an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.row_hash import Words, hash_rows

CONTENT_DIGEST_BYTES: Final = 16
EMPTY: Final = 0
_WRAP: Final = (1 << 128) - 1
_ERRORS: Final = 0x9E3779B97F4A7C15F39CC0605CEDC835
# A sum of so many products of 32 bits with a diff stays within 63.
_SUMMED_MAX: Final = 1 << 31
_HALF: Final = np.uint64(0xFFFFFFFF)
_SHIFT: Final = np.uint64(32)


def digest_of_rows(
    columns: Sequence[pa.Array],
    diffs: npt.NDArray[np.int64],
    hashes: tuple[Words, Words] | None = None,
) -> int:
    """The digest of a change. `hashes`: the rows' (high, low) hashes, if known. O(rows)."""
    count = len(diffs)
    if count == 0:
        return EMPTY
    high, low = hash_rows(columns, count) if hashes is None else hashes
    total: int = 0
    largest = max(abs(int(diffs.max())), abs(int(diffs.min())))
    step = _SUMMED_MAX // max(1, largest)
    if step == 0:
        # Multiplicities of billions; rare, and exact all the same.
        whole = zip(high.tolist(), low.tolist(), diffs.tolist(), strict=True)
        for h, w, diff in whole:
            total += ((int(h) << 64) | int(w)) * int(diff)
        return total & _WRAP
    for start in range(0, count, step):
        part = diffs[start : start + step]
        for place, words in ((0, low), (64, high)):
            here = words[start : start + step]
            total += int((part * (here & _HALF).astype(np.int64)).sum()) << place
            total += int((part * (here >> _SHIFT).astype(np.int64)).sum()) << (place + 32)
    return total & _WRAP


def digest_of_errors(columns: Sequence[pa.Array], diffs: npt.NDArray[np.int64]) -> int:
    """What a change of the error side adds to the digest."""
    return digest_of_rows(columns, diffs) * _ERRORS & _WRAP


def added(*digests: int) -> int:
    """The digest of all these changes together."""
    return sum(digests) & _WRAP


def digest_bytes(digest: int) -> bytes:
    """As it travels: 16 bytes, big-endian."""
    return digest.to_bytes(CONTENT_DIGEST_BYTES, "big")
