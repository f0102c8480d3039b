"""Nothing that a plan can hold, and no function that SQL knows, is without random ticks."""

from __future__ import annotations

import re

from antiphon.controller.sql.scalars.function_names import BUILDERS
from antiphon.protocol.expression import FUNCTIONS
from tests.controller.sql.failing_functions import FAILING
from tests.controller.sql.test_example_ticks import QUERIES
from tests.exactness_document import ANSWERED, DOCUMENT, ELSEWHERE, GROUPS, TICKS, document, suites


def missing(*kinds: str) -> set[str]:
    """What no query over these kinds of rows has."""
    driven = {name for kind in kinds for name in suites()[kind]}
    return {name for names in GROUPS.values() for name in names} - driven


def test_every_construct_of_plans_follows_random_rows() -> None:
    assert missing("plain", "edges") - ANSWERED == set(ELSEWHERE), "give it a query in ticks"


def test_every_construct_of_plans_follows_hostile_rows() -> None:
    assert missing("hostile") - ANSWERED == set(ELSEWHERE), "give it a query in hostile.sql"


def test_every_construct_that_can_fail_does() -> None:
    harmless = FUNCTIONS - set(FAILING)
    assert missing("failing") - harmless == set(ELSEWHERE) - harmless, "give it a query"
    assert set(FAILING) - {"cast"} <= FUNCTIONS


def test_every_function_of_sql_follows_random_rows() -> None:
    texts = [*QUERIES, *(path.read_text("utf-8") for path in sorted(TICKS.glob("*.sql")))]
    called = set(re.findall(r"\b(\w+)\s*\(", " ".join(texts).lower()))
    missing = sorted(set(BUILDERS) - called)
    assert missing == [], "give it a query in tests/controller/sql/ticks"


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text("utf-8") == document(), "run `python -m tests.exactness_document`"
