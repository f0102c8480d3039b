"""`antiphon replica add | remove | promote`, `antiphon promote`: who belongs, and who leads."""

from __future__ import annotations

import sys
import time
from typing import Final

from antiphon.cli import output
from antiphon.cli.query import Settings, connected
from antiphon.protocol.errors import Unavailable
from antiphon.v1 import control_pb2 as wire

WARM_WAIT_S: Final = 120.0
WARM_LOOK_S: Final = 0.1


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
    """Once all replicas of the standby are warm, unless forced."""
    with connected(settings) as client:
        deadline_s = time.monotonic() + WARM_WAIT_S
        while not force and not _is_warm(client.status()):
            if time.monotonic() >= deadline_s:
                raise Unavailable(
                    f"the replicas of the standby were not warm within {WARM_WAIT_S:.0f} s; see"
                    " `antiphon status`, or promote it as it is with --force"
                )
            time.sleep(WARM_LOOK_S)
        epoch = client.promote()
    _say(settings, f"the controller of epoch {epoch}", {"epoch": epoch})


def _is_warm(status: wire.GetStatusResponse) -> bool:
    """Also when there is nothing to wait for: it is live already, and says so when asked."""
    ready = [
        replica.link == "connected" and all(c.hydrated for c in replica.collections)
        for replica in status.replicas
    ]
    return status.role != "standby" or all(ready)


def _say(settings: Settings, text: str, value: dict[str, object]) -> None:
    if settings.json:
        output.print_json(value)
    else:
        sys.stdout.write(text + "\n")
