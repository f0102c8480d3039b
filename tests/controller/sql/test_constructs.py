"""Nothing that a plan can hold, and no function that SQL knows, is without random ticks."""

from __future__ import annotations

import re

from antiphon.controller.sql.scalars.function_names import BUILDERS
from tests.controller.sql.test_example_ticks import QUERIES
from tests.exactness_document import DOCUMENT, GROUPS, TICKS, document, suites

# No query over such rows has it, and why.
ELSEWHERE = {
    "TemporalFilter": "the clock, in tests/replica/dataflow/test_temporal_filter.py",
    "now": "the clock, too",
    "right join": "made a left join with its sides exchanged",
    "corr()": "made of covariances",
    "ends_with": "nothing of SQL is planned as it; by example in test_functions.py",
}


def test_every_construct_of_plans_follows_random_rows() -> None:
    driven = suites()["plain"] | suites()["edges"]
    missing = {name for names in GROUPS.values() for name in names if name not in driven}
    assert missing == set(ELSEWHERE), "give it a query in tests/controller/sql/ticks"


def test_every_function_of_sql_follows_random_rows() -> None:
    texts = [*QUERIES, *(path.read_text("utf-8") for path in sorted(TICKS.glob("*.sql")))]
    called = set(re.findall(r"\b(\w+)\s*\(", " ".join(texts).lower()))
    missing = sorted(set(BUILDERS) - called)
    assert missing == [], "give it a query in tests/controller/sql/ticks"


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text("utf-8") == document(), "run `python -m tests.exactness_document`"
