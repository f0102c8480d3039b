"""`make bench`: runs the benchmarks and prints each ratio beside its goal.

    python -m tests.performance [GROUP | GROUP.KEY] [--json]
    python -m tests.performance tpch | worst [--json]

Exits 0 whatever the ratios are: a benchmark informs, and the numbers of a busy machine decide
nothing. Exits 2 for a name that there is not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Final

from tests.performance import controller, engine, history, tpch, worst
from tests.performance.goals import chosen, goals
from tests.performance.report import HEADER, Measured, as_json, as_line

GROUPS: Final[Mapping[str, Callable[[str], Measured]]] = {
    "engine": engine.measure,
    "controller": controller.measure,
    "history": history.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("name", nargs="?", default="", help="a group or one benchmark")
    parser.add_argument("--json", action="store_true", help="one object a line")
    options = parser.parse_args()
    if options.name == "tpch":
        return tpch.main(["--check", *(["--json"] if options.json else [])])
    if options.name == "worst":
        return worst.main(["--json"] if options.json else [])
    wanted = chosen(options.name)
    if not wanted:
        names = ", ".join([*GROUPS, *goals(), "tpch", "worst"])
        print(f"bench: there is no {options.name}; there are {names}", file=sys.stderr)
        return 2
    if not options.json:
        print(HEADER)
    for goal in wanted:
        group, _, key = goal.name.partition(".")
        measured = GROUPS[group](key)
        print(as_json(goal, measured) if options.json else as_line(goal, measured), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
