"""How every command gets its client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from antiphon.cli.options import Settings
from antiphon.cli.settings import client_settings
from antiphon.client import PATIENCE_S, Client, connect

PROMPT_PATIENCE_S: Final = 5.0


@contextmanager
def connected(settings: Settings, *, patient: bool = False) -> Iterator[Client]:
    """A client as configured, closed in the end. `patient`: it sits out a restart of the
    controller; a person at a prompt would rather hear of it soon."""
    configured = client_settings(settings.config, address=settings.address, token=settings.token)
    client = connect(
        configured.address,
        token=configured.secret,
        tls=configured.tls,
        patience_s=PATIENCE_S if patient else PROMPT_PATIENCE_S,
    )
    with client:
        yield client
