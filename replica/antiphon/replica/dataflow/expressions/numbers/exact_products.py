"""Products of floats with what rounding took from them, and whole numbers from such a pair."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_SPLITTER: Final = 2.0**27 + 1  # halves of 26 bits: all their products are exact


def product(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """The product as floats have it, and what is missing from it, exactly (Dekker)."""
    whole = left * right
    left_high, left_low = _halves(left)
    right_high, right_low = _halves(right)
    error = left_low * right_low - (
        ((whole - left_high * right_high) - left_low * right_high) - left_high * right_low
    )
    return whole, error


def _halves(values: Floats) -> tuple[Floats, Floats]:
    spread = values * _SPLITTER
    high = spread - (spread - values)
    return high, values - high


def nearest_integers(main: Floats, rest: Floats) -> Integers:
    """`main + rest` rounded half to even. `main` is positive and below 2**53, and `rest`, of which
    only the sign counts, is what it lacks."""
    floor = np.floor(main)
    above = main - floor - 0.5
    up = (above > 0) | ((above == 0) & ((rest > 0) | ((rest == 0) & (floor % 2 == 1))))
    nearest: Integers = (floor + up).astype(np.int64)
    return nearest
