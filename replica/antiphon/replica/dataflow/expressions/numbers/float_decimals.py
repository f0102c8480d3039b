"""Between binary floats and decimals, each value rounded as PostgreSQL rounds it.

A decimal becomes the float nearest to it. A float becomes a decimal by its first fifteen
significant digits (six of a float of 32 bits), so that 1.005 is 1.005 and not what stands in its
bits, 1.00499999999999989...
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of, valid_of
from antiphon.protocol.schema import Type, TypeKind, arrow_type
from antiphon.replica.dataflow.expressions.numbers import decimals
from antiphon.replica.dataflow.expressions.numbers.exact_products import (
    Floats,
    Integers,
    nearest_integers,
    product,
)
from antiphon.replica.dataflow.expressions.vector import Mask

DIGITS: Final = {TypeKind.FLOAT32: 6, TypeKind.FLOAT64: 15}
_EXACT_INTEGER: Final = 2**53  # from there on a float has not every integer
_EXACT_POWER: Final = 22  # 10 ** 22 is the last power of ten that a float has
_POWERS: Final[Floats] = np.array([float(10**n) for n in range(_EXACT_POWER + 1)])
_INTEGER_POWERS: Final = 10 ** np.arange(19, dtype=np.int64)
_DECIMAL_POWERS: Final = pa.array([Decimal(10) ** n for n in range(39)], pa.decimal256(39, 0))


def nearest(array: pa.Array, target: Type) -> pa.Array:
    """Decimals of 128 bits as floats."""
    raw = np.frombuffer(array.buffers()[1], "<i8", 2 * len(array), 16 * array.offset)
    low, high = raw[0::2], raw[1::2]
    valid = valid_of(array)
    if valid is not None:
        low, high = np.where(valid, low, 0), np.where(valid, high, 0)
    scale = array.type.scale
    short = ((high == low >> 63) & (np.abs(low) <= _EXACT_INTEGER)).all()
    if short and target.kind is TypeKind.FLOAT64 and scale <= _EXACT_POWER:
        # Both are exact, so the quotient is rounded once.
        return array_of(low / _POWERS[scale], pa.float64(), valid)
    return array.cast(pa.string()).cast(arrow_type(target))


def rounded(values: Floats, valid: Mask | None, digits: int, scale: int) -> pa.Array:
    """Finite floats below 1e38 by their first significant digits, then rounded to a scale, half
    away from zero; a decimal of up to 76 digits."""
    # What is less than half of the last place is nothing, whatever its digits.
    values = np.where(np.abs(values) < 0.1 * 10.0**-scale, 0.0, values)
    coefficients, places = _significant(values, digits)
    shift = scale - places
    cut = _INTEGER_POWERS[np.clip(-shift, 0, 18)]
    size = np.where(shift < 0, (np.abs(coefficients) + cut // 2) // cut, np.abs(coefficients))
    kept = np.where(coefficients < 0, -size, size)
    grown = np.clip(shift, 0, 38)
    if not grown.any():
        return decimals.of_integers(kept, scale, valid)
    whole = array_of(kept, pa.int64(), valid).cast(pa.decimal128(19, 0))
    powers = _DECIMAL_POWERS.take(pa.array(np.where(size == 0, 0, grown)))
    found = pc.multiply(whole.cast(pa.decimal256(19, 0)), powers)
    return decimals.scaled(found, scale)


def _significant(values: Floats, digits: int) -> tuple[Integers, Integers]:
    """(coefficients, places): each value is its coefficient / 10 ** places, to so many digits,
    rounded half to even on what its bits say exactly."""
    size = np.abs(values)
    with np.errstate(divide="ignore"):
        exponents = np.where(size > 0, np.floor(np.log10(np.where(size > 0, size, 1.0))), 0.0)
    places = digits - 1 - exponents.astype(np.int64)
    near = np.abs(places) <= _EXACT_POWER
    places = np.where(near, places, 0)
    main, rest = _scaled_exactly(np.where(near, size, 0.0), places)
    # The logarithm may be off by one next to a power of ten.
    off = (main >= 10.0**digits).astype(np.int64) - ((main < 10.0 ** (digits - 1)) & (size > 0))
    if off.any():
        places = np.clip(places - off, -_EXACT_POWER, _EXACT_POWER)
        main, rest = _scaled_exactly(np.where(near, size, 0.0), places)
    coefficients = nearest_integers(main, rest)
    if not near.all():
        _by_row(size, ~near, digits, coefficients, places)
    return np.where(values < 0, -coefficients, coefficients), places


def _scaled_exactly(size: Floats, places: Integers) -> tuple[Floats, Floats]:
    """size * 10 ** places as a sum of two floats, the second of which says on which side of the
    first the product lies."""
    power = _POWERS[np.abs(places)]
    grown, error = product(size, power)
    quotient = size / power
    back, lost = product(quotient, power)
    remainder = (size - back) - lost
    grows = places >= 0
    return np.where(grows, grown, quotient), np.where(grows, error, remainder)


def _by_row(
    size: Floats, rows: Mask, digits: int, coefficients: Integers, places: Integers
) -> None:
    """Below 1e-8 or from 1e37 on, and rare: powers of ten there are no floats."""
    for row in np.flatnonzero(rows).tolist():
        text = f"{size[row]:.{digits - 1}e}"
        mantissa, exponent = text.split("e")
        coefficients[row] = int(mantissa.replace(".", ""))
        places[row] = digits - 1 - int(exponent)
