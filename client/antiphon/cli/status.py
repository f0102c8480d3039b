"""`antiphon status`: the instance, its replicas, and how far each is behind."""

from __future__ import annotations

import math
import time
from typing import Final, NamedTuple

from google.protobuf.json_format import MessageToDict
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from antiphon.cli import arrangements, output
from antiphon.cli.connecting import connected
from antiphon.cli.options import Settings
from antiphon.protocol.stage import Stage
from antiphon.v1 import control_pb2 as wire
from antiphon.v1 import response_pb2

_WELL = ("read-write", "connected")
WIDE_COLUMNS: Final = 120  # a narrower terminal would cut every cell of the table of replicas


class Seen(NamedTuple):
    """`arrangements` None: nobody has asked for them."""

    status: wire.GetStatusResponse
    arrangements: list[arrangements.Arrangement] | None = None


def status(settings: Settings, *, watch: bool, with_arrangements: bool = False) -> None:
    """Once, or again every second until interrupted."""
    with connected(settings, patient=watch) as client:

        def seen() -> Seen:
            found = arrangements.read(client) if with_arrangements else None
            return Seen(client.status(), found)

        if not watch:
            _print(seen(), as_json=settings.json)
            return
        if settings.json or not output.is_terminal():
            while True:
                _print(seen(), as_json=settings.json)
                time.sleep(1.0)
        with Live(console=output.console(), auto_refresh=False, screen=True) as live:
            while True:
                live.update(_drawn(seen(), live.console.width), refresh=True)
                time.sleep(1.0)


def stage_name(stage: int) -> str:
    """`read-write`, as everywhere else; a replica that has not said is `-`."""
    return Stage(stage).name.lower().replace("_", "-") if stage else "-"


def render(status: wire.GetStatusResponse, *, width: int) -> RenderableType:
    """The whole picture, as one thing to draw in `width` columns. What a narrow terminal has no
    room for is in the JSON."""
    replicas = _replica_table(status, is_wide=width >= WIDE_COLUMNS)
    reasons = Text("\n".join(f"{r.name}: {reason}" for r in status.replicas for reason in _why(r)))
    return Group(Text(_headline(status)), replicas, reasons, _collection_table(status))


def _drawn(seen: Seen, width: int) -> RenderableType:
    whole = render(seen.status, width=width)
    if seen.arrangements is None:
        return whole
    return Group(whole, arrangements.table_of(seen.arrangements))


def _print(seen: Seen, *, as_json: bool) -> None:
    if as_json:
        found = as_dict(seen.status)
        if seen.arrangements is not None:
            found["arrangements"] = [one._asdict() for one in seen.arrangements]
        output.print_json(found)
    elif output.is_terminal():
        console = output.console()
        console.print(_drawn(seen, console.width))
    else:
        print(_headline(seen.status))
        for line in _plain(seen.status) + arrangements.lines_of(seen.arrangements or ()):
            output.print_line(line)


