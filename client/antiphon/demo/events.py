"""The year as a stream of events, in the order in which they happened.

A flight is scheduled a day ahead; later it departs and arrives, or it is cancelled when it should
have left. Each event is an upsert of the flight's whole row into the feed, keyed by its id. The
arrival's moment is the departure plus the time in the air, because the data has arrivals in local
times of the destination only. Flights that were diverted never arrive: the data does not say when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

STATES: Final = ("scheduled", "departed", "arrived", "cancelled")
SCHEDULED, DEPARTED, ARRIVED, CANCELLED = range(4)

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
AHEAD_US: Final = 24 * HOUR_US

# What is known of a flight only once it has departed, or arrived.
_KNOWN_FROM: Final = {
    "dep_delay": (DEPARTED, ARRIVED),
    "arr_delay": (ARRIVED,),
    "air_time": (ARRIVED,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """All events in order: event `i` puts flight row `row[i]` into `state[i]` at `moment_us[i]`."""

    flights: pa.Table
    row: np.ndarray  # int64
    state: np.ndarray  # int8: index into STATES
    moment_us: np.ndarray  # int64, microseconds since 1970 in UTC, never decreasing

    @classmethod
    def of(cls, flights: pa.Table) -> Self:
        """O(flights · log flights)."""
        scheduled_us = _integers(flights["scheduled"].cast(pa.int64()))
        departed = flights["dep_delay"].is_valid().to_numpy()
        arrived = flights["air_time"].is_valid().to_numpy() & departed
        departure_us = scheduled_us + _integers(flights["dep_delay"]) * MINUTE_US
        arrival_us = departure_us + _integers(flights["air_time"]) * MINUTE_US
        parts = [
            (SCHEDULED, np.ones(len(flights), bool), scheduled_us - AHEAD_US),
            (DEPARTED, departed, departure_us),
            (ARRIVED, arrived, arrival_us),
            (CANCELLED, ~departed, scheduled_us),
        ]
        rows = np.concatenate([np.flatnonzero(mask) for _, mask, _ in parts])
        moments_us = np.concatenate([moment[mask] for _, mask, moment in parts])
        states = np.concatenate(
            [np.full(int(mask.sum()), state, np.int8) for state, mask, _ in parts]
        )
        order = np.lexsort((rows, states, moments_us))
        return cls(
            flights=flights, row=rows[order], state=states[order], moment_us=moments_us[order]
        )

    def __len__(self) -> int:
        return len(self.row)

    def table(self, start: int, stop: int) -> pa.Table:
        """Events start <= i < stop as rows of the feed."""
        return self._rows(np.arange(start, min(stop, len(self))))

    def state_after(self, count: int) -> pa.Table:
        """The feed's content after the first `count` events: the last row of every flight seen."""
        reversed_rows = self.row[:count][::-1]
        _, last = np.unique(reversed_rows, return_index=True)
        return self._rows(count - 1 - last)

    def _rows(self, index: np.ndarray) -> pa.Table:
        base = self.flights.take(pa.array(self.row[index]))
        state = self.state[index]
        for name, known in _KNOWN_FROM.items():
            hidden = pa.array(~np.isin(state, known))
            column = base.column(name).combine_chunks()
            masked = pc.if_else(hidden, pa.scalar(None, column.type), column)
            base = base.set_column(base.column_names.index(name), name, masked)
        names = pa.array(STATES).take(pa.array(state))
        moments = pa.array(self.moment_us[index], pa.timestamp("us"))
        return base.append_column("state", names).append_column("updated", moments)


def _integers(column: pa.ChunkedArray) -> np.ndarray:
    """As int64, with 0 for null: only used where another column says it is there."""
    filled: np.ndarray = column.cast(pa.int64()).fill_null(0).to_numpy()
    return filled
