"""What the audience sees: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import datetime
import sys
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from antiphon.demo.replay import Run
from antiphon.protocol.ids import CollectionId, is_transient
from antiphon.protocol.stage import Stage
from antiphon.v1 import control_pb2 as wire

RECENT = 20  # appends that the shown latency is of
STORY_LINES = 8


class Screen(Protocol):
    """A place to show a run."""

    def say(self, line: str) -> None: ...

    def draw(self, run: Run, now_s: float) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Plain:
    """One line a while; what happens in between gets lines of its own."""

    def __init__(self, out: TextIO, *, every_s: float = 2.0) -> None:
        self._out = out
        self._every_s = every_s
        self._next_s = 0.0

    def say(self, line: str) -> None:
        self._out.write(f"* {line}\n")
        self._out.flush()

    def draw(self, run: Run, now_s: float) -> None:
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._every_s
        replicas = ", ".join(f"{r.name} {_stage(r)} lag {r.lag_ms} ms" for r in run.status.replicas)
        slowest = max(view.latency_ms(50, RECENT) for view in run.views)
        self._out.write(
            f"[{run.elapsed_s:6.1f} s] {run.phase}: {_moment(run)}, {run.sent:,} of"
            f" {run.events_total:,} events, {run.pace.per_second(now_s):,.0f}/s;"
            f" {replicas or 'no replicas yet'}; slowest view {slowest:.0f} ms\n"
        )
        self._out.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class Terminal:
    """The live table."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=False)
        self._story: list[str] = []

    def say(self, line: str) -> None:
        self._story.append(line)

    def draw(self, run: Run, now_s: float) -> None:
        self._live.update(
            Group(
                self._headline(run, now_s),
                ProgressBar(total=run.events_total, completed=run.sent, width=72),
                _replicas(run),
                _views(run, now_s),
                *(Text(f"* {line}") for line in self._story[-STORY_LINES:]),
            ),
            refresh=True,
        )

    def _headline(self, run: Run, now_s: float) -> Text:
        return Text(
            f"{run.phase}: {_moment(run)}   {run.sent:,} of {run.events_total:,} events  "
            f" {run.pace.per_second(now_s):,.0f}/s   {run.elapsed_s:.0f} s",
            style="bold",
        )

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)


def screen(*, as_json: bool) -> Screen:
    """The right one for where the output goes; JSON leaves stdout to the summary."""
    if as_json:
        return Plain(sys.stderr)
    return Terminal() if sys.stdout.isatty() else Plain(sys.stdout)


def _replicas(run: Run) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("replica", "link", "stage"):
        table.add_column(name, min_width=10)
    for name in ("lag", "fresh views", "memory", "restarts", "process"):
        table.add_column(name, justify="right")
    for replica in run.status.replicas:
        well = replica.stage == int(Stage.READ_WRITE) and replica.link == "connected"
        views = [c for c in replica.collections if not is_transient(CollectionId(c.collection))]
        fresh = sum(c.hydrated for c in views)
        table.add_row(
            replica.name,
            Text(replica.link or "-", style="green" if well else "red"),
            Text(_stage(replica), style="green" if well else "red"),
            f"{replica.lag_ms} ms",
            f"{fresh} of {len(views)}",
            f"{replica.resident_bytes / 2**20:.0f} MiB",
            str(replica.restarts),
            str(replica.process_id or "-"),
        )
    return table


def _views(run: Run, now_s: float) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("view", min_width=18)
    for name in ("rows", "changes", "changes/s", "latency", "p99"):
        table.add_column(name, justify="right", min_width=8)
    for view in run.views:
        table.add_row(
            view.name,
            f"{view.rows:,}",
            f"{view.changes.total:,}",
            f"{view.changes.per_second(now_s):,.0f}",
            f"{view.latency_ms(50, RECENT):.0f} ms",
            f"{view.latency_ms(99):.0f} ms",
        )
    return table


def _stage(replica: wire.ReplicaInfo) -> str:
    return Stage(replica.stage).name.lower().replace("_", "-") if replica.stage else "-"


def _moment(run: Run) -> str:
    if not run.moment_us:
        return "before the year"
    moment = datetime.datetime.fromtimestamp(run.moment_us / 1e6, tz=datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M")
