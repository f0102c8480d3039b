"""Where one SQL statement ends and the next begins, and what a statement does to the world.

The client needs both before it asks the server: a script is sent statement by statement, so that
each can be retried by itself, and only what is safe to repeat is retried. Quotes, dollar quotes and
nested comments follow PostgreSQL. Nothing here parses SQL beyond its first word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from antiphon.protocol.errors import ComputeError, InvalidArgument


class Effect(Enum):
    """What a repeated statement would do."""

    READ = "read"  # nothing: repeat freely
    CHANGE = "change"  # the change again, unless a producer sequence goes with it
    CATALOG = "catalog"  # an error the second time: never repeat when in doubt
    SUBSCRIBE = "subscribe"  # does not end


_EFFECTS: Final = {
    "select": Effect.READ,
    "values": Effect.READ,
    "table": Effect.READ,
    "from": Effect.READ,
    "show": Effect.READ,
    "explain": Effect.READ,
    "with": Effect.CHANGE,  # a query may hold an INSERT; a sequence does not hurt a read
    "insert": Effect.CHANGE,
    "update": Effect.CHANGE,
    "delete": Effect.CHANGE,
    "subscribe": Effect.SUBSCRIBE,
}

# Alternatives in the order they are tried; the scanner copies everything else one run at a time.
_TOKEN: Final = re.compile(
    r"""
      (?P<end>;)
    | (?P<line>--[^\n]*)
    | (?P<block>/\*)
    | (?P<escape>(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*(?P<escape_end>'?))
    | (?P<text>'(?:[^']|'')*(?P<text_end>'?))
    | (?P<name>"(?:[^"]|"")*(?P<name_end>"?))
    | (?P<dollar>(?<![\w$])\$(?P<tag>(?:[A-Za-z_]\w*)?)\$)
    | (?P<word>[\w$]+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")
_NOT_BLANK: Final = re.compile(r"\S")
_WORD: Final = re.compile(r"[A-Za-z]+")


class Place(NamedTuple):
    """Where something begins in a text; both count from 1, in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Script:
    """`statements`: complete, without their semicolons, never blank. `rest`: what follows the last
    semicolon, blank if the text ended there. `places`: where each statement begins, then the rest.
    `is_open`: the rest ends inside a quote or comment."""

    statements: tuple[str, ...]
    rest: str
    places: tuple[Place, ...]
    is_open: bool = False

    @property
    def all(self) -> tuple[str, ...]:
        """The statements, with the rest as the last one unless it says nothing."""
        if says_something(self.rest):
            return (*self.statements, self.rest.strip())
        return self.statements


def text_of(value: object) -> str:
    """The value, which a caller gave as SQL or as a name.

    Raises:
        InvalidArgument: it is no text.
    """
    if not isinstance(value, str):
        raise InvalidArgument(f"SQL is text, not a {type(value).__name__}")
    return value


def split(text: str) -> Script:
    """Cuts a text at its top-level semicolons. O(length)."""
    statements: list[str] = []
    begins: list[int] = []
    start = position = 0
    is_open = False
    while position < len(text):
        token = _TOKEN.match(text, position)
        assert token is not None, "the last alternative matches any character"
        position = token.end()
        match token.lastgroup:
            case "end":
                piece = text[start : token.start()]
                if says_something(piece):
                    statements.append(piece.strip())
                    begins.append(_begin(text, start))
                start = position
            case "block":
                position, is_open = _skip_comment(text, position)
            case "escape" | "text" | "name":
                is_open = token[token.lastgroup + "_end"] == ""
            case "dollar":
                closing = text.find(f"${token['tag']}$", position)
                is_open = closing < 0
                position = len(text) if is_open else closing + len(token["tag"]) + 2
            case _:
                pass
    begins.append(_begin(text, start))
    return Script(tuple(statements), text[start:], _places(text, begins), is_open)


def in_script(error: ComputeError, place: Place) -> ComputeError:
    """The error of a statement that was sent alone, as one of the script in which it begins at
    `place`: the line and column that it gives move there."""
    line, column = error.details.get("line", ""), error.details.get("column", "")
    if place == (1, 1) or not (line.isdecimal() and column.isdecimal()):
        return error
    there = Place(
        place.line + int(line) - 1, int(column) + (place.column - 1 if line == "1" else 0)
    )
    message, told = error.message, f"line {line}:{column}: "
    if message.startswith(told):
        message = f"line {there.line}:{there.column}: {message.removeprefix(told)}"
    details = {**error.details, "line": str(there.line), "column": str(there.column)}
    return type(error)(message, **details)


def effect_of(statement: str) -> Effect:
    """What repeating this one statement would do, by its first word. O(what stands before it)."""
    begin = _first(statement, skip="(")
    word = _WORD.match(statement, begin)
    return _EFFECTS.get(word[0].lower(), Effect.CATALOG) if word else Effect.CATALOG


def says_something(text: str) -> bool:
    """Whether anything but blanks and comments is there. O(what of these stands before it)."""
    return _first(text) < len(text)


def subscribe_target(text: str) -> str:
    """What a `SUBSCRIBE [TO] target` names, or the text itself if it is none."""
    bare = _strip_comments(text).strip().rstrip(";").rstrip()
    return re.sub(r"(?is)^subscribe\s+(to\s+)?", "", bare, count=1).strip()


def is_name(text: str) -> bool:
    """Whether the text is a collection's name rather than a query."""
    return (
        re.fullmatch(r'\s*(?:\w+|"(?:[^"]|"")+")(?:\.(?:\w+|"(?:[^"]|"")+"))*\s*', text) is not None
    )


def _first(text: str, skip: str = "") -> int:
    """Where the first character stands that is no blank, in no comment and not one of `skip`; the
    text's length if there is none."""
    position = 0
    while (position := _begin(text, position)) < len(text):
        if text.startswith("--", position):
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        elif text.startswith("/*", position):
            position, _ = _skip_comment(text, position + 2)
        elif text[position] in skip:
            position += 1
        else:
            return position
    return len(text)


def _begin(text: str, start: int) -> int:
    """Where the first character from `start` on that is not blank stands."""
    found = _NOT_BLANK.search(text, start)
    return len(text) if found is None else found.start()


def _places(text: str, begins: list[int]) -> tuple[Place, ...]:
    """The places of ascending offsets. O(length)."""
    places: list[Place] = []
    seen, line, line_begin = 0, 1, 0
    for begin in begins:
        line += text.count("\n", seen, begin)
        line_begin = max(line_begin, text.rfind("\n", seen, begin) + 1)
        places.append(Place(line, begin - line_begin + 1))
        seen = begin
    return tuple(places)


def _skip_comment(text: str, position: int) -> tuple[int, bool]:
    """The place after a block comment that opened before `position`, and whether it never ends."""
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(text, position)
        if edge is None:
            return len(text), True
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position, False


def _strip_comments(text: str) -> str:
    """The text with each comment replaced by a blank; quotes are left alone."""
    parts: list[str] = []
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        assert token is not None, "the last alternative matches any character"
        position = token.end()
        if token.lastgroup == "block":
            position, _ = _skip_comment(text, position)
        if token.lastgroup in ("block", "line"):
            parts.append(" ")
        elif token.lastgroup == "dollar":
            closing = text.find(f"${token['tag']}$", position)
            end = len(text) if closing < 0 else closing + len(token["tag"]) + 2
            parts.append(text[token.start() : end])
            position = end
        else:
            parts.append(token[0])
    return "".join(parts)
