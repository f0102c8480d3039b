"""What regular expressions match in text, replaced."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.expression import Call
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.text.regexps import grouped, matches_nothing, without
from antiphon.replica.dataflow.expressions.text.textual import by_constants, checked_patterns
from antiphon.replica.dataflow.expressions.vector import Vector

_EDGES: Final = re.compile(r"(?:\(\?[is]*\))?(?:\^|\$|\\[AzbB]|\||\((?:\?:)?|\))*")
_PARTS: Final = re.compile(r"\\([1-9&\\])|([^\\]+|\\)", re.DOTALL)


def replaced(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """(text, pattern, replacement [, flags]): the first match or, with the flag g, all."""
    new = arguments[2].literal
    if len(arguments) < 4 or (new is not None and new.value in ("", None)):
        patterns = checked_patterns(frame, call, arguments)
    else:
        # After a match RE2 leaves out an empty one, which PostgreSQL replaces as well.
        message = "a regular expression that matches the empty text does not replace all"
        patterns = without(frame, call, arguments, _matches_nothing_too, message)
    flags = arguments[3:] or [Vector.of_literal(call.arguments[0].type, "", frame.count)]
    parameters = [patterns, arguments[2], *flags]
    found = by_constants(_replace, arguments[0].array, parameters, pa.string())
    return Vector.of_array(call.type, found)


def _matches_nothing_too(pattern: str) -> bool:
    """Whether it matches the empty text, and not only that."""
    return matches_nothing(pattern) and _EDGES.fullmatch(pattern) is None


def _replace(text: pa.Array, pattern: str, replacement: str, flags: str) -> pa.Array:
    prefix = "(?i)" if "i" in flags else ""
    whole, count = grouped(prefix + pattern)
    parts = _parts_of(replacement, count)
    if "g" in flags:
        return pc.replace_substring_regex(text, prefix + pattern, "".join(map(_for_re2, parts)))
    # Arrow would match once more within what matched, where a word or the text has other edges.
    split = pc.extract_regex(text, rf"\A(?P<before>(?s:.*?))(?:{whole})(?P<behind>(?s:.*))\z")

    def group(name: str) -> pa.Array:
        return pc.fill_null(split.field(name), "")

    new = [pa.scalar(part) if isinstance(part, str) else group(f"g{part}") for part in parts]
    joined = pc.binary_join_element_wise(group("before"), *new, group("behind"), "")
    return pc.if_else(split.is_valid(), joined, text)


def _parts_of(replacement: str, count: int) -> list[str | int]:
    """Text, and groups by number: 0 is all that matched. `count`: of groups with that one. A group
    that the pattern has not is empty, and a backslash before anything else is one."""
    parts: list[str | int] = []
    for mark, plain in _PARTS.findall(replacement):
        if mark == "&":
            parts.append(0)
        elif mark.isdigit():
            parts += [int(mark)] if int(mark) < count else []
        else:
            parts.append(mark or plain)
    return parts


def _for_re2(part: str | int) -> str:
    return f"\\{part}" if isinstance(part, int) else part.replace("\\", "\\\\")


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "regexp_replace": replaced,
}
