"""`antiphon demo`: sets everything up, runs it on stage, tells the outcome."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from typing import Any, Final

from antiphon.client import connect_async
from antiphon.demo.data import data_directory, read_year
from antiphon.demo.events import Events
from antiphon.demo.replay import Replay, Run
from antiphon.demo.screen import Screen, screen
from antiphon.demo.system import System

FRAME_S: Final = 0.25
START_TIMEOUT_S: Final = 60.0


def main(
    *, flights_max: int | None, speed: float | None, kill: bool, data: str | None, as_json: bool
) -> int:
    """The exit code: 0 if every comparison was equal.

    Raises:
        Unavailable: the data or DuckDB is not installed, or the system did not come up.
    """
    started_s = time.monotonic()
    year = read_year(data_directory(), flights_max)
    events = Events.of(year.flights)
    run = Run(events_total=len(events), started_s=started_s)
    view = screen(as_json=as_json)
    view.say(
        f"{year.flights.num_rows:,} flights make {len(events):,} events"
        f" (read in {run.elapsed_s:.1f} s)"
    )
    with System(data) as system:

        async def stage() -> None:
            client = await connect_async(system.address, wait_s=START_TIMEOUT_S)
            async with client:
                replay = Replay(
                    client, year, events, run, speed=speed, kill=kill, say=view.say,
                    alive=system.check,
                )  # fmt: skip
                drawing = asyncio.create_task(_draw(view, run))
                try:
                    await replay.run()
                finally:
                    drawing.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await drawing
                    view.draw(run, time.monotonic())

        with view:
            try:
                asyncio.run(stage())
            except ExceptionGroup as group:
                raise group.exceptions[0] from group
        stopped_s = system.stop()
    summary = summarize(run, year.flights.num_rows, stopped_s)
    if as_json:
        print(json.dumps(summary))
    else:
        _tell(summary)
    return 0 if run.is_equal else 1


async def _draw(view: Screen, run: Run) -> None:
    while True:
        view.draw(run, time.monotonic())
        await asyncio.sleep(FRAME_S)


def summarize(run: Run, flights: int, stopped_s: float) -> dict[str, Any]:
    """The whole outcome as JSON values; times in seconds and milliseconds as named."""
    kill = run.kill
    return {
        "equal": run.is_equal,
        "flights": flights,
        "events": run.sent,
        "seconds": round(run.elapsed_s, 2),
        "stop_seconds": round(stopped_s, 2),
        "kill": None
        if kill is None
        else {
            "replica": kill.replica,
            "back_seconds": None if kill.back_s is None else round(kill.back_s - kill.at_s, 2),
        },
        "views": [
            {
                "name": view.name,
                "rows": view.rows,
                "changes": view.changes.total,
                "latency_p50_ms": round(view.latency_ms(50), 1),
                "latency_p99_ms": round(view.latency_ms(99), 1),
            }
            for view in run.views
        ],
        "comparisons": [
            {
                "place": place,
                "view": verdict.view,
                "replica": verdict.replica,
                "rows": verdict.rows,
                "equal": verdict.is_equal,
                "differences": list(verdict.differences),
            }
            for place, verdict in run.verdicts
        ],
    }


def _tell(summary: dict[str, Any]) -> None:
    comparisons = summary["comparisons"]
    wrong = [c for c in comparisons if not c["equal"]]
    for view in summary["views"]:
        print(
            f"  {view['name']:<18} {view['rows']:>7,} rows {view['changes']:>10,} changes"
            f"   latency {view['latency_p50_ms']:>6.0f} ms (p99 {view['latency_p99_ms']:.0f} ms)"
        )
    print(
        f"{summary['events']:,} events in {summary['seconds']:.0f} s;"
        f" {len(comparisons)} comparisons with DuckDB,"
        f" {'all equal' if not wrong else f'{len(wrong)} WRONG'}"
    )
    for item in wrong:
        for line in item["differences"]:
            print(f"WRONG {item['view']} on {item['replica']}: {line}", file=sys.stderr)
