"""`python -m antiphon.proof.simulation`: seed after seed; exit 1 if one found a violation."""

from __future__ import annotations

import argparse
import sys

from antiphon.proof.simulation.run import Report, simulate

TRACE_LINES_SHOWN = 60


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m antiphon.proof.simulation",
        description="Run the real controller and replicas in a simulated world, seed by seed.",
    )
    parser.add_argument("--seeds", type=int, default=50, help="how many (default: 50)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--trace", action="store_true", help="print every run's whole trace")
    parser.add_argument(
        "--handover", action="store_true", help="controllers are replaced while they live"
    )
    parser.add_argument(
        "--rebuilds", action="store_true", help="replicas are taken for different, and rebuilt"
    )
    parser.add_argument(
        "--restarts",
        action="store_true",
        help="controllers die while a replica fills itself wrongly",
    )
    options = parser.parse_args(arguments)
    failures = 0
    for seed in range(options.first, options.first + options.seeds):
        report = simulate(
            seed,
            handover=options.handover,
            rebuilds=options.rebuilds,
            restarts=options.restarts,
        )
        failures += report.failure is not None
        _show(report, whole=options.trace)
    print(f"{options.seeds} seeds, {failures} failed")
    return 1 if failures else 0


def _show(report: Report, *, whole: bool) -> None:
    verdict = "ok" if report.failure is None else "FAILED"
    print(
        f"seed {report.seed:>6}  {verdict:<6}  {report.writes:>4} writes  "
        f"{report.answers:>4} reads  {report.intervals:>5} intervals  "
        f"{report.controller_lives:>2} controller lives  {report.replica_lives:>2} replica lives  "
        f"{report.virtual_ms / 1000:>6.1f} s  {report.digest[:12]}",
        flush=True,
    )
    if whole or report.failure is not None:
        lines = report.trace if whole else report.trace[-TRACE_LINES_SHOWN:]
        print("\n".join(lines))
    if report.failure is not None:
        print(report.failure)
        options = "--handover " if report.handovers else ""
        options += "--rebuilds " if report.rebuilds else ""
        options += "--restarts " if report.restarts else ""
        print(
            f"again: python -m antiphon.proof.simulation {options}--first {report.seed} --seeds 1"
            " --trace"
        )


if __name__ == "__main__":
    sys.exit(main())
