"""The engine's benchmarks: our ticks against the best peer's, and against recomputing."""

from __future__ import annotations

import statistics
from dataclasses import replace
from functools import cache
from typing import Any, Final

import numpy as np

from tests.performance import sides
from tests.performance.report import Measured, missing
from tests.performance.turns import in_turn
from tests.performance.workload import Workload

MILLION: Final = 1_000_000
# Few enough that a whole run stays below ten minutes, many enough for a median that holds still.
TICKS: Final = {
    "group": ((10, 200), (1_000, 50), (100_000, 5)),
    "join": ((10, 200), (1_000, 50), (100_000, 5)),
    "join_group": ((1_000, 50),),
    "top_k": ((1_000, 30),),
}
ROW_OVERHEAD_BYTES: Final = 32
SLACK: Final = 1.2


# Ticks of so few changes take tens of microseconds. The sides that come close take them in turn.
SMALL: Final = 10
TURN_TICKS: Final = 200
TURNS: Final = 20
TURN_RUNS: Final = 2  # in fresh processes: where their memory lies is chance too
CLOSE: Final = 3  # times the fastest peer

# Two sizes are compared by few microseconds: more ticks, so that those just after the load, which
# find caches that it left, do not make the median.
GROWTH_TICKS: Final = ((1_000, 300),)


def workload(
    name: str, orders: int = MILLION, ticks: tuple[tuple[int, int], ...] | None = None
) -> Workload:
    return Workload(name, orders, orders // 10, ticks or TICKS[name])


@cache
def ours(name: str, orders: int) -> sides.Times:
    return sides.times_of(sides.ours("engine_side", workload(name, orders)))


def against_peers(name: str, size: int) -> Measured:
    """Best peer's p50 / ours. Peers that are missing are named."""
    theirs: dict[str, float] = {}
    absent: dict[str, str] = {}
    for peer in sides.PEERS:
        try:
            theirs[peer] = sides.peer(peer, workload(name)).p50(size)
        except sides.SideMissing as why:
            absent[f"{peer} not measured"] = f"({why})"
    if not theirs:
        return Measured(ratio=None, inputs=absent, why="; ".join(absent.values()))
    others: dict[str, float | int | str] = {f"{peer}_p50_ms": p50 for peer, p50 in theirs.items()}
    others |= absent
    if size == SMALL:
        close = [peer for peer, p50 in theirs.items() if p50 <= CLOSE * min(theirs.values())]
        found = [ticked_in_turn(name, peer) for peer in close]
        ratio, inputs = min(found, key=lambda each: each[0])
        return Measured(ratio=ratio, inputs={**others, **inputs})
    mine = ours(name, MILLION)
    inputs = {"ours_p50_ms": mine.p50(size), "ours_worst_ms": mine.worst(size), **others}
    return Measured(ratio=min(theirs.values()) / mine.p50(size), inputs=inputs)


def ticked_in_turn(name: str, peer: str) -> tuple[float, dict[str, float | int | str]]:
    """A peer's p50 / ours: the median of what each pair of turns says, in several pairs of
    processes; and what went in."""
    ticks = ((SMALL, TURNS * TURN_TICKS),)
    load = replace(workload(name, ticks=ticks), turn_ticks=TURN_TICKS)
    pair = (sides.our_side("engine_side", load), sides.peer_side(peer, load))
    runs = [[each.by_size[SMALL] for each in in_turn(pair)] for _ in range(TURN_RUNS)]
    # By run, side, turn and tick.
    p50 = np.median(np.reshape(runs, (TURN_RUNS, 2, TURNS, TURN_TICKS)), axis=-1)
    ratios = p50[:, 1] / p50[:, 0]
    mine, theirs = np.median(p50, axis=(0, 2))
    return float(np.median(ratios)), {
        "ours_p50_in_turn_ms": float(mine), f"{peer}_p50_in_turn_ms": float(theirs),
        "ratios": " ".join(f"{ratio:.2f}" for ratio in np.median(ratios, axis=1)),
    }  # fmt: skip


def state_growth() -> Measured:
    """The small one runs before and after the large one: what else the machine does changes."""

    def p50_ms(orders: int) -> float:
        size = workload("join_group", orders, GROWTH_TICKS)
        return sides.times_of(sides.ours("engine_side", size)).p50(1_000)

    before_ms, large_ms, after_ms = p50_ms(MILLION), p50_ms(10 * MILLION), p50_ms(MILLION)
    small_ms = (before_ms + after_ms) / 2
    return Measured(
        ratio=large_ms / small_ms, inputs={"p50_ms_1m": small_ms, "p50_ms_10m": large_ms}
    )


def recompute(orders: int) -> Measured:
    scratch = sides.ours("recompute_side", workload("join_group", orders))
    duckdb_ms = statistics.median(scratch["times_ms"][str(orders)])
    mine = ours("join_group", orders).p50(1_000)
    inputs = {"duckdb_p50_ms": duckdb_ms, "ours_p50_ms": mine, "duckdb": scratch["version"]}
    return Measured(ratio=duckdb_ms / mine, inputs=inputs)


def memory() -> Measured:
    found: dict[str, Any] = sides.ours("memory_side", workload("group", 10 * MILLION))
    budget = SLACK * (found["arrow_bytes"] + ROW_OVERHEAD_BYTES * 10 * MILLION)
    return Measured(ratio=found["resident_bytes"] / budget, inputs=found)


def measure(key: str) -> Measured:
    """The benchmark `engine.<key>`."""
    try:
        match key:
            case "state_growth":
                return state_growth()
            case "recompute_1m":
                return recompute(MILLION)
            case "recompute_10m":
                return recompute(10 * MILLION)
            case "memory":
                return memory()
            case _:
                name, _, size = key.rpartition("_")
                return against_peers(name, int(size))
    except sides.SideMissing as why:
        return missing(str(why))
