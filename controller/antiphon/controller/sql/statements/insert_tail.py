"""What may stand behind the rows of an INSERT: ON CONFLICT, then RETURNING."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.dialect import parse
from antiphon.controller.sql.parsing.source import Source

_WORDS: Final = re.compile(r"\bON\s+CONFLICT\b|\bRETURNING\b", re.IGNORECASE)
_BEFORE: Final = "INSERT INTO x SELECT 1 "  # for the parser, in place of what stands there


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The clauses as they were parsed, and where the rows before them end."""

    stop: int
    conflict: exp.Expr | None = None
    returning: exp.Expr | None = None


def tail_of(source: Source, start: int) -> Tail:
    """What stands behind the rows that begin at `start`.

    Raises:
        InvalidSql: it does not parse.
    """
    text = source.piece.text
    at = None if _WORDS.search(text, start) is None else _place(source, start)
    if at is None:
        return Tail(stop=len(text))
    # Blanks keep the offsets those of the whole statement.
    alone = Source(replace(source.piece, text=_BEFORE.ljust(at) + text[at:]))
    whole = parse(alone)
    conflict, returning = whole.args.get("conflict"), whole.args.get("returning")
    if conflict is None and returning is None:
        raise source.invalid(at, f'syntax error near "{text[at:].split(None, 1)[0]}"')
    return Tail(stop=at, conflict=conflict, returning=returning)


def _place(source: Source, start: int) -> int | None:
    """Where the first of the clauses stands, outside of brackets and quotes."""
    cursor, depth = Cursor(source, start), 0
    while not cursor.at_end:
        found = cursor.take()
        depth += {"(": 1, ")": -1}.get(found.upper, 0)
        if depth == 0 and found.upper == "RETURNING":
            return found.start
        if depth == 0 and found.upper == "ON" and cursor.peek().upper == "CONFLICT":
            # ON in a join may stand before a column of this name.
            following = Cursor(source, cursor.peek().stop).peek().upper
            if following in ("(", "DO", "ON"):
                return found.start
    return None
