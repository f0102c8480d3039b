"""Aggregates that follow a group by adding and subtracting, without reading its other rows.

Each owns some columns of the group's numbers, besides the count of values that are not null, which
the layout keeps. Sums are exact: integers and decimals in limbs, floats in a fixed-point window as
wide as the values need. So a sum does not drift, does not depend on the order of changes, and
returns to where it was when a row is taken back.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import array_of, values_of
from antiphon.protocol.plan import Aggregate, AggregateFunction
from antiphon.protocol.schema import DECIMAL_PRECISION_MAX, Type, TypeKind, arrow_type
from antiphon.replica.dataflow.arrangements.group_table import Numbers
from antiphon.replica.dataflow.columns import limbs as limb
from antiphon.replica.dataflow.expressions.frame import OUT_OF_RANGE, Frame, out_of_range
from antiphon.replica.dataflow.expressions.numbers import decimals
from antiphon.replica.dataflow.expressions.vector import Mask

_INT64: Final = pa.int64()
_SIGNED: Final = {TypeKind.INT16: pa.int16(), TypeKind.INT32: pa.int32(), TypeKind.INT64: _INT64}
_SUM_MAX: Final = 1 << 62
_INT64_LIMBS: Final = 2
_DECIMAL_LIMBS: Final = 4
# Of one sum or average: beyond it a limb might not hold what a change adds, nor a divisor.
SUMMED_VALUES_MAX: Final = 1 << 30


class Accumulator:
    """count: nothing but how many values there are, which is not its own."""

    width = 0  # of its own numbers
    adds_values = False  # else it only counts

    def __init__(self, aggregate: Aggregate) -> None:
        self.aggregate = aggregate
        self.type = aggregate.type

    @property
    def is_one_number(self) -> bool:
        """Whether the result says one number, its own or the count: where that differs, it does."""
        return self.width == 0

    @property
    def is_the_number(self) -> bool:
        """Whether the result is its own number as it stands."""
        return self.width == 1 and self.is_one_number and self.type.kind is TypeKind.INT64

    def read(self, column: pa.Array) -> Any:
        """An argument's values, as `room_for` and `contribute` take them."""
        return column

    def contribute(self, values: Any, diffs: Numbers, out: Numbers) -> None:
        """What each row adds. `diffs` is 0 where the value is null or does not count."""

    def normalise(self, numbers: Numbers) -> None:
        return

    def finish(
        self, count: Numbers, valid: Mask | None, numbers: Numbers, frame: Frame
    ) -> pa.Array:
        """Each group's result; a group whose result is an error fails in the frame.

        `count`: of its values; `valid`: where it is not 0, None if everywhere.
        """
        return array_of(np.ascontiguousarray(count), _INT64)

    def room_for(self, values: Any, diffs: Numbers, norm: float) -> tuple[int, int]:
        """How many columns of state must be inserted (at the low end, at the high end) first.

        `norm`: of the diffs, or more.
        """
        return 0, 0

    def grow(self, low: int, high: int) -> int:
        """Take note of columns inserted; where the low ones go, relative to the first column."""
        raise AssertionError("this state has a fixed width")


class Booleans(Accumulator):
    """bool_and, bool_or: how many values are true."""

    width = 1

    def read(self, column: pa.Array) -> npt.NDArray[np.bool_]:
        return values_of(column)

    def contribute(self, values: npt.NDArray[np.bool_], diffs: Numbers, out: Numbers) -> None:
        np.multiply(diffs, values, out[:, 0])

    def finish(
        self, count: Numbers, valid: Mask | None, numbers: Numbers, frame: Frame
    ) -> pa.Array:
        true = numbers[:, 0]
        every = self.aggregate.function is AggregateFunction.BOOL_AND
        return array_of(true == count if every else true > 0, pa.bool_(), valid)


