"""Where in the text something went wrong, and the errors that say so.

Lines and columns count from 1, in characters, in the text that the caller sent; so an error in the
third statement of a script points into the script.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, TypeVar

from sqlglot import exp

from antiphon.controller.sql.statement import StatementText
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    InvalidSql,
    TypeMismatch,
    UnsupportedSql,
)

E = TypeVar("E", bound=ComputeError)

MESSAGE_CHARACTERS_MAX: Final = 400  # what people read; the statement itself they have
_END: Final = 80  # of a message that is longer, what is still shown of its end

Spot = exp.Expr | int | None  # a node, an offset into the statement's text, or the statement


class Source:
    """One statement's text, for messages."""

    __slots__ = ("piece",)

    def __init__(self, piece: StatementText) -> None:
        self.piece = piece

    def until(self, stop: int) -> Source:
        """The text before an offset, in the same place."""
        return Source(replace(self.piece, text=self.piece.text[:stop]))

    def place(self, spot: Spot) -> tuple[int, int]:
        """Line and column of an offset or of the first token known under a node."""
        offset = _offset_of(spot) if isinstance(spot, exp.Expr) else spot
        before = self.piece.text[: offset or 0]
        lines = before.count("\n")
        if lines:
            return self.piece.line + lines, len(before) - before.rfind("\n")
        if self.piece.line < 1:  # before the caller's own text
            return 1, 1
        return self.piece.line, self.piece.column + len(before)

    def invalid(self, spot: Spot, message: str) -> InvalidSql:
        return self._error(InvalidSql, spot, message)

    def unsupported(self, spot: Spot, construct: str, hint: str = "") -> UnsupportedSql:
        message = f"{construct} is not supported{hint}"
        return self._error(UnsupportedSql, spot, message, construct)

    def mismatch(self, spot: Spot, message: str) -> TypeMismatch:
        return self._error(TypeMismatch, spot, message)

    def missing(self, spot: Spot, what: str, name: str, known: Iterable[str]) -> CollectionMissing:
        message = f'{what} "{name}" does not exist{near_miss(name, known)}'
        error = self._error(CollectionMissing, spot, message)
        error.details["name"] = name
        return error

    def knows(self, node: exp.Expr) -> bool:
        """Whether anything under the node has a place."""
        return _offset_of(node) is not None

    def follows_word(self, node: exp.Expr, word: str) -> bool:
        """Whether `word` stands directly before a node, but for parentheses."""
        offset = _offset_of(node)
        before = self.piece.text[: offset or 0].rstrip().rstrip("(").rstrip()
        return before.upper().endswith(word)

    def _error(self, kind: type[E], spot: Spot, message: str, construct: str | None = None) -> E:
        line, column = self.place(spot)
        error = kind(f"line {line}:{column}: {in_one_line(message)}", line=line, column=column)
        if construct is not None:
            error.details["construct"] = construct
        return error


def in_one_line(message: str) -> str:
    """The message for people, whatever was quoted in it: of a long one the middle is left out."""
    if len(message) > MESSAGE_CHARACTERS_MAX:
        message = f"{message[: MESSAGE_CHARACTERS_MAX - _END]}…{message[-_END:]}"
    if message.isprintable():
        return message
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)


def near_miss(name: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing when no name is close."""
    close = difflib.get_close_matches(name, sorted(set(known)), n=1, cutoff=0.65)
    return f'; did you mean "{close[0]}"?' if close else ""


def _offset_of(node: exp.Expr) -> int | None:
    """The parser notes positions of names, calls and literals; a node begins where the first of
    these under it does."""
    offsets = [
        found.meta["start"] for found in node.walk() if found._meta and "start" in found._meta
    ]
    return min(offsets, default=None)
