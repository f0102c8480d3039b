"""How much longer than the median the worst ticks take, in time of the thread alone.

    make bench NAME=worst [ARGS=--json]

Each line is a workload of the engine's, ticks of 1,000 changes: p50, p99 and worst in milliseconds,
and p99 / p50, which should not be above 5. No goal is held against it: a tick may come upon memory
that nobody has touched yet, and what that costs is the machine's.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Final

import numpy as np

from tests.performance import sides
from tests.performance.workload import Workload

WORKLOADS: Final = ("join", "group", "join_group", "top_k")
TICKS: Final = {1_000_000: 3_000, 10_000_000: 300}  # by orders
TICK_ROWS: Final = 1_000


def measured(name: str, orders: int, ticks: int) -> dict[str, float | int | str]:
    workload = Workload(name, orders, orders // 10, ((TICK_ROWS, ticks),))
    answer = sides.ours("engine_side", workload, "--thread")
    times = np.array(answer["times_ms"][str(TICK_ROWS)])
    p50, p99 = (float(found) for found in np.percentile(times, (50, 99)))
    return {
        "name": name, "orders": orders, "ticks": ticks, "p50_ms": p50, "p99_ms": p99,
        "worst_ms": float(times.max()), "p99_by_p50": p99 / p50,
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.performance.worst")
    parser.add_argument("--workload", choices=WORKLOADS, help="one of them alone")
    parser.add_argument("--orders", type=int, choices=TICKS, help="at this size alone")
    parser.add_argument("--ticks", type=int, help="other than as many as usual")
    parser.add_argument("--json", action="store_true", help="one object a line")
    options = parser.parse_args(arguments)
    for orders in [options.orders] if options.orders else TICKS:
        for name in [options.workload] if options.workload else WORKLOADS:
            found = measured(name, orders, options.ticks or TICKS[orders])
            if options.json:
                print(json.dumps(found), flush=True)
                continue
            print(
                f"{name:12} {orders:>11,} orders  p50 {found['p50_ms']:.3f}"
                f"  p99 {found['p99_ms']:.3f}  worst {found['worst_ms']:.3f} ms"
                f"  p99 / p50 {found['p99_by_p50']:.2f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
