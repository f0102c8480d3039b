"""`antiphon subscribe`: changes as they come, one line each."""

from __future__ import annotations

import sys
from typing import Any

from antiphon.cli import output
from antiphon.cli.connecting import connected
from antiphon.cli.options import Settings
from antiphon.client import ChangeBatch, Client
from antiphon.protocol.delta import DIFF_COLUMN, TIME_COLUMN
from antiphon.protocol.frontier import Frontier


def subscribe(
    settings: Settings,
    target: str,
    *,
    from_frontier: int | None,
    with_snapshot: bool,
    with_progress: bool,
    changes_max: int | None,
    replica: str,
    hold: str,
    hold_deadline_s: int,
) -> None:
    """Follows a target on a connection of its own, patiently: it outlives the controller."""
    with connected(settings, patient=True) as client:
        follow(
            client,
            target,
            as_json=settings.json,
            from_frontier=from_frontier,
            with_snapshot=with_snapshot,
            with_progress=with_progress,
            changes_max=changes_max,
            replica=replica,
            hold=hold,
            hold_deadline_s=hold_deadline_s,
        )


def release(settings: Settings, name: str) -> None:
    """Lets go of a named hold."""
    with connected(settings) as client:
        client.release_hold(name)
    if settings.json:
        output.print_json({"hold": name, "released": True})
    else:
        print(f"the hold {name} was released")


def follow(
    client: Client,
    target: str,
    *,
    as_json: bool,
    from_frontier: int | None = None,
    with_snapshot: bool = True,
    with_progress: bool = False,
    changes_max: int | None = None,
    replica: str = "",
    hold: str = "",
    hold_deadline_s: int = 0,
) -> None:
    """Prints until the collection closes, `changes_max` changes are out, or an interrupt."""
    changes = client.subscribe(
        target,
        from_frontier=None if from_frontier is None else Frontier(from_frontier),
        with_snapshot=with_snapshot,
        with_progress=with_progress,
        replica=replica,
        hold=hold,
        hold_deadline_ms=1_000 * hold_deadline_s,
    )
    printed = 0
    header = True
    with changes:
        for batch in changes:
            columns = [n for n in batch.table.column_names if n not in (TIME_COLUMN, DIFF_COLUMN)]
            if header and not as_json:
                output.print_line(("time", "diff", *columns))
            header = False
            room = None if changes_max is None else changes_max - printed
            count = _print(batch, columns, as_json=as_json, room=room)
            printed += count
            if with_progress:
                _print_progress(batch, as_json=as_json)
            sys.stdout.flush()
            if hold and count == len(batch):  # what is printed whole is dealt with
                changes.acknowledge()
            if changes_max is not None and printed >= changes_max:
                return


def _print(batch: ChangeBatch, columns: list[str], *, as_json: bool, room: int | None) -> int:
    count = 0
    for change in batch:
        if room is not None and count >= room:
            break
        count += 1
        if as_json:
            row: dict[str, Any] = dict(zip(columns, change.row, strict=True))
            output.print_json({"time": change.time, "diff": change.diff, "row": row})
        else:
            cells = [output.cell(value) for value in change.row]
            output.print_line((str(change.time), f"{change.diff:+d}", *cells))
    return count


def _print_progress(batch: ChangeBatch, *, as_json: bool) -> None:
    if as_json:
        output.print_json({"progress": batch.upper.time})
    else:
        output.print_line(("-- complete before", str(batch.upper)))
