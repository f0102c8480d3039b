"""The controller's benchmarks: what the product costs above bare gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Final

from tests.performance import latency, reconnect, session_rate
from tests.performance.latency import Latencies
from tests.performance.reconnect import Reconnects
from tests.performance.report import Measured


@cache
def latencies() -> Latencies:
    return asyncio.run(latency.measure())


@cache
def many_views() -> Reconnects:
    return asyncio.run(reconnect.measure(reconnect.VIEWS_MANY))


@cache
def few_views() -> Reconnects:
    return asyncio.run(reconnect.measure(reconnect.VIEWS_FEW, restarts=0))


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


def keep_up() -> Measured:
    found = many_views()
    inputs = {"keep_up_s": found.keep_up, "restart_s": found.restart}
    return Measured(ratio=found.keep_up / found.restart, inputs=inputs)


def catch_up_growth() -> Measured:
    many, few = many_views().catch_up, few_views().catch_up
    inputs = {"many_views_s": many, "few_views_s": few}
    return Measured(ratio=many / few, inputs=inputs)


_BENCHMARKS: Final[dict[str, Callable[[], Measured]]] = {
    "commands": commands,
    "peek_p50": peek_p50,
    "visible_10": visible_10,
    "keep_up": keep_up,
    "catch_up_growth": catch_up_growth,
}


def measure(key: str) -> Measured:
    """The benchmark `controller.<key>`."""
    return _BENCHMARKS[key]()
