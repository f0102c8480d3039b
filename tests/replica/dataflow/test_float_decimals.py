"""Floats and decimals into each other, against Python's, which round exactly."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

import numpy as np
import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from antiphon.protocol.schema import FLOAT32, FLOAT64
from antiphon.replica.dataflow.expressions.numbers import float_decimals

WIDE = Context(prec=120)
FLOATS = st.floats(-1e36, 1e36, allow_nan=False)
SHORT = st.decimals(-(10**9), 10**9, places=6).map(float)
TIES = st.integers(10**14, 10**15 - 1).map(lambda n: (2 * n + 1) / 2.0)
POWERS = st.integers(-30, 36).map(lambda n: 10.0**n)


@given(
    st.lists(FLOATS | SHORT | TIES | POWERS, min_size=1, max_size=20), st.sampled_from((0, 2, 10))
)
@example([123456789012344.5, 123456789012345.5, 9.9999999999999995, 1e15, 1e22], 0)
@example([2.675, 1.005, -1.005, 1e-12, 4.9e-11, 5e-11], 10)
def test_a_float_is_the_decimal_of_its_first_digits(values: list[float], scale: int) -> None:
    fitting = [value for value in values if abs(value) < 10.0 ** (38 - scale)]
    for digits in (6, 15):
        found = float_decimals.rounded(np.array(fitting), None, digits, scale)
        last = Decimal(1).scaleb(-scale)
        told = [Decimal(f"{value:.{digits - 1}e}") for value in fitting]
        wanted = [number.quantize(last, ROUND_HALF_UP, WIDE) for number in told]
        assert found.to_pylist() == wanted


@given(
    st.lists(st.none() | st.integers(-(10**38) + 1, 10**38 - 1), max_size=10)
    | st.lists(st.none() | st.integers(-(10**15), 10**15), max_size=10),
    st.sampled_from((0, 3, 22, 23, 38)),
)
def test_a_decimal_is_the_nearest_float(whole: list[int | None], scale: int) -> None:
    decimals = [None if n is None else Decimal(n).scaleb(-scale, WIDE) for n in whole]
    array = pa.array(decimals, pa.decimal128(38, scale))
    wanted = [None if number is None else float(number) for number in decimals]
    assert float_decimals.nearest(array, FLOAT64).to_pylist() == wanted


@given(st.lists(st.integers(-(10**20), 10**20), min_size=1, max_size=10))
def test_a_short_float_is_rounded_once(whole: list[int]) -> None:
    decimals = [Decimal(n).scaleb(-6, WIDE) for n in whole]
    found = float_decimals.nearest(pa.array(decimals, pa.decimal128(38, 6)), FLOAT32)
    for got, number in zip(found.to_pylist(), decimals, strict=True):
        value = np.float32(got)
        beside = (np.nextafter(value, np.float32(-np.inf)), np.nextafter(value, np.float32(np.inf)))
        near = abs(Decimal(float(value)) - number)
        assert all(near <= abs(Decimal(float(other)) - number) for other in beside)
