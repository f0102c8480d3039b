"""`antiphon replica`: a front process that serves until it is told to stop.

Apart from what starts a controller, whose code would cost each start of a replica a third more.
"""

from __future__ import annotations

from antiphon.cli.leave import leave
from antiphon.replica.io.config import load_config
from antiphon.replica.io.process import run_replica


def serve(
    *,
    listen: str | None,
    data: str | None,
    controller: str | None,
    name: str | None,
    token: str | None,
    watch_stdin: bool | None,
    config: str | None,
) -> None:
    """One replica: its front process, which keeps the worker process."""
    settings = load_config(
        config,
        listen=listen,
        data=data,
        controller=controller,
        name=name,
        token=token,
        watch_stdin=watch_stdin,
    )
    leave(run_replica(settings))
