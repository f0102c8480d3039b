"""Regular expressions as PostgreSQL writes them, for RE2, which runs them.

Of the two dialects most is the same. What is not is written anew or, where RE2 would take it for
something else, refused: `\\b` is a word's edge there, and a backspace in PostgreSQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_TOKENS: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:[a-z]+:\]|[^\]\\])*\]|[^\\\[]+|.", re.DOTALL)
_ESCAPES: Final[Mapping[str, str]] = MappingProxyType({"\\y": "\\b", "\\Y": "\\B", "\\Z": "\\z"})
_REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "\\b": "; a word's edge is \\y",
        "\\B": "; where no word has an edge is \\Y",
        "\\m": "; a word's edge is \\y",
        "\\M": "; a word's edge is \\y",
    }
)
_OPTIONS: Final = re.compile(r"\(\?([a-z]+)\)")


class RefusedRegexp(Exception):
    """`what` is not supported; `hint` says what is instead."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


def for_re2(pattern: str) -> str:
    """The same pattern for RE2.

    Raises:
        RefusedRegexp: RE2 has nothing like a part of it.
    """
    options = _OPTIONS.match(pattern)
    if options is not None and not set(options[1]) <= set("is"):
        raise RefusedRegexp(f"the option (?{options[1]}) of a regular expression")
    found = []
    for token in _TOKENS.findall(pattern):
        if token in _REFUSED:
            raise RefusedRegexp(f"{token} in a regular expression", _REFUSED[token])
        found.append(_ESCAPES.get(token, token))
    return "".join(found)


def flagged(pattern: str, flags: str = "") -> str:
    """The pattern with flags in front, as RE2 takes them. `.` is a line's end too, as in PostgreSQL
    unless told otherwise."""
    flags += "s" if "." in pattern else ""
    return f"(?{flags}){pattern}" if flags else pattern
