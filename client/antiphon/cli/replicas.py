"""`antiphon replica add | remove | promote`: who belongs to the instance."""

from __future__ import annotations

import sys

from antiphon.cli import output
from antiphon.cli.query import Settings, connected


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


def _say(settings: Settings, text: str, value: dict[str, object]) -> None:
    if settings.json:
        output.print_json(value)
    else:
        sys.stdout.write(text + "\n")
