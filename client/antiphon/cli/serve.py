"""`antiphon up` and `antiphon controller`: processes that serve until they are told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator

from antiphon.cli.engine import Engine
from antiphon.cli.leave import leave
from antiphon.controller.io.config import ControllerConfig
from antiphon.controller.io.config import load_config as load_controller_config
from antiphon.controller.io.process import Controller
from antiphon.controller.io.process import run_controller as serve_controller
from antiphon.protocol.io.channel import reachable
from antiphon.protocol.io.log import configure_logging

REPLICAS_DEFAULT = 2


def up(
    *,
    data: str | None,
    replicas: int | None,
    listen: str | None,
    standby: bool | None,
    token: str | None,
    watch_stdin: bool,
    config: str | None,
) -> None:
    """A controller in this process, its replicas as children; ends all of them on Ctrl-C."""
    settings = load_controller_config(
        config, data=data, listen=listen, standby=standby, token=token, local_replicas=replicas
    )
    if replicas is None and settings.local_replicas == 0 and not settings.replicas:
        settings = settings.model_copy(update={"local_replicas": REPLICAS_DEFAULT})
    # People read what this prints; what the parts log is for when something is wrong.
    if "log" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log": "warning"})
    configure_logging(settings.log)
    leave(asyncio.run(_up(settings, watch_stdin=watch_stdin)))


def controller(
    *,
    data: str | None,
    listen: str | None,
    standby: bool | None,
    token: str | None,
    config: str | None,
) -> None:
    """A controller alone."""
    settings = load_controller_config(
        config, data=data, listen=listen, standby=standby, token=token
    )
    leave(serve_controller(settings, Engine()))


async def _up(settings: ControllerConfig, *, watch_stdin: bool) -> int:
    running = Controller(settings, Engine())
    with _until_signal(running.ask_to_stop):
        await running.start()
        watching = asyncio.ensure_future(_stdin_closed()) if watch_stdin else None
        if watching is not None:
            watching.add_done_callback(lambda _: running.ask_to_stop())
        try:
            _say(_banner(running.address, settings))
            await running.stopped.wait()
            _say("stopping")
        finally:
            if watching is not None:
                watching.cancel()
            await running.stop()
    if running.failure is not None:
        print(f"antiphon: {running.failure}", file=sys.stderr)
    return running.exit_code


def _banner(listens_on: str, settings: ControllerConfig) -> str:
    address = reachable(listens_on)
    # Every command finds the default address by itself.
    option = "" if address == ControllerConfig.model_fields["listen"].default else f" -a {address}"
    count = settings.local_replicas
    if settings.standby:
        return f"""\
antiphon stands by on {address} with {count} local replicas; the data is in {settings.data}
  antiphon status{option}    whether its replicas are warm
  antiphon promote{option}   it takes over; the live one ends
Ctrl-C stops everything that was started here."""
    return f"""\
antiphon listens on {listens_on} with {count} local replicas; its data is in {settings.data}
  antiphon sql{option}       a shell; try  SELECT 6 * 7;
  antiphon status{option}    how the replicas are
  python: from antiphon.client import connect; client = connect("{address}")
Ctrl-C stops everything."""


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # who started us may be gone, and we are to follow
        print(text, flush=True)


async def _stdin_closed() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while await reader.read(1 << 16):
        pass


@contextlib.contextmanager
def _until_signal(stop: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGTERM, signal.SIGINT)
    for one in wanted:
        loop.add_signal_handler(one, stop)
    try:
        yield
    finally:
        for one in wanted:
            loop.remove_signal_handler(one)
