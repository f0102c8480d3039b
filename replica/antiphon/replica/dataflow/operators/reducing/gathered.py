"""Aggregates that need the rows of their group: lists, percentiles, modes, bits.

The values of each group are arranged with what they are sorted by. A change makes the touched
groups be read and sorted once, and every aggregate is computed for the rows as they were and as
they are. Values of equal order follow each other by value, so the result depends on nothing but
the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of, values_of
from antiphon.protocol.errors import NotServed
from antiphon.protocol.expression import Literal
from antiphon.protocol.plan import Aggregate, AggregateFunction, SortKey
from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.arrangements.batch import Batch, build_batch
from antiphon.replica.dataflow.arrangements.spine import Spine, probe_keys
from antiphon.replica.dataflow.columns.equality import equal_rows
from antiphon.replica.dataflow.columns.gather import Rows, index_of, taken, taken_rows
from antiphon.replica.dataflow.columns.groups import Groups
from antiphon.replica.dataflow.columns.sort_codes import part_codes, sort_codes, sorted_rows
from antiphon.replica.dataflow.columns.zset import Diffs, Zset, concat_rows
from antiphon.replica.dataflow.operators.reducing.layout import AggregateInput

Mask = npt.NDArray[np.bool_]
_F = AggregateFunction
_BITS: Final = {
    _F.BIT_AND: np.bitwise_and,
    _F.BIT_OR: np.bitwise_or,
    _F.BIT_XOR: np.bitwise_xor,
}
GATHERED: Final = frozenset(
    {
        _F.STRING_AGG, _F.ARRAY_AGG, _F.PERCENTILE_CONT, _F.PERCENTILE_DISC, _F.MODE,
        *_BITS,
    }
)  # fmt: skip

_CONSTANTS: Final = {_F.STRING_AGG: str, _F.PERCENTILE_CONT: float, _F.PERCENTILE_DISC: float}


@dataclass(frozen=True, slots=True)
class Gathering:
    """What aggregates that may share an arrangement have in common: the value's column and those
    it is sorted by; `order_by` counts within `columns`, and ends with the value."""

    columns: tuple[int, ...]
    order_by: tuple[SortKey, ...]
    filter: int | None
    with_nulls: bool


def check_constant(aggregate: Aggregate) -> None:
    """
    Raises:
        NotServed: an argument that has to be a literal, and is none.
    """
    constant = aggregate.arguments[1] if len(aggregate.arguments) > 1 else None
    wanted = _CONSTANTS.get(aggregate.function)
    if wanted is not None and not (
        isinstance(constant, Literal) and isinstance(constant.value, wanted)
    ):
        name = aggregate.function.name.lower()
        raise NotServed(f"{name} without a literal as its second argument", function=name)


def gathering_of(source: AggregateInput) -> Gathering:
    """
    Raises:
        NotServed: an argument that has to be a literal, and is none.
    """
    assert source.argument is not None, "there is a value"
    check_constant(source.aggregate)
    columns = tuple(dict.fromkeys((source.argument, *(key.column for key in source.order_by))))
    keys = [replace(key, column=columns.index(key.column)) for key in source.order_by]
    if all(key.column != 0 for key in keys):
        keys.append(SortKey(column=0))
    nulls = source.aggregate.function is _F.ARRAY_AGG
    return Gathering(columns, tuple(keys), source.filter, nulls)


@dataclass(frozen=True, slots=True, eq=False)
class Sorted:
    """The distinct rows of some groups in order, as they are in one version. `sizes`: how many
    values each group has. `fresh`: the rows of other order than the one before; None: all."""

    values: pa.Array
    group: Rows
    counts: Diffs
    group_count: int
    fresh: Mask | None = None

    @property
    def sizes(self) -> Rows:
        found = np.zeros(self.group_count, np.int64)
        np.add.at(found, self.group, self.counts)
        return found

    def once(self) -> Sorted:
        return replace(self, counts=np.minimum(self.counts, 1))

    def equal_as_one(self) -> Sorted:
        """Of equal values that are not the same, the first that is there stands for all."""
        if self.fresh is None:
            return self
        there = np.flatnonzero(self.counts)
        runs = np.cumsum(self.fresh)[there]
        first = np.flatnonzero(np.diff(runs, prepend=-1))
        counts = np.add.reduceat(self.counts[there], first) if len(first) else self.counts[there]
        kept = there[first]
        return Sorted(
            taken(self.values, index_of(kept)), self.group[kept], counts, self.group_count
        )


class Gathered:
    """The rows of each group that its aggregates are made of. The arrangement holds the group's
    key columns, then the value, then what it is sorted by."""

    def __init__(self, key_count: int) -> None:
        self._key_count = key_count
        self._spine = Spine()
        self._pending: Batch | None = None

    def read(
        self,
        keys: Sequence[pa.Array],
        values: Sequence[pa.Array],
        diffs: Diffs,
        groups: Groups,
        place: Gathering,
        aggregates: Sequence[Aggregate],
    ) -> list[pa.Array]:
        """For each aggregate one value a group as it was, then one a group as it is now."""
        rows = np.flatnonzero(diffs)
        change = Zset((*keys, *values), diffs).take(rows)
        self._pending = build_batch(change.columns, change.diffs, range(self._key_count))
        own = Zset(change.columns[self._key_count :], change.diffs)
        old, old_groups = self._held(keys, groups)
        both = concat_rows([own] if old is None else [old, own])
        assert both is not None, "one part or two"
        group = np.concatenate([old_groups, groups.of_rows()[rows]])
        codes: list[Words] = []
        for key in place.order_by:
            column = both.columns[key.column]
            codes += sort_codes(column, descending=key.descending, nulls_first=key.nulls_first)
        parts = part_codes(both.columns[0])
        order = sorted_rows(group, [*codes, *parts])
        first = heads(order, [group, *codes, *parts])
        held = np.where(np.arange(len(group)) < len(old_groups), both.diffs, 0)
        chosen = order[first]
        column = taken(both.columns[0], index_of(chosen))
        fresh = None
        if parts:
            fresh = np.zeros(len(chosen), np.bool_)
            fresh[heads(chosen, [group, *codes])] = True
        versions = []
        for counted in (held, both.diffs):
            counts = np.add.reduceat(counted[order], first) if len(first) else counted
            counts = np.maximum(counts, 0)
            versions.append(Sorted(column, group[chosen], counts, len(groups), fresh))
        return [
            pa.concat_arrays([gathered_value(version, aggregate) for version in versions])
            for aggregate in aggregates
        ]

    def _held(self, keys: Sequence[pa.Array], groups: Groups) -> tuple[Zset | None, Rows]:
        """The rows held of all groups, without keys, and the group of each."""
        own = taken_rows(keys, groups.first_rows)
        parts, found = [], [np.zeros(0, np.int64)]
        for match in probe_keys(self._spine.batches, groups.low):
            others = match.batch.columns[: self._key_count]
            same = equal_rows(own, match.probes, others, match.rows)
            rows = match.rows if same is None else match.rows[same]
            found.append(match.probes if same is None else match.probes[same])
            part = Zset(match.batch.columns[self._key_count :], match.batch.diffs)
            parts.append(part.take(rows))
        return concat_rows(parts), np.concatenate(found)

    def commit(self) -> None:
        if self._pending is not None:
            self._spine.insert(self._pending)
            self._pending = None

    def maintain(self, fuel_rows: int) -> bool:
        return self._spine.maintain(fuel_rows)

    @property
    def state_rows(self) -> int:
        return self._spine.row_count

    @property
    def state_bytes(self) -> int:
        return self._spine.byte_count


def heads(order: Rows, words: Sequence[np.ndarray[tuple[int], np.dtype[np.generic]]]) -> Rows:
    """Where, in order, a row differs from the one before it in any of these."""
    fresh = np.zeros(len(order), np.bool_)
    fresh[:1] = True
    for word in words:
        ordered = word[order]
        fresh[1:] |= ordered[1:] != ordered[:-1]
    return np.flatnonzero(fresh)


def gathered_value(rows: Sorted, aggregate: Aggregate) -> pa.Array:
    """One value for each group; null for a group without any."""
    if aggregate.distinct or aggregate.function in (_F.MODE, _F.PERCENTILE_DISC):
        rows = rows.equal_as_one()
    if aggregate.distinct:
        rows = rows.once()
    match aggregate.function:
        case _F.ARRAY_AGG:
            return _lists(rows)
        case _F.STRING_AGG:
            separator = constant_of(aggregate)
            return pc.binary_join(_lists(rows), pa.scalar(separator, pa.string()))
        case _F.MODE:
            return _mode(rows)
        case _F.PERCENTILE_CONT:
            return _interpolated(rows, constant_of(aggregate))
        case _F.PERCENTILE_DISC:
            sizes = rows.sizes
            place = np.ceil(constant_of(aggregate) * sizes).astype(np.int64) - 1
            return taken(rows.values, _places(rows, np.maximum(place, 0), sizes))
        case _:
            return _bits(rows, aggregate.function)


def constant_of(aggregate: Aggregate) -> float | str:
    literal = aggregate.arguments[1]
    assert isinstance(literal, Literal), "checked when the operator was made"
    assert isinstance(literal.value, float | str), "checked when the operator was made"
    return literal.value


def _lists(rows: Sorted) -> pa.Array:
    """The values of each group, each as often as it is there."""
    copies = np.repeat(np.arange(len(rows.counts)), rows.counts)
    sizes = rows.sizes
    offsets = np.zeros(rows.group_count + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    missing = np.append(sizes == 0, False)
    ends = pa.array(offsets, mask=missing) if missing.any() else pa.array(offsets)
    return pa.ListArray.from_arrays(ends, taken(rows.values, index_of(copies)))


def _places(rows: Sorted, number: Rows, sizes: Rows) -> pa.Array:
    """The row that has the place `number`, from 0, in each group; null in an empty group."""
    ends = np.cumsum(rows.counts)
    before = np.cumsum(sizes) - sizes
    some = sizes > 0
    found = np.searchsorted(ends, np.where(some, before + number, 0), "right")
    return array_of(np.where(some, found, 0), pa.int64(), some)


def _interpolated(rows: Sorted, fraction: float | str) -> pa.Array:
    assert isinstance(fraction, float), "a percentile has a fraction"
    sizes = rows.sizes
    exact = fraction * np.maximum(sizes - 1, 0)
    first, last = np.floor(exact).astype(np.int64), np.ceil(exact).astype(np.int64)
    lower = taken(rows.values, _places(rows, first, sizes))
    upper = taken(rows.values, _places(rows, last, sizes))
    low, high = values_of(lower), values_of(upper)
    with np.errstate(invalid="ignore", over="ignore"):
        between = low + (exact - first) * (high - low)
    # Infinities of the same sign have no difference.
    values = np.where((first == last) | (low == high), low, between)
    return array_of(np.ascontiguousarray(values), pa.float64(), sizes > 0)


def _mode(rows: Sorted) -> pa.Array:
    """The value that is there most often; of several the first."""
    most = np.zeros(rows.group_count, np.int64)
    np.maximum.at(most, rows.group, rows.counts)
    best = np.flatnonzero((rows.counts == most[rows.group]) & (rows.counts > 0))[::-1]
    chosen = np.zeros(rows.group_count, np.int64)
    chosen[rows.group[best]] = best  # the last write wins: the first in order
    return taken(rows.values, array_of(chosen, pa.int64(), most > 0))


def _bits(rows: Sorted, function: AggregateFunction) -> pa.Array:
    counts = rows.counts & 1 if function is _F.BIT_XOR else rows.counts
    kept = np.flatnonzero(counts > 0)
    values = values_of(rows.values)
    start = -1 if function is _F.BIT_AND else 0
    found = np.full(rows.group_count, start, values.dtype)
    _BITS[function].at(found, rows.group[kept], values[kept])
    return array_of(found, rows.values.type, rows.sizes > 0)
