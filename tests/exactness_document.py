"""Write `docs/exactness.md`: which constructs the tests drive with which rows, counted from the
plans of the queries themselves.

`python -m tests.exactness_document` writes it; `tests/controller/sql/test_constructs.py` checks
that it is current, and that nothing which a plan can hold is without a random test.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, get_args

from antiphon.controller.sql.planner import split_statements
from antiphon.protocol.errors import ComputeError
from antiphon.protocol.expression import FUNCTIONS, Call, Case, Cast
from antiphon.protocol.plan import (
    TABLE_FUNCTIONS,
    Aggregate,
    AggregateFunction,
    FrameExclusion,
    FrameUnit,
    Join,
    JoinKind,
    Plan,
    TableFunction,
    WindowFunction,
)
from tests.controller.sql.failing_functions import FAILING as FAILING_FUNCTIONS
from tests.controller.sql.failing_functions import TABLES as FUNCTION_TABLES
from tests.controller.sql.failing_rows import QUERIES as FAILING
from tests.controller.sql.failing_rows import failing_world
from tests.controller.sql.hostile_queries import hostile_query
from tests.controller.sql.hostile_rows import EVERY, hostile_world
from tests.controller.sql.test_example_ticks import QUERIES as EXAMPLES
from tests.controller.sql.test_example_ticks import tables_alone
from tests.controller.sql.test_passing_errors import FAILURES, PLACES
from tests.controller.sql.test_passing_errors import TABLES as PASSING
from tests.controller.sql.ticking import KINDS, Rows, View
from tests.controller.sql.ticking import world as ticking_world
from tests.controller.sql.world import World
from tests.source_tree import ROOT

DOCUMENT: Final = ROOT / "docs" / "exactness.md"
TICKS: Final = ROOT / "tests" / "controller" / "sql" / "ticks"
HOSTILE_SEEDS: Final = 300
WINDOWS: Final = (
    "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead",
    "first_value", "last_value", "nth_value",
)  # fmt: skip
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "operators": tuple(kind.__name__ for kind in get_args(Plan) if kind is not Join),
    "joins": tuple(f"{kind.name.lower()} join" for kind in JoinKind),
    "aggregates": tuple(f"{function.name.lower()}()" for function in AggregateFunction),
    "window functions": tuple(f"{name} over" for name in WINDOWS),
    "frames": (
        *(f"{unit.name.lower()} frame" for unit in FrameUnit),
        *(f"exclude {kind.name.lower()}" for kind in FrameExclusion if kind),
    ),
    "functions of sets": tuple(f"{name} in from" for name in sorted(TABLE_FUNCTIONS)),
    "scalar functions": (*sorted(FUNCTIONS), "cast", "case"),
}
HEAD: Final = """\
# Exactness

How each construct is held to be exact: views follow random inserts, updates and deletes, and are
compared at every tick. This file is written by `python -m tests.exactness_document` from the plans
of the tests' queries; a test fails when something that a plan can hold is in none of them.

| rows | what they are, and what decides |
|---|---|
| plain | many nulls and repeats, and the examples of [SQL](sql.md): DuckDB and DataFusion |
| edges | NaN, zeros, infinities, text beyond ASCII, times, lists and structs: the same two |
| hostile | ends of every type, many copies: from scratch, in other ticks and orders, by bytes |
| failing | divisions by zero, overflows, bad casts come and go: DuckDB says when it fails |

In every one of them the last tick takes all rows away: groups become empty, and every operator then
holds what that of a new view does. Where engines differ is decided in [a
decision](decisions/0025-two-oracles.md).

How many of the constructs have a query over such rows; of scalar functions, those that can fail and
their failures, and the others with hostile values:

| constructs | plain | edges | hostile | failing |
|---|---|---|---|---|
"""
TAIL: Final = f"""

{len(FAILING_FUNCTIONS)} scalar functions can fail; each has a row in which it does. The others only
pass failures on. What no such query has, and why:

