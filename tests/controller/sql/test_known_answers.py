"""Expressions whose answers PostgreSQL gives: its documentation, by hand, in `known_answers.sql`,
and a server of it, recorded, in `postgres_answers.sql`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from antiphon.protocol.errors import DataError
from tests.controller.sql.world import World

pytestmark = pytest.mark.slow  # once is enough: no order of a set is in what they compare

FILES = [Path(__file__).parent / name for name in ("known_answers.sql", "postgres_answers.sql")]
LINES = [line for path in FILES for line in path.read_text(encoding="utf-8").splitlines()]
CASES = [tuple(line.split(" -- ", 1)) for line in LINES if line and not line.startswith("--")]


@cache
def world() -> World:
    made = World()
    made.run("CREATE TABLE one (x int); INSERT INTO one VALUES (1)")
    return made


@pytest.mark.parametrize(("expression", "answer"), CASES)
def test_the_answer_is_that_of_postgresql(expression: str, answer: str) -> None:
    """As text; `error: ` and its message where it is an error of the row. Over constants, and over
    what no planner can compute."""
    for query in (
        f"SELECT ({expression})::text",
        f"SELECT (CASE WHEN x = 1 THEN {expression} END)::text FROM one",
    ):
        try:
            ((found,),) = world().select(query)
        except DataError as error:
            found = f"error: {error.message}"
        assert ("null" if found is None else found) == answer, query
