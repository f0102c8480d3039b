"""How much longer than the median the worst ticks take, in time of the thread alone.

    make bench NAME=worst [ARGS=--json]

Each line is a workload of the engine's and a size of its ticks: p50, p99 and worst in milliseconds,
and p99 / p50 beside the goal that the ticks are held to. The same ticks run several times, and each
counts with its shortest time: what it does is the same in each run, what others do to it is not.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Final

import numpy as np

from tests.performance import sides
from tests.performance.workload import Workload

GOAL: Final = 5  # p99 / p50, at most
WORKLOADS: Final = ("join", "join_group", "group", "extremes", "distinct", "top_k", "window")
ORDERS: Final = (1_000_000, 10_000_000)
TICKS: Final = {1: 2_000, 10: 3_000, 100: 2_000, 1_000: 1_000, 10_000: 100, 100_000: 30}
RUNS: Final = 3
# Where each change reads all rows of its key, so large ticks are long and say nothing new.
READS_KEYS: Final = ("top_k", "window")
READS_KEYS_SHARE: Final = 4  # a fourth of the ticks


def measured(
    name: str, orders: int, ticks: Sequence[tuple[int, int]], runs: int
) -> list[dict[str, float | int | str]]:
    """A line for each size."""
    workload = Workload(name, orders, orders // 10, tuple(ticks))
    answers = [sides.ours("engine_side", workload, "--thread")["times_ms"] for _ in range(runs)]
    found: list[dict[str, float | int | str]] = []
    for size, count in ticks:
        times = np.min([answer[str(size)] for answer in answers], axis=0)
        p50, p99 = (float(value) for value in np.percentile(times, (50, 99)))
        found.append({
            "name": name, "orders": orders, "changes": size, "ticks": count, "p50_ms": p50,
            "p99_ms": p99, "worst_ms": float(times.max()), "p99_by_p50": p99 / p50, "goal": GOAL,
            "verdict": "met" if p99 <= GOAL * p50 else "NOT MET",
        })  # fmt: skip
    return found


def ticks_of(name: str, sizes: Sequence[int]) -> list[tuple[int, int]]:
    share = READS_KEYS_SHARE if name in READS_KEYS else 1
    return [(size, TICKS[size] // share) for size in sizes]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.performance.worst")
    parser.add_argument("--workload", choices=WORKLOADS, help="one of them alone")
    parser.add_argument("--orders", type=int, choices=ORDERS, default=ORDERS[0])
    parser.add_argument("--changes", type=int, choices=TICKS, help="ticks of this size alone")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--json", action="store_true", help="one object a line")
    options = parser.parse_args(arguments)
    sizes = [options.changes] if options.changes else list(TICKS)
    for name in [options.workload] if options.workload else WORKLOADS:
        ticks = ticks_of(name, sizes)
        for found in measured(name, options.orders, ticks, options.runs):
            if options.json:
                print(json.dumps(found), flush=True)
                continue
            print(
                f"{name:10} {found['changes']:>7,} changes  p50 {found['p50_ms']:9.3f}"
                f"  p99 {found['p99_ms']:9.3f}  worst {found['worst_ms']:9.3f} ms"
                f"  p99 / p50 {found['p99_by_p50']:5.2f}  <= {GOAL}  {found['verdict']}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