"""
# No query over any such rows has it, and why.
ELSEWHERE: Final = {
    "TemporalFilter": "the clock, in tests/replica/dataflow/test_temporal_filter.py",
    "now": "the clock, too",
    "right join": "made a left join with its sides exchanged",
    "corr()": "made of covariances",
    "ends_with": "nothing of SQL is planned as it; by example in test_functions.py",
}
# Of hostile rows no query has these (`fit_text`, of what is written, of none): random rows, or a
# server's answers, decide.
ANSWERED: Final = frozenset(
    {
        "byte_bit_count", "fit_text", "get_bit", "get_byte", "list_trim", "ltrim_bytes",
        "normalize", "number_text", "regexp_all", "regexp_all_groups", "rtrim_bytes", "set_bit",
        "set_byte", "sha224", "sha384", "sha512", "timezone_of", "to_bin", "to_oct", "trim_bytes",
        "utf8_text",
    }
)  # fmt: skip


def constructs(node: Any) -> Iterator[str]:
    """The names of all that a plan is made of, once for each place."""
    if isinstance(node, tuple):
        for part in node:
            yield from constructs(part)
    if not is_dataclass(node):
        return
    match node:
        case Join():
            yield f"{node.kind.name.lower()} join"
        case Aggregate():
            yield f"{node.function.name.lower()}()"
        case WindowFunction():
            yield f"{node.name.removesuffix('_ignoring_nulls')} over"
            if node.frame is not None:
                yield f"{node.frame.unit.name.lower()} frame"
                yield f"exclude {node.frame.exclude.name.lower()}"
        case TableFunction():
            yield f"{node.name} in from"
        case Call():
            yield node.function
        case Case() | Cast():
            yield type(node).__name__.lower()
        case _:
            yield type(node).__name__
    for part in fields(node):
        yield from constructs(getattr(node, part.name))


def of_queries(world: World, queries: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for query in queries:
        try:
            found.update(constructs(View(world, query).flow.plan))
        except ComputeError:
            continue  # random queries: some are refused
    return found


@cache
def suites() -> dict[str, frozenset[str]]:
    """What is in the plans of each sort of rows."""
    found = {"plain": of_queries(tables_alone(), EXAMPLES), "edges": set[str]()}
    for path in sorted(TICKS.glob("*.sql")):
        kind = KINDS.get(path.stem.split("_")[0], Rows)
        name = "plain" if kind is Rows else "edges"
        found[name] |= of_queries(ticking_world(kind.table), _queries(path))
    hostile = [*EVERY, *map(hostile_query, range(HOSTILE_SEEDS))]
    found["hostile"] = of_queries(hostile_world(), hostile)
    passing = World()
    passing.run(PASSING)
    texts = [
        place.format(e=expression)
        for place in PLACES.values()
        for expression, _ in FAILURES.values()
    ]
    found["failing"] = of_queries(failing_world(), FAILING) | of_queries(passing, texts)
    functions = World()
    functions.run(FUNCTION_TABLES)
    calls = [f"select {expression} from r" for expression, _ in FAILING_FUNCTIONS.values()]
    found["failing"] |= of_queries(functions, calls)
    return {name: frozenset(each) for name, each in found.items()}


def _queries(path: Path) -> list[str]:
    return [piece.text for piece in split_statements(path.read_text("utf-8"))]


def document() -> str:
    rows = []
    for group, names in GROUPS.items():
        counts = [len(each.intersection(names)) for each in suites().values()]
        rows.append(f"| {group}, {len(names)} | {' | '.join(map(str, counts))} |")
    reasons = [f"- {name}: {why}" for name, why in ELSEWHERE.items()]
    answered = ", ".join(sorted(ANSWERED))
    reasons.append(f"- by a server's answers, over rows of some sorts alone: {answered}")
    return HEAD + "\n".join(rows) + TAIL + "\n".join(reasons) + "\n"


def main() -> int:
    DOCUMENT.write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
