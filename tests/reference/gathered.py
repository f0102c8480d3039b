"""Aggregates that are made of all values of a group, one value after another."""

import math
from collections import Counter
from fractions import Fraction
from functools import cmp_to_key, reduce
from operator import and_, or_, xor

from antiphon.protocol.plan import AggregateFunction as F

BITS = {F.BIT_AND: and_, F.BIT_OR: or_, F.BIT_XOR: xor}
MOMENTS = (F.VAR_SAMP, F.VAR_POP, F.STDDEV_SAMP, F.STDDEV_POP)


def gathered(spec, values, compare):
    """The aggregate of values (nulls only for lists); None: of none. `compare`: SQL's order."""
    if spec.function in MOMENTS:
        return moment(spec.function, values)
    if spec.function in BITS:
        return reduce(BITS[spec.function], values)
    if spec.order_by and spec.order_by[0].descending:  # by the value itself
        nulls = [v for v in values if v is None]
        rest = sorted((v for v in values if v is not None), key=cmp_to_key(compare), reverse=True)
        values = nulls + rest if spec.order_by[0].nulls_first else rest + nulls
    else:
        nulls = [v for v in values if v is None]
        values = sorted((v for v in values if v is not None), key=cmp_to_key(compare)) + nulls
    match spec.function:
        case F.ARRAY_AGG:
            return tuple(values)
        case F.STRING_AGG:
            return spec.arguments[1].value.join(values)
        case F.MODE:
            counts = Counter(values)
            return next(v for v in values if counts[v] == max(counts.values()))
        case F.PERCENTILE_DISC:
            return values[max(math.ceil(spec.arguments[1].value * len(values)) - 1, 0)]
        case F.PERCENTILE_CONT:
            return percentile(values, spec.arguments[1].value)
    raise AssertionError(spec)


def percentile(values, fraction):
    place = fraction * (len(values) - 1)
    first, last = math.floor(place), math.ceil(place)
    low, high = values[first], values[last]
    if low == high:
        return low
    if "NaN" in (low, high):
        return math.nan
    return low + (place - first) * (high - low)


def moment(function, values):
    count = len(values)
    sampled = function in (F.VAR_SAMP, F.STDDEV_SAMP)
    if sampled and count < 2:
        return None
    if any(value == "NaN" or math.isinf(value) for value in values):
        return math.nan
    exact = [Fraction(value) for value in values]
    whole = count * sum(value**2 for value in exact) - sum(exact) ** 2
    # Rounded twice: the exact numerator, and the quotient. OverflowError: out of range.
    variance = float(whole) / float(count * (count - sampled))
    return variance if function in (F.VAR_SAMP, F.VAR_POP) else math.sqrt(variance)
