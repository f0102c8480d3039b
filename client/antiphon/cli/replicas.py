"""`antiphon replica add | remove | promote`, `antiphon promote`: who belongs, and who leads."""

from __future__ import annotations

import sys
import time
from typing import Final

from antiphon.cli import output
from antiphon.cli.connecting import connected
from antiphon.cli.options import Settings
from antiphon.cli.warmth import Warmth, described
from antiphon.client import Client
from antiphon.protocol.errors import Unavailable

WARM_WAIT_S: Final = 120.0
WARM_LOOK_S: Final = 0.1
WARM_TELL_S: Final = 1.0


def add(settings: Settings, name: str, *, at: str, read_only: bool) -> None:
    """Durable once it returns; the replica itself is reached, or started, from then on."""
    with connected(settings) as client:
        added = client.add_replica(name, at, read_only=read_only)
    _say(
        settings,
        f"replica {name} was added at {added.address}" + (", read-only" if read_only else ""),
        {"replica": name, "address": added.address, "read_only": added.read_only},
    )


def remove(settings: Settings, name: str) -> None:
    with connected(settings) as client:
        client.remove_replica(name)
    _say(settings, f"replica {name} was removed", {"replica": name, "removed": True})


def promote(settings: Settings, name: str) -> None:
    with connected(settings) as client:
        client.promote_replica(name)
    _say(settings, f"replica {name} may write from now on", {"replica": name, "read_only": False})


def promote_controller(settings: Settings, *, force: bool) -> None:
    """Once the standby is warm, unless forced."""
    with connected(settings) as client:
        if not force:
            _wait_until_warm(client, is_told=not settings.json)
        epoch = client.promote()
    _say(settings, f"the controller of epoch {epoch}", {"epoch": epoch})


def _wait_until_warm(client: Client, *, is_told: bool) -> None:
    """Raises Unavailable, which names what was still awaited."""
    warmth, told = Warmth(), ""
    started_s = tell_s = time.monotonic()
    while awaited := warmth.awaited(client.status()):
        now_s, text = time.monotonic(), described(awaited)
        if now_s - started_s >= WARM_WAIT_S:
            raise Unavailable(
                f"the standby was not warm within {WARM_WAIT_S:.0f} s: it still waits for {text};"
                " ask again to go on waiting, or promote it as it is with --force"
            )
        if is_told and text != told and now_s >= tell_s:
            output.note(f"waiting for {text}")
            told, tell_s = text, now_s + WARM_TELL_S
        time.sleep(WARM_LOOK_S)


def _say(settings: Settings, text: str, value: dict[str, object]) -> None:
    if settings.json:
        output.print_json(value)
    else:
        sys.stdout.write(text + "\n")
