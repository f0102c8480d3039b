"""Cutting a text into statements, at semicolons outside quotes and comments."""

from __future__ import annotations

import re
from typing import Final

from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statement import StatementText
from antiphon.protocol.errors import LimitExceeded
from antiphon.protocol.limits import SQL_BYTES_MAX

# What may hide a semicolon, and the semicolon. Possessive by construction: each alternative is a
# loop over one character class, so that no text makes the scan quadratic.
_LANDMARK: Final = re.compile(
    r"""
      ;
    | --[^\n]*
    | /\*
    | \b[eE]'(?:[^'\\]|''|\\.)*(?P<escaped_end>')?
    | '(?:[^']|'')*(?P<string_end>')?
    | "(?:[^"]|"")*(?P<name_end>")?
    | \$(?P<tag>[A-Za-z_][A-Za-z_0-9]*)?\$
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")


def split_statements(text: str) -> tuple[StatementText, ...]:
    """The statements of `text`, without semicolons, comments before them and blank ones.

    Raises:
        InvalidSql: a quote or a comment without end, or a NUL, with its place.
        LimitExceeded: the text is larger than SQL_BYTES_MAX.
    """
    size = len(text.encode())
    if size > SQL_BYTES_MAX:
        raise LimitExceeded(
            f"the statements have {size} bytes, at most {SQL_BYTES_MAX} are allowed; "
            "load large data with `antiphon load` or an append",
            limit="SQL_BYTES_MAX",
            value=SQL_BYTES_MAX,
        )
    if (nul := text.find("\0")) >= 0:
        raise _whole(text).invalid(nul, "a NUL character; no statement has one")
    pieces: list[StatementText] = []
    start = position = 0
    while (landmark := _LANDMARK.search(text, position)) is not None:
        position = landmark.end()
        if landmark.group() == ";":
            _add(pieces, text, start, landmark.start())
            start = position
        else:
            position = _end_of(text, landmark)
    _add(pieces, text, start, len(text))
    return tuple(pieces)


def _end_of(text: str, landmark: re.Match[str]) -> int:
    """Where the quote or comment that begins at `landmark` ends."""
    opening = landmark.group()
    begin = landmark.start()
    if opening.startswith("--"):
        return landmark.end()
    if opening == "/*":
        depth, position = 1, landmark.end()
        while depth:
            edge = _COMMENT_EDGE.search(text, position)
            if edge is None:
                raise _whole(text).invalid(begin, "a comment without end")
            depth += 1 if edge.group() == "/*" else -1
            position = edge.end()
        return position
    if opening.startswith("$"):
        close = text.find(opening, landmark.end())
        if close < 0:
            raise _whole(text).invalid(begin, f"a string without its closing {opening}")
        return close + len(opening)
    closed = ("escaped_end", "string_end", "name_end")
    if not any(landmark.group(name) for name in closed):
        what = "a quoted name" if opening.startswith('"') else "a string"
        raise _whole(text).invalid(begin, f"{what} without end")
    return landmark.end()


def _add(pieces: list[StatementText], text: str, start: int, stop: int) -> None:
    """Append text[start:stop] as a statement unless there is nothing in it."""
    while start < stop:
        if text[start].isspace():
            start += 1
        elif text.startswith("--", start):
            newline = text.find("\n", start, stop)
            start = stop if newline < 0 else newline
        elif text.startswith("/*", start):
            comment = _LANDMARK.match(text, start)
            assert comment is not None, "a comment that the scan did not see"
            start = _end_of(text, comment)
        else:
            break
    piece = text[start:stop].rstrip()
    if piece:
        line, column = _whole(text).place(start)
        pieces.append(StatementText(text=piece, line=line, column=column))


def _whole(text: str) -> Source:
    return Source(StatementText(text=text))
