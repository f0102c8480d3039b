"""Where the rows of an INSERT end, and what stands behind them."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statements.insert_tail import tail_of
from antiphon.protocol.errors import InvalidSql
from tests.controller.sql.world import one


def tail(text: str) -> tuple[str, bool, bool]:
    """The rows, and whether ON CONFLICT and RETURNING stand behind them."""
    found = tail_of(Source(one(text)), 0)
    return text[: found.stop], found.conflict is not None, found.returning is not None


def test_the_clauses_end_the_rows() -> None:
    assert tail("VALUES (1) ON CONFLICT DO NOTHING") == ("VALUES (1) ", True, False)
    assert tail("VALUES (1) returning a") == ("VALUES (1) ", False, True)
    assert tail("VALUES (1) ON CONFLICT DO NOTHING RETURNING a") == ("VALUES (1) ", True, True)


@pytest.mark.parametrize(
    "text",
    [
        "VALUES (1)",
        "VALUES ('ON CONFLICT DO NOTHING', 'RETURNING a')",
        'SELECT "returning" FROM t',
        "SELECT 1 /* RETURNING a */ -- ON CONFLICT DO NOTHING",
        "SELECT a FROM (SELECT 1) q JOIN (SELECT true AS conflict) r ON conflict",
    ],
)
def test_the_words_alone_end_nothing(text: str) -> None:
    assert tail(text) == (text, False, False)


def test_what_does_not_parse_is_refused_in_its_place() -> None:
    with pytest.raises(InvalidSql, match="1:26"):
        tail("INSERT INTO t VALUES (1) RETURNING")