class Integers(Accumulator):
    """sum and avg of integers and decimals.

    The sum is one number while no group's can have left 64 bits, for which the largest that all
    changes so far could make of it is known; from then on, as many limbs as the type can need.
    """

    adds_values = True

    def __init__(self, aggregate: Aggregate) -> None:
        super().__init__(aggregate)
        source = aggregate.arguments[0].type
        self._source = source
        self._is_decimal = source.kind is TypeKind.DECIMAL
        # Of 16 and 32 bits, more rows than there can be would be needed to leave 64.
        self._bounded = self._is_decimal or source.kind is TypeKind.INT64
        self._bound = 0
        self._limbs = self.width = 1

    def read(self, column: pa.Array) -> npt.NDArray[Any]:
        """Integers, or the two halves of each decimal's coefficient."""
        return limb.words_of(column) if self._is_decimal else values_of(column)

    @property
    def is_one_number(self) -> bool:
        return self._limbs == 1 and self.aggregate.function is AggregateFunction.SUM

    def room_for(self, values: npt.NDArray[Any], diffs: Numbers, norm: float) -> tuple[int, int]:
        if self._limbs > 1 or not self._bounded:
            return 0, 0
        if self._is_decimal:
            if not limb.fit_int64(values):
                return 0, _DECIMAL_LIMBS - 1
            values = values[:, 0]
        self._bound += limb.moved_at_most(limb.norm(values), norm)
        if self._bound < _SUM_MAX:
            return 0, 0
        return 0, (_DECIMAL_LIMBS if self._is_decimal else _INT64_LIMBS) - 1

    def grow(self, low: int, high: int) -> int:
        self._limbs = self.width = self._limbs + high
        return 0

    def contribute(self, values: npt.NDArray[Any], diffs: Numbers, out: Numbers) -> None:
        if self._limbs == 1:
            np.multiply(values[:, 0] if self._is_decimal else values, diffs, out[:, 0])
            return
        if self._is_decimal:
            limb.split_words(values, out)
        else:
            limb.split_int64(values, out)
        out *= diffs[:, None]

    def normalise(self, numbers: Numbers) -> None:
        if self._limbs > 1:
            limb.normalise(numbers)

    def finish(
        self, count: Numbers, valid: Mask | None, numbers: Numbers, frame: Frame
    ) -> pa.Array:
        total = numbers
        if self.aggregate.function is AggregateFunction.AVG:
            return self._average(count, total, valid, frame)
        if self.type.is_integer and self._limbs <= 2:
            values, wrong = limb.to_int64(total)
            if self.type.kind is not TypeKind.INT64:
                narrow = values.astype(f"i{_width(self.type)}")
                cut = np.not_equal(narrow, values)
                wrong = cut if wrong is None else cut | wrong
                values = narrow
            if wrong is not None:
                frame.fail(wrong, OUT_OF_RANGE, out_of_range(self.type), "sum")
            return array_of(values, _SIGNED[self.type.kind], valid)
        if self.type.is_float:
            floats = limb.to_float(total, 0) / 10.0**self._source.scale
            return _floats(floats, self.type, valid)
        if self._limbs <= 2 and self.type.precision == DECIMAL_PRECISION_MAX:
            values, wrong = limb.to_int64(total)
            if wrong is None and self.type.scale == self._source.scale:
                return limb.decimal128_of(values, arrow_type(self.type), valid)
        exact = limb.to_decimal256(total, self._source.scale, valid)
        return decimals.fit(frame, "sum", exact, self.type).array

    def _average(
        self, count: Numbers, total: Numbers, valid: Mask | None, frame: Frame
    ) -> pa.Array:
        some = np.maximum(count, 1)
        if self.type.is_float:
            floats = limb.to_float(total, 0) / some / 10.0**self._source.scale
            return _floats(floats, self.type, valid)
        assert self.type.kind is TypeKind.DECIMAL, f"avg of type {self.type}"
        assert int(some.max(initial=1)) < SUMMED_VALUES_MAX, "refused before"
        size, negative = limb.magnitude(total)
        extra = self.type.scale - self._source.scale
        scale = max(self.type.scale, self._source.scale)
        if extra < 0:  # digits to spare: cut here, round below, so that it is rounded once
            exact = limb.divided(size, some, rounding=False)
        else:
            exact = limb.divided(limb.times_power_of_ten(size, extra), some, rounding=True)
        # A quotient beyond seven limbs is far beyond any decimal.
        wide = np.asarray(exact[:, 7:].any(axis=1))
        frame.fail(wide, OUT_OF_RANGE, out_of_range(self.type), "avg")
        exact = exact[:, :7]
        exact[wide] = 0
        exact[negative] = -exact[negative]
        limb.normalise(exact)
        return decimals.fit(frame, "avg", limb.to_decimal256(exact, scale, valid), self.type).array


