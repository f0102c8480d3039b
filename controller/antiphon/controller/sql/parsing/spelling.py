"""Tokens that are not as PostgreSQL reads the text, and what they have to be.

Numbers in other bases and with underscores, strings that go on in another line, and ORDER BY ...
USING, all as tokens that the parser knows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sqlglot.tokenizer_core import Token, TokenType

from antiphon.controller.sql.parsing.source import Source

_NUMBER: Final = re.compile(
    r"0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+"
    r"|\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?(?:[eE][+-]?\d+(?:_\d+)*)?"
)
_NUMBERS: Final = (TokenType.NUMBER, TokenType.HEX_STRING, TokenType.BIT_STRING)
_COMMENT: Final = re.compile(r"--[^\n]*")
_DIRECTIONS: Final = {TokenType.LT: TokenType.ASC, TokenType.GT: TokenType.DESC}


def respelt(source: Source, tokens: Sequence[Token], text: str) -> list[Token]:
    """The tokens of `text`, as the parser is to see them. O(tokens).

    Raises:
        InvalidSql: two strings next to each other in one line.
    """
    result: list[Token] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        count, made = 1, token
        if token.token_type in _NUMBERS:
            count, made = _number(tokens, place, text)
        elif token.token_type == TokenType.USING and place + 1 < len(tokens):
            # Of a sort; USING of a join or an index is followed by something else.
            operator = tokens[place + 1]
            direction = _DIRECTIONS.get(operator.token_type)
            if direction is not None:
                count, made = 2, _spanning(token, operator, direction, operator.text)
        elif token.token_type == TokenType.STRING and result:
            before = result[-1]
            if before.token_type == TokenType.STRING:
                if not _goes_on(text[before.end + 1 : token.start]):
                    raise source.invalid(token.start, f"syntax error near \"'{token.text}'\"")
                made = _spanning(result.pop(), token, TokenType.STRING, before.text + token.text)
        result.append(made)
        place += count
    return result


def _goes_on(between: str) -> bool:
    """Whether two strings with this between them are one."""
    blank = _COMMENT.sub("", between)
    return "\n" in blank and not blank.strip()


def _number(tokens: Sequence[Token], place: int, text: str) -> tuple[int, Token]:
    """How many tokens a number is, and the one that it becomes: decimal, without underscores."""
    first = tokens[place]
    found = _NUMBER.match(text, first.start)
    if found is None:
        return 1, first  # X'1F' and B'101' are no numbers
    written, last = found.group(), place
    while last + 1 < len(tokens) and tokens[last].end + 1 < found.end():
        last += 1
    if tokens[last].end + 1 != found.end():
        return 1, first
    plain = written.replace("_", "")
    if first.token_type == TokenType.NUMBER and plain == first.text:
        return 1, first
    if len(plain) > 1 and plain[1].lower() in "xob":
        plain = str(int(plain, 0))
    return last - place + 1, _spanning(first, tokens[last], TokenType.NUMBER, plain)


def _spanning(first: Token, last: Token, kind: TokenType, text: str) -> Token:
    return Token(kind, text, last.line, last.col, first.start, last.end, last.comments)