def as_dict(status: wire.GetStatusResponse) -> dict[str, object]:
    """For JSON: the message's own field names, integers as numbers where they fit a double."""
    return _numbers(  # type: ignore[return-value]
        MessageToDict(
            status, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
    )


def _numbers(value: object) -> object:
    """protobuf writes 64-bit integers as text; ours are times and counts, below 2**53."""
    match value:
        case dict():
            return {
                name: int(inner)
                if name in _INTEGERS and isinstance(inner, str)
                else _numbers(inner)
                for name, inner in value.items()
            }
        case list():
            return [_numbers(inner) for inner in value]
        case _:
            return value


_INTEGERS = frozenset(
    {
        "epoch", "history_head", "history_base", "time", "peeks_pending", "subscribes_active",
        "uptime_ms", "applied_position", "lag_ms", "resident_bytes", "restarts", "collection",
        "state_bytes", "state_bytes_max",
        "pin", "log_commands", "log_bytes",
        "rows_done", "rows_total", "rows_received", "elapsed_ms", "session_id",
        "dataflows_filled", "dataflows_total", "base_rows", "base_rows_total", "rows_computed",
        "live_lag_ms",
    }
)  # fmt: skip


def _headline(status: wire.GetStatusResponse) -> str:
    upper = status.timeline_upper
    reason = f" because {status.mode_reason}" if status.mode_reason else ""
    role = ""
    if status.role == "standby":
        role = f", a standby of {status.live_address or 'a live controller'}"
    return (
        f"instance {status.instance or '-'}{role}, {status.mode or 'no mode yet'}{reason},"
        f" epoch {status.epoch}, history at {status.history_head}"
        f" (folded up to {status.history_base}),"
        f" time {upper.time if upper.HasField('time') else 'closed'},"
        f" {status.peeks_pending} peeks, {status.subscribes_active} subscribes,"
        f" up {status.uptime_ms / 1000:.0f} s"
    )


def _replica_table(status: wire.GetStatusResponse, *, is_wide: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("replica", "link", "stage"):
        table.add_column(name)
    for name in ("lag", "memory", "restarts", "pid"):
        table.add_column(name, justify="right", no_wrap=True)
    if is_wide:
        table.add_column("position", justify="right")
        for name in ("decision", "address"):
            table.add_column(name, overflow="fold")
    for replica in status.replicas:
        link, stage = replica.link or "-", stage_name(replica.stage)
        details = (str(replica.applied_position), replica.decision, replica.address)
        table.add_row(
            replica.name,
            Text(link, style="green" if link in _WELL else "yellow"),
            Text(stage, style="green" if stage in _WELL else "yellow"),
            f"{replica.lag_ms} ms",
            _memory(replica),
            str(replica.restarts),
            str(replica.process_id),
            *(details if is_wide else ()),
        )
    return table


def _memory(replica: wire.ReplicaInfo) -> Text:
    resident = f"{replica.resident_bytes / 2**20:.0f} MiB"
    is_full = replica.HasField("state_bytes_max") and replica.state_bytes >= replica.state_bytes_max
    return Text(resident, style="yellow" if is_full else "")  # the headline says it in words


def _collection_table(status: wire.GetStatusResponse) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("collection", "replica", "state"):
        table.add_column(name)
    table.add_column("frontier", justify="right")
    table.add_column("lag", justify="right")
    for name, replica, state, frontier, lag in _collections(status):
        table.add_row(name, replica, state, frontier, lag)
    return table


def _collections(status: wire.GetStatusResponse) -> list[tuple[str, str, str, str, str]]:
    rows = []
    for replica in status.replicas:
        for c in replica.collections:
            state = _state(c)
            frontier = c.write_frontier
            at = str(frontier.time) if frontier.HasField("time") else "closed"
            rows.append((c.name or str(c.collection), replica.name, state, at, f"{c.lag_ms} ms"))
    return sorted(rows)


def _state(collection: wire.ReplicaCollectionInfo) -> str:
    if collection.failed:
        return "cannot run, and a read says why"
    return "hydrated" if collection.hydrated else hydration(collection.progress)


def hydration(progress: response_pb2.HydrationProgress) -> str:
    """`hydrating, computed 2,500,000 of 10,000,000 rows, 40 %, about 12 s left`, as far as that is
    known.

    Rows first arrive and then are computed, which may overlap; both count half.
    """
    if not progress.elapsed_ms and not progress.rows_received:
        return "waiting to hydrate"
    total = progress.rows_total
    if not total:
        return "hydrating"
    done = min((progress.rows_received + progress.rows_done) / (2 * total), 1.0)
    doing, rows = "read", progress.rows_received
    if progress.rows_done:
        doing, rows = "computed", progress.rows_done
    text = f"hydrating, {doing} {rows:,} of {total:,} rows, {math.floor(100 * done)} %"
    if done == 0:
        return text
    left_ms = progress.elapsed_ms * (1 - done) / done
    return f"{text}, about {math.ceil(left_ms / 1_000)} s left"


def _why(replica: wire.ReplicaInfo) -> list[str]:
    """Why its state is as it is, and how far what it rebuilds is."""
    found = [replica.reason, replica.base, replica.content]
    if replica.HasField("rebuild"):
        found.append(f"rebuilds {replica.rebuild.text}")
    return [one for one in found if one]


def _plain(status: wire.GetStatusResponse) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [
        ("replica", r.name, r.link or "-", stage_name(r.stage), f"{r.lag_ms} ms", r.address)
        for r in status.replicas
    ]
    lines += [("reason", r.name, reason) for r in status.replicas for reason in _why(r)]
    return lines + [("collection", *row) for row in _collections(status)]
