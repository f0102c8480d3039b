"""Expressions whose answers PostgreSQL's documentation and server give: `known_answers.sql`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from antiphon.protocol.errors import DataError
from tests.controller.sql.world import World

LINES = (Path(__file__).parent / "known_answers.sql").read_text(encoding="utf-8").splitlines()
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
        f"SELECT ({expression})::text FROM one WHERE x = 1",
        f"SELECT (CASE WHEN x = 1 THEN {expression} END)::text FROM one",
    ):
        try:
            ((found,),) = world().select(query)
        except DataError as error:
            found = f"error: {error.message}"
        assert ("null" if found is None else found) == answer, query
