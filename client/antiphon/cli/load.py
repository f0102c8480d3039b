"""`antiphon load`: a file into a table or feed, with a progress bar on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from antiphon.cli import output
from antiphon.cli.connecting import connected
from antiphon.cli.options import Settings
from antiphon.client import Progress as Confirmed


def load(
    settings: Settings, table: str, path: str, *, file_format: str | None, nulls: Sequence[str],
    delete: bool,
) -> None:  # fmt: skip
    """Every part is durable once the bar has passed it; a failure says how far it came."""
    started_s = time.monotonic()
    with (
        connected(settings, patient=True) as client,
        Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
            console=output.errors(), disable=not sys.stderr.isatty() or settings.json,
        ) as bar,
    ):  # fmt: skip
        task = bar.add_task(table)
        confirmed = 0

        def advance(progress: Confirmed) -> None:
            nonlocal confirmed
            confirmed = progress.rows_done
            bar.update(task, total=progress.bytes_total, completed=progress.bytes_done)

        change = client.delete if delete else client.append
        try:
            done = change(table, path, file_format=file_format, nulls=nulls, progress=advance)
        except BaseException:
            if confirmed:
                output.note(f"{confirmed} rows of {path} are in {table}; the rest is not")
            raise
    seconds = time.monotonic() - started_s
    if settings.json:
        output.print_json(
            {"table": table, "rows": done.row_count, "time": done.time, "seconds": seconds}
        )
    else:
        verb = "deleted from" if delete else "loaded into"
        rate = done.row_count / max(seconds, 1e-9)
        print(f"{done.row_count} rows {verb} {table} in {seconds:.1f} s ({rate:,.0f} rows/s)")
