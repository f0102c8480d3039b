"""The controller's benchmarks: what the product costs above bare gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Final

from tests.performance import latency, session_rate
from tests.performance.latency import Latencies
from tests.performance.report import Measured, missing

LATER: Final = "comes with the reconnect that keeps a replica's state"


@cache
def latencies() -> Latencies:
    return asyncio.run(latency.measure())


def commands() -> Measured:
    found = asyncio.run(session_rate.measure())
    return Measured(ratio=found["ours_per_s"] / found["bare_per_s"], inputs=found)


def peek_p50() -> Measured:
    found = latencies()
    inputs = {"peek_p50_ms": found.peek, "bare_p50_ms": found.bare}
    return Measured(ratio=found.peek / found.bare, inputs=inputs)


def visible_10() -> Measured:
    found = latencies()
    inputs = {"visible_p50_ms": found.visible, "bare_p50_ms": found.bare}
    return Measured(ratio=found.visible / found.bare, inputs=inputs)


_BENCHMARKS: Final[dict[str, Callable[[], Measured]]] = {
    "commands": commands,
    "peek_p50": peek_p50,
    "visible_10": visible_10,
}


def measure(key: str) -> Measured:
    """The benchmark `controller.<key>`."""
    return _BENCHMARKS[key]() if key in _BENCHMARKS else missing(LATER)
