"""The comparison: every view against DuckDB, which computes it from scratch over the same data."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from antiphon.demo.views import View
from antiphon.protocol.delta import DIFF_COLUMN, TIME_COLUMN
from antiphon.protocol.errors import Unavailable

TOLERANCE: Final = 1e-9  # relative, for averages: the order of additions is not ours to fix
DIFFERENCES_MAX: Final = 10  # shown of one view
SUBSCRIPTION: Final = "subscription"  # in a verdict, in place of a replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One view on one replica at one time."""

    view: str
    replica: str
    rows: int
    differences: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        return not self.differences


class Oracle:
    """DuckDB over one state of the collections."""

    def __init__(self, collections: Mapping[str, pa.Table]) -> None:
        """Raises:
        Unavailable: DuckDB is not installed; says how to.
        """
        try:
            duckdb = importlib.import_module("duckdb")
        except ModuleNotFoundError:
            raise Unavailable(
                "the demo compares with DuckDB, which is missing: pip install 'antiphon[demo]'"
            ) from None
        self._connection: Any = duckdb.connect()
        for name, table in collections.items():
            self._connection.register(name, table)

    def expected(self, view: View) -> pa.Table:
        """The view's rows."""
        return self._connection.sql(view.query).to_arrow_table()

    def close(self) -> None:
        self._connection.close()


def compare(view: View, replica: str, actual: pa.Table, expected: pa.Table) -> Verdict:
    """Equal as multisets of rows; floating-point columns within the tolerance.

    Numbers are compared as decimals whatever their width, so an integer sum equals a wider one.
    """
    if actual.column_names != expected.column_names:
        text = f"columns {actual.column_names}, expected {expected.column_names}"
        return Verdict(view=view.name, replica=replica, rows=len(actual), differences=(text,))
    left, right = _sorted(actual, view.key), _sorted(expected, view.key)
    differences = []
    if len(left) != len(right):
        differences.append(f"{len(left)} rows, expected {len(right)}")
        differences += _unmatched(left, right, view.key)
    else:
        wrong = pa.array([False] * len(left), pa.bool_())
        for name in left.column_names:
            wrong = pc.or_(wrong, _differs(left[name], right[name]))
        for index in pc.indices_nonzero(wrong).to_pylist()[:DIFFERENCES_MAX]:
            differences.append(f"{_row(left, index)}, expected {_row(right, index)}")
    return Verdict(
        view=view.name,
        replica=replica,
        rows=len(actual),
        differences=tuple(differences[: DIFFERENCES_MAX + 1]),
    )


def compare_changes(view: View, batches: list[pa.Table], expected: pa.Table) -> Verdict:
    """What a subscription's batches add up to: a gap or a repeat leaves a row that is there too
    often, or less than not at all."""
    if not batches:
        return compare(view, SUBSCRIPTION, expected.slice(0, 0), expected)
    whole = pa.concat_tables(batches).combine_chunks()
    names = [n for n in whole.column_names if n not in (TIME_COLUMN, DIFF_COLUMN)]
    summed = whole.group_by(names).aggregate([(DIFF_COLUMN, "sum")])
    counts = summed[f"{DIFF_COLUMN}_sum"]
    # Every view has a key, so each row is there once or not at all.
    odd = summed.filter(pc.invert(pc.is_in(counts, pa.array([0, 1], pa.int64()))))
    verdict = compare(
        view, SUBSCRIPTION, summed.filter(pc.equal(counts, 1)).select(names), expected
    )
    problems = tuple(f"summed up: {row}" for row in odd.slice(0, DIFFERENCES_MAX).to_pylist())
    return replace(verdict, differences=problems + verdict.differences)


def _sorted(table: pa.Table, key: tuple[str, ...]) -> pa.Table:
    names = (*key, *(n for n in table.column_names if n not in key))
    return table.combine_chunks().sort_by([(name, "ascending") for name in names])


def _differs(left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.Array:
    """Row by row, whether the values are not the same; null is the same as null."""
    one, two = left.combine_chunks(), right.combine_chunks()
    if _is_number(one.type) and _is_number(two.type):
        if pa.types.is_floating(one.type) or pa.types.is_floating(two.type):
            one, two = one.cast(pa.float64()), two.cast(pa.float64())
            close = pc.less_equal(
                pc.abs(pc.subtract(one, two)),
                pc.multiply(TOLERANCE, pc.max_element_wise(pc.abs(one), pc.abs(two), 1.0)),
            )
            return _unequal(one, two, close)
        if one.type != two.type:
            one, two = _as_decimal(one), _as_decimal(two)
    else:
        two = two.cast(one.type)
    return _unequal(one, two, pc.equal(one, two))


def _unequal(one: pa.Array, two: pa.Array, same: pa.Array) -> pa.Array:
    both_null = pc.and_(one.is_null(), two.is_null())
    return pc.invert(pc.or_(both_null, same.fill_null(False)))


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _as_decimal(values: pa.Array) -> pa.Array:
    scale = values.type.scale if pa.types.is_decimal(values.type) else 0
    return values.cast(pa.decimal128(38, scale)).cast(pa.decimal256(70, 20))


def _unmatched(left: pa.Table, right: pa.Table, key: tuple[str, ...]) -> list[str]:
    ours = {tuple(row.values()) for row in left.select(list(key)).to_pylist()}
    theirs = {tuple(row.values()) for row in right.select(list(key)).to_pylist()}
    return [f"not expected: {row}" for row in sorted(map(repr, ours - theirs))[:5]] + [
        f"missing: {row}" for row in sorted(map(repr, theirs - ours))[:5]
    ]


def _row(table: pa.Table, index: int) -> dict[str, Any]:
    row: dict[str, Any] = {name: table[name][index].as_py() for name in table.column_names}
    return row
