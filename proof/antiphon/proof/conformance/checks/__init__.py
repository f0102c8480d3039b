"""The checks, chapter by chapter; each is an async function over the ports, and knows no socket."""

from __future__ import annotations

from typing import Final

from antiphon.proof.conformance.checks import (
    fencing,
    frontiers,
    handshake,
    inputs,
    mistakes,
    peeks,
    rebuilds,
    reconnect,
    states,
    subscribes,
    writes,
)
from antiphon.proof.conformance.registry import Check, ordered

CHECKS: Final[tuple[Check, ...]] = ordered(
    module.chapter
    for module in (
        handshake,
        frontiers,
        peeks,
        subscribes,
        writes,
        inputs,
        reconnect,
        fencing,
        mistakes,
        rebuilds,
        states,
    )
)
