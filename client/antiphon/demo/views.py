"""What the demo creates: tables, a feed, and views over them, in SQL that DuckDB runs as well.

The same text of a view's query goes to both systems, so the comparison in the end cannot drift from
what was shown. Sums and counts are of integers and therefore exact; the two averages are compared
within a relative tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TABLES: Final = {
    "airlines": "CREATE TABLE airlines (carrier text PRIMARY KEY, name text)",
    "airports": (
        "CREATE TABLE airports (faa text PRIMARY KEY, name text,"
        " lat double precision, lon double precision)"
    ),
    "planes": (
        "CREATE TABLE planes (tailnum text PRIMARY KEY, built integer, manufacturer text,"
        " model text, seats integer)"
    ),
    "weather": (
        "CREATE TABLE weather (origin text, hour timestamp, temp numeric(8,2),"
        " wind_speed numeric(8,2), precip numeric(8,2), visib numeric(8,2),"
        " PRIMARY KEY (origin, hour))"
    ),
}
FEED: Final = "flights"
CREATE_FEED: Final = """
CREATE FEED flights (
  id bigint, carrier text, flight integer, tailnum text, origin text, dest text,
  scheduled timestamp, hour timestamp, distance integer,
  dep_delay integer, arr_delay integer, air_time integer,
  state text, updated timestamp,
  PRIMARY KEY (id)
)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`index`: key columns of an index that keeps a plain view fresh; None: the view is
    materialized. `key`: columns that identify a row, for comparing and for showing differences."""

    name: str
    query: str
    key: tuple[str, ...]
    index: str | None = None

    def statements(self) -> tuple[str, ...]:
        """What creates it."""
        if self.index is None:
            return (f"CREATE MATERIALIZED VIEW {self.name} AS {self.query}",)
        return (
            f"CREATE VIEW {self.name} AS {self.query}",
            f"CREATE INDEX {self.name}_by ON {self.name} ({self.index})",
        )


def _board(origin: str) -> str:
    return f"""(
  SELECT origin, scheduled, carrier, flight, dest FROM flights
  WHERE state = 'scheduled' AND origin = '{origin}'
  ORDER BY scheduled, id LIMIT 10
)"""


VIEWS: Final = (
    # How late flights leave, by airline and weather: flights x airlines x weather.
    View(
        name="delays_by_weather",
        key=("airline", "conditions"),
        query="""
SELECT a.name AS airline, w.conditions,
  count(*) AS departures, sum(f.dep_delay) AS minutes_late, max(f.dep_delay) AS worst,
  avg(w.temp) AS mean_temp
FROM flights f
JOIN airlines a ON f.carrier = a.carrier
JOIN (
  SELECT origin, hour, temp,
    CASE WHEN precip > 0 THEN 'wet' WHEN wind_speed >= 20 THEN 'windy' ELSE 'calm' END
      AS conditions
  FROM weather
) w ON f.origin = w.origin AND f.hour = w.hour
WHERE f.dep_delay IS NOT NULL
GROUP BY a.name, w.conditions""",
    ),
    # The ten routes that lost most minutes in all.
    View(
        name="worst_routes",
        key=("origin", "dest"),
        query="""
SELECT origin, dest, count(*) AS arrivals, sum(arr_delay) AS minutes_late
FROM flights WHERE state = 'arrived'
GROUP BY origin, dest
ORDER BY minutes_late DESC, origin, dest LIMIT 10""",
    ),
    # The hall's big board: where all flights of an airport stand.
    View(
        name="airport_board",
        key=("origin",),
        index="origin",
        query="""
SELECT origin,
  count(*) FILTER (WHERE state = 'scheduled') AS scheduled,
  count(*) FILTER (WHERE state = 'departed') AS in_the_air,
  count(*) FILTER (WHERE state = 'arrived') AS arrived,
  count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
  max(updated) AS updated
FROM flights GROUP BY origin""",
    ),
    # Its small one: what leaves next.
    View(
        name="next_departures",
        key=("origin", "scheduled", "carrier", "flight"),
        query=" UNION ALL ".join(_board(origin) for origin in ("EWR", "JFK", "LGA")),
    ),
    View(
        name="on_time",
        key=("airline",),
        index="airline",
        query="""
SELECT a.name AS airline, count(*) AS arrivals,
  count(*) FILTER (WHERE f.arr_delay <= 15) AS on_time,
  min(f.arr_delay) AS earliest, avg(f.arr_delay) AS mean_delay
FROM flights f JOIN airlines a ON f.carrier = a.carrier
WHERE f.state = 'arrived'
GROUP BY a.name""",
    ),
    View(
        name="hourly",
        key=("origin", "hour"),
        query="""
SELECT origin, hour, count(*) AS flights, count(dep_delay) AS departures,
  sum(dep_delay) AS minutes_late, count(*) FILTER (WHERE state = 'cancelled') AS cancelled
FROM flights GROUP BY origin, hour""",
    ),
    # Aircraft that flew, by manufacturer; some tail numbers are in no register.
    View(
        name="fleet",
        key=("manufacturer",),
        index="manufacturer",
        query="""
SELECT coalesce(p.manufacturer, 'unknown') AS manufacturer,
  count(*) AS flights, count(DISTINCT f.tailnum) AS planes,
  sum(f.distance) AS miles, sum(p.seats) AS seats
FROM flights f LEFT JOIN planes p ON f.tailnum = p.tailnum
WHERE f.state = 'departed' OR f.state = 'arrived'
GROUP BY coalesce(p.manufacturer, 'unknown')""",
    ),
    # Every flight in the air, to look up by destination.
    View(
        name="in_the_air",
        key=("id",),
        index="dest",
        query="""
SELECT f.id, f.carrier, f.flight, f.origin, f.dest, p.name AS airport, f.dep_delay, f.updated
FROM flights f LEFT JOIN airports p ON f.dest = p.faa
WHERE f.state = 'departed'""",
    ),
)
