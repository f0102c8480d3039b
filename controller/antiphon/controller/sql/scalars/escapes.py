"""LIKE ... ESCAPE: patterns that escape with any character, as ones that do with a backslash."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from antiphon.controller.sql.binding.coercion import Typed, Unknown
from antiphon.protocol.expression import Literal

if TYPE_CHECKING:
    from antiphon.controller.sql.scalars.scalar import Scalars


def pattern_with_escape(scalars: Scalars, node: exp.Expr, like: exp.Expr) -> Typed:
    """The pattern of `like`, which ESCAPE, `node`, stands behind.

    Raises:
        InvalidSql: more characters than one to escape with, or nothing that is escaped.
    """
    mark = scalars.lower(node.expression)
    if not isinstance(mark, Literal):
        raise scalars.source.unsupported(node, "ESCAPE with what is no constant")
    if mark.value is None:
        return Unknown(None)
    if not isinstance(mark.value, str) or len(mark.value) > 1:
        raise scalars.source.invalid(node.expression, "ESCAPE takes one character")
    pattern = scalars.typed(like.expression)
    if isinstance(pattern, Literal | Unknown):
        if not isinstance(pattern.value, str):
            return pattern
        try:
            return Unknown(escaped(pattern.value, mark.value))
        except ValueError as error:
            raise scalars.source.invalid(like.expression, str(error)) from None
    changed = exp.Anonymous(
        this="regexp_replace",
        expressions=[
            like.expression, exp.Literal.string(mark_regexp(mark.value)),
            exp.Literal.string(r"\\\1\2"), exp.Literal.string("g"),
        ],
    )  # fmt: skip
    return scalars.typed(changed.update_positions(node))


def escaped(pattern: str, mark: str) -> str:
    """LIKE's pattern that escapes with `mark`, or with nothing, as one that does with a backslash.

    Raises:
        ValueError: it ends with its escape character.
    """
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == mark:
            position += 1
            if position == len(pattern):
                raise ValueError("the pattern ends with its escape character")
            parts.append("\\" + pattern[position])
        else:
            parts.append("\\\\" if char == "\\" else char)
        position += 1
    return "".join(parts)


def mark_regexp(mark: str) -> str:
    """What `escaped` changes: the mark and what it escapes, which is group 1, or a backslash, which
    is group 2. At the end nothing is escaped, and that stays an error."""
    return r"()(\\)" if mark == "" else rf"{re.escape(mark)}(.?)|(\\)"
