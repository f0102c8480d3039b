"""The order of lists and structs, from the ranks of what is in them.

As in PostgreSQL: element by element, field by field; a null is above every value, and equal to
another null; a list is below those that it begins.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.columns.gather import Rows


def list_ranks(sizes: Rows, ranks: Words) -> Words:
    """Ranks of lists, from 0.

    Args:
        sizes: how many elements each list has.
        ranks: of all elements, one list behind the other; equal only where elements are.

    Neighbours are paired until one rank is left of each list: O(n log n) for n elements in all,
    however long the longest list is.
    """
    codes = _dense(ranks) + np.uint64(1)  # 0 stands for the end of a list
    while len(sizes) and int(sizes.max()) > 1:
        paired = (sizes + 1) >> 1
        starts = np.repeat(np.cumsum(sizes) - sizes, paired)
        place = np.arange(len(starts)) - np.repeat(np.cumsum(paired) - paired, paired)
        first = starts + 2 * place
        has_second = 2 * place + 1 < np.repeat(sizes, paired)
        second = np.where(has_second, codes[np.where(has_second, first + 1, 0)], np.uint64(0))
        codes = _paired(codes[first], second) + np.uint64(1)
        sizes = paired
    found = np.zeros(len(sizes), np.uint64)
    found[sizes > 0] = codes
    return found


def struct_ranks(fields: Sequence[Words]) -> Words:
    """Ranks of structs, from 0, by the ranks of their fields, the first the most significant."""
    found = _dense(fields[0])
    for field in fields[1:]:
        found = _paired(found, _dense(field))
    return found


def _paired(first: Words, second: Words) -> Words:
    """Ranks of pairs; the ranks of each side are below the number of rows, or near it."""
    width = np.uint64(int(second.max()) + 1 if len(second) else 1)
    return _dense(first * width + second)


def _dense(codes: Words) -> Words:
    """The same order in numbers from 0 without gaps."""
    return np.unique(codes, return_inverse=True)[1].reshape(-1).astype(np.uint64)
