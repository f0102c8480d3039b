"""AT TIME ZONE: what clocks show somewhere, and which instant that was.

As in PostgreSQL, a time that clocks skip is read by the offset before the change, and one that they
show twice is the later of the two. The rules are those of the system's time zone database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from zoneinfo import ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of, values_of
from antiphon.protocol.expression import Call
from antiphon.protocol.schema import TypeKind
from antiphon.protocol.zone_names import iana_name
from antiphon.replica.dataflow.expressions.frame import Frame, fail_valid
from antiphon.replica.dataflow.expressions.times.temporal import OVERFLOW
from antiphon.replica.dataflow.expressions.times.zone_rules import RULES_BEGIN, rules_of
from antiphon.replica.dataflow.expressions.vector import Mask, Vector, both_valid

Instants = npt.NDArray[np.int64]

# From year 1 to year 9999, less a day on each side: beyond, no zone has rules.
_FIRST: Final = -62_135_510_400_000_000
_LAST: Final = 253_402_214_400_000_000


def _at_zone(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """timezone(zone, timestamptz) is a timestamp, timezone(zone, timestamp) a timestamptz."""
    zone, value = arguments[0].literal, arguments[1]
    assert zone is not None, "the zone is a literal"
    given = _bounded(frame, call, value, value.valid)
    is_instant = value.type.kind is TypeKind.TIMESTAMPTZ
    found = _known(given, str(zone.value), is_instant=is_instant)
    if found is None:
        # The planner knew it: this machine's database is another one.
        every = np.ones(frame.count, np.bool_)
        _fail_unknown(frame, call, every, value.valid, str(zone.value))
        found = given
    return Vector.of_values(call.type, found, value.valid)


def _at_zones(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """timezone_of(zone, time): the same by each row's own zone."""
    zones, value = arguments
    valid = both_valid(zones, value)
    given = _bounded(frame, call, value, valid)
    found = given.copy()
    encoded = zones.array.dictionary_encode()
    codes = values_of(encoded.indices.fill_null(-1))
    for code, zone in enumerate(encoded.dictionary.to_pylist()):
        rows = codes == code
        name = iana_name(zone)
        is_instant = value.type.kind is TypeKind.TIMESTAMPTZ
        read = None if name is None else _known(given[rows], name, is_instant=is_instant)
        if read is None:
            _fail_unknown(frame, call, rows, valid, zone)
        else:
            found[rows] = read
    return Vector.of_values(call.type, found, valid)


def _bounded(frame: Frame, call: Call, value: Vector, valid: Mask | None) -> Instants:
    """The times, 0 instead of those for which no zone has rules; these fail."""
    inside = (value.values >= _FIRST) & (value.values <= _LAST)
    fail_valid(frame, call, ~inside, valid, OVERFLOW, f"{value.type} out of range")
    return np.where(inside, value.values, 0)


def _known(times: Instants, zone: str, *, is_instant: bool) -> Instants | None:
    """As `_read`; None: there is no such zone."""
    try:
        return _read(times, zone, is_instant=is_instant)
    except (pa.ArrowInvalid, ZoneInfoNotFoundError):
        return None


def _fail_unknown(frame: Frame, call: Call, rows: Mask, valid: Mask | None, zone: str) -> None:
    message = f'time zone "{zone}" is not known here'
    fail_valid(frame, call, rows, valid, "invalid_parameter_value", message)


def _read(times: Instants, zone: str, *, is_instant: bool) -> Instants:
    """Instants as what clocks show, or the other way round."""
    late = times >= RULES_BEGIN
    listed = np.where(late, 0, times)
    found = _shown(listed, zone) if is_instant else _was(listed, zone)
    if late.any():
        rules = rules_of(zone)
        found = found.copy()
        found[late] = rules.shown(times[late]) if is_instant else rules.instants(times[late])
    return found


def _shown(instants: Instants, zone: str) -> Instants:
    """What clocks in the zone show at these instants."""
    shown = pc.local_timestamp(array_of(instants, pa.timestamp("us", zone)))
    return _numbers(shown)


def _was(local: Instants, zone: str) -> Instants:
    """The instants at which clocks in the zone show this."""
    clocks = array_of(local, pa.timestamp("us"))
    near = pc.assume_timezone(clocks, zone, ambiguous="latest", nonexistent="earliest")
    # Of a time that is skipped, `near` is the last instant before; its offset is the one wanted.
    offset = _numbers(pc.local_timestamp(near)) - _numbers(near)
    return local - offset


def _numbers(array: pa.Array) -> Instants:
    return np.asarray(values_of(array.cast(pa.int64())), np.int64)


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "timezone": _at_zone,
    "timezone_of": _at_zones,
}
