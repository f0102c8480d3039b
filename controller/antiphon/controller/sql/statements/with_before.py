"""WITH in front of a change: which change it is, and where that begins."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.dialect import parse
from antiphon.controller.sql.parsing.source import Source

# None of these words is reserved: what follows tells a change from a name.
_FOLLOWED: Final = {"INSERT": ("INTO",), "DELETE": ("FROM",), "UPDATE": ()}
_QUERIES: Final = frozenset({"SELECT", "VALUES", "TABLE", "FROM"})


def change_after_with(source: Source, start: int = 0) -> tuple[str, int] | None:
    """INSERT, UPDATE or DELETE after the WITH at `start`, and where it stands; None: a query."""
    cursor, depth = Cursor(source, start), 0
    cursor.take()
    while not cursor.at_end:
        found = cursor.take()
        depth += {"(": 1, ")": -1}.get(found.upper, 0)
        if depth:
            continue
        if found.upper in _QUERIES:
            return None
        if found.upper in _FOLLOWED and _begins(found.upper, cursor):
            return found.upper, found.start
    return None


def _begins(verb: str, cursor: Cursor) -> bool:
    following = cursor.peek()
    if _FOLLOWED[verb]:
        return following.upper in _FOLLOWED[verb]
    return following.kind in ("word", "quoted") and following.upper != "AS"


def tables_before(source: Source, stop: int) -> exp.Expr:
    """The WITH that ends at `stop`.

    Raises:
        InvalidSql: it does not parse.
    """
    text = source.piece.text[:stop] + "SELECT 1"
    clause: exp.Expr | None = parse(Source(replace(source.piece, text=text))).args.get("with_")
    if clause is None:
        raise source.invalid(None, "WITH defines nothing")
    return clause
