"""Whatever is sent is planned or refused, in one line that says where; nothing else happens."""

from __future__ import annotations

import re

import pytest

from antiphon.client.statements import split
from antiphon.controller.sql.parsing.source import MESSAGE_CHARACTERS_MAX
from antiphon.controller.sql.planner import plan_statement, split_statements
from antiphon.protocol.errors import ComputeError, InvalidSql, LimitExceeded, UnsupportedSql
from antiphon.protocol.limits import SQL_TOKENS_MAX
from tests.controller.sql.hostile_statements import WRITTEN, deep, huge
from tests.controller.sql.recorded import NOW_MS
from tests.controller.sql.world import World, plan_one

PLACE = re.compile(r"line (\d+):(\d+): ")


@pytest.fixture(scope="module")
def world() -> World:
    made = World()
    made.run("CREATE TABLE t (a int, b int, c text); CREATE TABLE k (id int PRIMARY KEY, n text)")
    return made


def refusal(world: World, text: str) -> ComputeError | None:
    """Why the text is refused, as a client's script would meet it; None: all of it is planned."""
    try:
        for statement in split(text).all:
            for piece in split_statements(statement):
                plan_statement(piece, world.catalog, now_ms=NOW_MS)
    except ComputeError as error:
        return error
    return None


def check(world: World, text: str) -> None:
    error = refusal(world, text)
    if error is None:
        return
    shown = f"{text[:80]!r}: {error.message!r}"
    assert error.message.isprintable(), shown
    assert len(error.message) <= MESSAGE_CHARACTERS_MAX + 40, shown
    place = PLACE.match(error.message)
    line, column = error.details.get("line"), error.details.get("column")
    assert line is not None, shown
    assert column is not None, shown
    if place is not None:
        assert place.groups() == (line, column), shown
    assert 1 <= int(line) <= text.count("\n") + 1, shown
    assert 1 <= int(column) <= len(text) + 1, shown


def test_statements_of_all_kinds_are_planned_or_refused(world: World) -> None:
    assert len(WRITTEN) + len(deep()) + len(huge()) >= 400
    for text in WRITTEN:
        check(world, text)


@pytest.mark.parametrize("number", range(len(deep())))
def test_what_is_nested_deeply_is_planned_or_refused(world: World, number: int) -> None:
    check(world, deep()[number])


def test_what_is_huge_is_planned_or_refused(world: World) -> None:
    for text in huge():
        check(world, text)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("SELECT 0o18", InvalidSql, '"0o18" is no number'),
        ("SELECT 1__000", InvalidSql, '"1__000" is no number'),
        ("SELECT 12ab FROM t", InvalidSql, '"12ab" is no number'),
        ("SELECT * FROM t ASOF JOIN k ON a >= id", UnsupportedSql, "ASOF JOIN"),
        ("SELECT t.* EXCLUDE (zz) FROM t", InvalidSql, 'column "zz" does not exist'),
        ("SELECT * FROM generate_series(1, 2) AS g(x int)", UnsupportedSql, "with types"),
        ("SELECT sum(a) OVER (ROWS BETWEEN) FROM t", InvalidSql, "where it starts"),
        ("SELECT * FROM ONLY (t)", InvalidSql, "expected table name$"),
        ("SELECT 'a\nb' + 1", ComputeError, r"\"a\\nb\" is not a value"),
        ('SELECT "' + "x" * 999 + '" FROM t', InvalidSql, 'x…x+" does not exist'),
    ],
)
def test_what_was_read_as_something_else_once_is_refused(
    world: World, text: str, error: type[ComputeError], message: str
) -> None:
    with pytest.raises(error, match=message):
        plan_one(text, world.catalog)


def test_one_statement_does_not_keep_all_others_waiting(world: World) -> None:
    with pytest.raises(LimitExceeded, match="put values into a table") as found:
        plan_one(
            "SELECT a FROM t WHERE " + "a = 1 OR " * (SQL_TOKENS_MAX // 4) + "b", world.catalog
        )
    assert found.value.details["limit"] == "SQL_TOKENS_MAX"
