"""What a plan's functions are called where people read it."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.explaining.spellings import spelling
from antiphon.controller.sql.scalars.function_names import BUILDERS
from antiphon.protocol.expression import FUNCTIONS
from tests.controller.sql.failing_functions import FAILING

# Of these a statement has several spellings.
SEVERAL = {"cast", "only_row", "timezone"}
# What the parser reads without a name of ours.
FORMS = {
    "coalesce", "extract", "greatest", "least", "normalize", "now", "nullif", "position",
    "regexp_matches", "substring", "trim",
}  # fmt: skip


@pytest.mark.parametrize("function", sorted(FAILING.keys() - SEVERAL))
def test_what_fails_is_called_as_the_statement_calls_it(function: str) -> None:
    written, _ = FAILING[function]
    assert spelling(function) in written


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_every_function_is_called_something_that_statements_know(function: str) -> None:
    spelt = spelling(function)
    assert spelt == spelt.upper() or spelt in BUILDERS or spelt in FORMS


def test_a_cast_is_a_cast() -> None:
    assert spelling("cast") == "CAST"
