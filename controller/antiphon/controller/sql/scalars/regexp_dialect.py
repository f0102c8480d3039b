"""Regular expressions as PostgreSQL writes them, for RE2, which runs them.

Of the two dialects most is the same. What is not is written anew or, where RE2 would take it for
something else or has nothing like it, refused: `\\b` is a word's edge there, and a backspace in
PostgreSQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_TOKENS: Final = re.compile(
    r"\\x[0-9a-fA-F]+|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\."
    r"|\[\^?\]?(?:\\x[0-9a-fA-F]+|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\.|\[:[a-z<>]+:\]"
    r"|\[([.=]).*?\1\]|[^\]\\])*\]|\((?:\?(?:<?[=!]|:|[a-z-]*\)?))?|[^\\\[(]+|.",
    re.DOTALL,
)
# Letters are those of any language, as in PostgreSQL where it is not told to know ASCII alone.
_WORD: Final = r"\pL\p{Nd}\p{Nl}_"
_SPACE: Final = r"\t-\r \x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{2028}\x{2029}\x{205f}\x{3000}"
_CLASSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "[:alpha:]": r"\pL\p{Nl}", "[:alnum:]": r"\pL\p{Nd}\p{Nl}", "[:word:]": _WORD,
        "[:upper:]": r"\p{Lu}\p{Lt}", "[:lower:]": r"\p{Ll}", "[:space:]": _SPACE,
        "[:punct:]": r"\pP\pS", "[:graph:]": r"\pL\pM\pN\pP\pS", "[:cntrl:]": r"\p{Cc}",
        "[:print:]": r"\pL\pM\pN\pP\pS\p{Zs}", r"\w": _WORD, r"\s": _SPACE, r"\e": r"\x{1b}",
    }
)  # fmt: skip
_IN_CLASS: Final = re.compile(r"\\x[0-9a-fA-F]+|\\u.{4}|\\U.{8}|\\.|\[:[a-z]+:\]", re.DOTALL)
_ESCAPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "\\y": "\\b", "\\Y": "\\B", "\\Z": "\\z", "\\w": f"[{_WORD}]", "\\W": f"[^{_WORD}]",
        "\\s": f"[{_SPACE}]", "\\S": f"[^{_SPACE}]", "\\e": r"\x{1b}",
    }
)  # fmt: skip
_EDGES: Final = "; a word's edge is \\y"
_REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "\\b": _EDGES, "\\B": "; where no word has an edge is \\Y", "\\m": _EDGES, "\\M": _EDGES,
        "[[:<:]]": _EDGES, "[[:>:]]": _EDGES, "\\C": "; any character is .",
        **dict.fromkeys(("(?=", "(?!", "(?<=", "(?<!"), "; it cannot look around"),
        **dict.fromkeys((f"\\{digit}" for digit in range(1, 10)), "; it cannot name a group"),
    }
)  # fmt: skip
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
    if pattern.startswith("***"):
        raise RefusedRegexp("*** before a regular expression")
    found = []
    for match in _TOKENS.finditer(pattern):
        token = match.group()
        if token in _REFUSED:
            raise RefusedRegexp(f"{token} in a regular expression", _REFUSED[token])
        if match[1] is not None:
            raise RefusedRegexp(f"{token} in a regular expression", "; write the characters")
        if token.startswith("[") and len(token) > 1:
            found.append(_IN_CLASS.sub(lambda part: _classed(part.group()), token))
        else:
            found.append(_ESCAPES.get(token) or _code(token))
    return "".join(found)


def _classed(part: str) -> str:
    """What stands in brackets for a part of what does."""
    return _CLASSES.get(part) or _code(part)


def _code(token: str) -> str:
    """A character by its number, as RE2 has it; anything else as it is."""
    is_code = token[:2] in ("\\x", "\\u", "\\U") and len(token) > 2
    return f"\\x{{{token[2:].lstrip('0') or '0'}}}" if is_code else token


def why_invalid(pattern: str) -> str | None:
    """Why RE2 cannot read a pattern; None: it can."""
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        reason: str = str(error).removeprefix("Invalid regular expression: ")
        return reason
    return None


def flagged(pattern: str, flags: str = "") -> str:
    """The pattern with flags in front, as RE2 takes them. `.` is a line's end too, as in PostgreSQL
    unless told otherwise."""
    flags += "s" if "." in pattern else ""
    return f"(?{flags}){pattern}" if flags else pattern