class Floats(Accumulator):
    """sum and avg of floats, exact: a window of limbs that grows to hold every bit it has met.

    NaN and the infinities are counted apart: they too can be taken back.
    """

    adds_values = True
    _SPECIALS = 3  # NaN, +inf, -inf

    def __init__(self, aggregate: Aggregate) -> None:
        super().__init__(aggregate)
        self._exponent = -64  # of the window's lowest bit
        self._limbs = 6  # up to 2^96, and a limb for sign and carries
        self.width = self._SPECIALS + self._limbs

    def read(self, column: pa.Array) -> npt.NDArray[np.float64]:
        values: npt.NDArray[np.float64] = values_of(column).astype(np.float64, copy=False)
        return values

    def room_for(
        self, values: npt.NDArray[np.float64], diffs: Numbers, norm: float
    ) -> tuple[int, int]:
        values = values[diffs != 0]
        size = np.abs(values[np.isfinite(values)])
        size = size[size > 0]
        if len(size) == 0:
            return 0, 0
        lowest = int(np.frexp(size.min())[1]) - 53
        highest = int(np.frexp(size.max())[1])
        low = max(0, -((lowest - self._exponent) // limb.LIMB_BITS))
        top = self._exponent + limb.LIMB_BITS * (self._limbs - 1)
        high = max(0, -((top - highest) // limb.LIMB_BITS))
        return low, high

    def grow(self, low: int, high: int) -> int:
        self._exponent -= limb.LIMB_BITS * low
        self._limbs += low + high
        self.width = self._SPECIALS + self._limbs
        return self._SPECIALS

    def contribute(self, values: npt.NDArray[np.float64], diffs: Numbers, out: Numbers) -> None:
        finite = np.isfinite(values)
        out[:, 0] = np.where(np.isnan(values), diffs, 0)
        out[:, 1] = np.where(values == np.inf, diffs, 0)
        out[:, 2] = np.where(values == -np.inf, diffs, 0)
        window = out[:, self._SPECIALS :]
        window[:] = 0
        fraction, exponent = np.frexp(np.where(finite & (diffs != 0), values, 0.0))
        mantissa = np.ldexp(fraction, 53).astype(np.int64)
        position = exponent.astype(np.int64) - 53 - self._exponent
        position[mantissa == 0] = 0
        assert int(position.min(initial=0)) >= 0, "the window has room for every bit"
        place, shift = position >> 5, position & 31
        sign = np.where(mantissa < 0, -diffs, diffs)
        size = np.abs(mantissa)
        # size < 2^53, so size << shift spans up to three limbs.
        low = (size & 0xFFFFFFFF) << shift
        middle = ((size >> 32) << shift) + (low >> 32)
        rows = np.arange(len(values))
        window[rows, place] = (low & 0xFFFFFFFF) * sign
        window[rows, place + 1] += (middle & 0xFFFFFFFF) * sign
        beyond = middle >> 32
        some = beyond != 0
        window[rows[some], place[some] + 2] += beyond[some] * sign[some]

    def normalise(self, numbers: Numbers) -> None:
        limb.normalise(numbers[:, self._SPECIALS :])

    def finish(
        self, count: Numbers, valid: Mask | None, numbers: Numbers, frame: Frame
    ) -> pa.Array:
        total = limb.to_float(numbers[:, self._SPECIALS :], self._exponent)
        average = self.aggregate.function is AggregateFunction.AVG
        name = "avg" if average else "sum"
        nan, up, down = (numbers[:, i] > 0 for i in range(self._SPECIALS))
        special = nan | up | down
        frame.fail(
            np.isinf(total) & ~special & (count > 0), OUT_OF_RANGE, out_of_range(self.type), name
        )
        if average:
            total = total / np.maximum(count, 1)
        if special.any():
            total = np.where(up, np.inf, np.where(down, -np.inf, total))
            total = np.where(nan | (up & down), np.nan, total)
        return _floats(total, self.type, valid)


def _floats(values: npt.NDArray[np.float64], kind: Type, valid: Mask | None) -> pa.Array:
    # There is one zero: a negative sum or quotient that is too small for the type is not -0.0.
    if kind.kind is TypeKind.FLOAT32:
        return array_of(values.astype(np.float32) + np.float32(0), pa.float32(), valid)
    assert kind.kind is TypeKind.FLOAT64, f"a float aggregate of type {kind}"
    return array_of(np.ascontiguousarray(values + 0.0), pa.float64(), valid)


def _width(kind: Type) -> int:
    return {TypeKind.INT16: 2, TypeKind.INT32: 4, TypeKind.INT64: 8}[kind.kind]


class Intervals(Accumulator):
    """sum of intervals, by parts."""

    adds_values = True
    width = 3

    def read(self, column: pa.Array) -> npt.NDArray[Any]:
        return values_of(column)

    def contribute(self, values: npt.NDArray[Any], diffs: Numbers, out: Numbers) -> None:
        out[:, 0] = values["months"] * diffs
        out[:, 1] = values["days"] * diffs
        out[:, 2] = values["nanoseconds"] // 1000 * diffs

    def finish(
        self, count: Numbers, valid: Mask | None, numbers: Numbers, frame: Frame
    ) -> pa.Array:
        values = np.zeros(
            len(numbers), [("months", np.int32), ("days", np.int32), ("nanoseconds", np.int64)]
        )
        values["months"], values["days"] = numbers[:, 0], numbers[:, 1]
        values["nanoseconds"] = numbers[:, 2] * 1000
        wrong = (values["months"] != numbers[:, 0]) | (values["days"] != numbers[:, 1])
        wrong |= values["nanoseconds"] // 1000 != numbers[:, 2]
        frame.fail(wrong, OUT_OF_RANGE, out_of_range(self.type), "sum")
        return array_of(values, pa.month_day_nano_interval(), valid)


def accumulator_for(aggregate: Aggregate) -> Accumulator | None:
    """None: the aggregate needs the rows of its group."""
    match aggregate.function:
        case AggregateFunction.COUNT:
            return Accumulator(aggregate)
        case AggregateFunction.BOOL_AND | AggregateFunction.BOOL_OR:
            return Booleans(aggregate)
        case AggregateFunction.SUM | AggregateFunction.AVG:
            source = aggregate.arguments[0].type
            if source.is_float:
                return Floats(aggregate)
            if source.is_numeric:
                return Integers(aggregate)
            if source.kind is TypeKind.INTERVAL and aggregate.function is AggregateFunction.SUM:
                return Intervals(aggregate)
            return None
        case _:
            return None
