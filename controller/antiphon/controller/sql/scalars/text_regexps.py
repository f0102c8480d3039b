"""Functions of regular expressions: their flags, and where in the text they begin.

What begins later is looked for in the rest of the text. So a pattern that asks what stands before
it (`^`, `\\b`) has to be known, and is refused there: in the rest it would see another text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.binding.coercion import Unknown
from antiphon.controller.sql.parsing.source import Source, Spot
from antiphon.controller.sql.scalars.functions import Arguments, Builder, call, fixed
from antiphon.controller.sql.scalars.regexp_dialect import (
    RefusedRegexp,
    flagged,
    for_re2,
    why_invalid,
)
from antiphon.controller.sql.scalars.similar_patterns import similar_part
from antiphon.controller.sql.scalars.text_functions import text_literal
from antiphon.protocol.expression import Branch, Case, Expression, Literal
from antiphon.protocol.schema import BOOLEAN, INT32, TEXT, Type, list_of

# i: in any case; c: not so; s: `.` is a line's end too, as it is without a flag.
_FLAGS: Final = frozenset("ics")
_TOKENS: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\^|\$|\(\?P?<|\(\?|\(", re.DOTALL)
_LOOKING_BACK: Final = frozenset({"^", "\\A", "\\b", "\\B"})
_LOOKING_AROUND: Final = _LOOKING_BACK | {"$", "\\z", "\\Z"}


def _number(value: int) -> Literal:
    return Literal(value=value, type=INT32)


def _constant(arguments: Arguments, index: int, name: str, least: int) -> int | None:
    """A literal number; None where the call has no such argument.

    Raises:
        InvalidSql: it is less than the least.
    """
    if len(arguments.values) <= index:
        return None
    given = arguments.as_type(index, INT32)
    if not isinstance(given, Literal) or not isinstance(given.value, int):
        what = f"{arguments.name} with a {name} that is no constant"
        raise arguments.source.unsupported(arguments.spots[index], what)
    if given.value < least:
        message = f"the {name} of {arguments.name} must be at least {least}"
        raise arguments.source.invalid(arguments.spots[index], message)
    return given.value


def _only(arguments: Arguments, index: int, name: str, *allowed: int) -> int:
    """A literal number that is one of those served, the first of which is meant where none is."""
    given = _constant(arguments, index, name, 0)
    found = allowed[0] if given is None else given
    if found not in allowed:
        what = f"the {name} {found} in {arguments.name}"
        raise arguments.source.unsupported(arguments.spots[index], what)
    return found


def _flags(arguments: Arguments, index: int, more: str = "") -> str:
    if len(arguments.values) <= index:
        return ""
    what = f"{arguments.name} with flags that are not a literal"
    flags = text_literal(arguments, index, what)
    if not set(flags) <= _FLAGS | set(more):
        what = f"{arguments.name} with the flags '{flags}'"
        raise arguments.source.unsupported(arguments.spots[index], what)
    return flags


def _pattern(arguments: Arguments, flags: str = "") -> Expression:
    """The pattern for RE2. Of the flags i and c the last one counts."""
    case = "i" if flags.rfind("i") > flags.rfind("c") else ""
    pattern = arguments.as_type(1, TEXT)
    return re2_pattern(arguments.source, arguments.spots[1], pattern, case)


def re2_pattern(source: Source, spot: Spot, pattern: Expression, flags: str) -> Expression:
    """The pattern for RE2, with flags in front of it.

    Raises:
        UnsupportedSql: a literal that RE2 has nothing like. InvalidSql: one that is none.
    """
    if not isinstance(pattern, Literal):
        # What a column's pattern says is known to the replica alone.
        return call("concat", [Literal(value=f"(?{flags}s)", type=TEXT), pattern], TEXT)
    if not isinstance(pattern.value, str):
        return pattern
    try:
        wanted = flagged(for_re2(pattern.value), flags)
    except RefusedRegexp as refused:
        raise source.unsupported(spot, refused.what, refused.hint) from None
    reason = why_invalid(wanted)
    if reason is not None:
        raise source.invalid(spot, f"invalid regular expression: {reason}")
    return Literal(value=wanted, type=TEXT)


def _rest(arguments: Arguments, start: int) -> Expression:
    """The text from a character on."""
    text = arguments.as_type(0, TEXT)
    if start == 1:
        return text
    pattern = _pattern(arguments)
    known = isinstance(pattern, Literal) and isinstance(pattern.value, str)
    if not known or looks_back(str(getattr(pattern, "value", ""))):
        what = f"{arguments.name} from a later start, of a pattern that may look back,"
        raise arguments.source.unsupported(arguments.spots[1], what)
    return call("substring", [text, _number(start)], TEXT)


def looks_back(pattern: str) -> bool:
    """Whether a match may depend on what stands before it."""
    return any(found in _LOOKING_BACK for found in _TOKENS.findall(pattern))


def looks_around(pattern: str) -> bool:
    """Whether a match may depend on what stands before or behind it."""
    return any(found in _LOOKING_AROUND for found in _TOKENS.findall(pattern))


def count_groups(pattern: str) -> int:
    """How many groups a match has; those that capture nothing are none."""
    found = _TOKENS.findall(pattern)
    return found.count("(") + found.count("(?P<")


def _nth(read: list[Expression], number: int) -> Expression:
    """The text of the n-th match."""
    if number == 1:
        return call("regexp_substring", read, TEXT)
    return call("element", [call("regexp_all", read, list_of(TEXT)), _number(number)], TEXT)


def _alone(arguments: Arguments, read: list[Expression]) -> Expression:
    """The pattern of a match's text alone.

    Raises:
        UnsupportedSql: it asks what is around it.
    """
    pattern = read[1]
    if not isinstance(pattern, Literal) or looks_around(str(pattern.value)):
        what = f"{arguments.name} of groups or a later match, of a pattern that may look around,"
        raise arguments.source.unsupported(arguments.spots[1], what)
    if not isinstance(pattern.value, str):
        return pattern
    return Literal(value=f"\\A(?:{pattern.value})\\z", type=TEXT)


def _group(arguments: Arguments, read: list[Expression], number: int, group: int) -> Expression:
    """The text of a group of the n-th match; null where the pattern has no such group."""
    pattern = read[1]
    if not isinstance(pattern, Literal):
        what = f"{arguments.name} of a group, of a pattern that is no literal,"
        raise arguments.source.unsupported(arguments.spots[1], what)
    if group > count_groups(str(pattern.value)):
        return Literal(value=None, type=TEXT)
    if number > 1:
        read = [_nth(read, number), _alone(arguments, read)]
    return call("element", [call("regexp_groups", read, list_of(TEXT)), _number(group)], TEXT)


def _before(read: list[Expression], number: int) -> Expression:
    """How many characters stand before the n-th match, if there is one."""
    sized = []
    for function, count in (("regexp_split", number), ("regexp_all", number - 1)):
        parts = call(function, read, list_of(TEXT))
        first = call("slice", [parts, _number(1), _number(count)], list_of(TEXT))
        joined = call("list_to_text", [first, Literal(value="", type=TEXT)], TEXT)
        sized.append(call("length", [joined], INT32))
    return call("add", sized, INT32)


def _checked(arguments: Arguments, most: int, fewest: int = 2) -> None:
    if not fewest <= len(arguments.values) <= most:
        raise arguments.wrong()


def _plain(function: str, kind: Type) -> Builder:
    """(text, pattern [, flags])."""

    def build(arguments: Arguments) -> Expression:
        _checked(arguments, 3)
        pattern = _pattern(arguments, _flags(arguments, 2))
        return call(function, [arguments.as_type(0, TEXT), pattern], kind)

    return build


def _count(arguments: Arguments) -> Expression:
    """(text, pattern [, start [, flags]])."""
    _checked(arguments, 4)
    start = _constant(arguments, 2, "start", 1) or 1
    pattern = _pattern(arguments, _flags(arguments, 3))
    return call("regexp_count", [_rest(arguments, start), pattern], INT32)


def _place(arguments: Arguments) -> Expression:
    """(text, pattern [, start [, which match [, 1: the place behind it [, flags [, group]]]]])."""
    _checked(arguments, 7)
    start = _constant(arguments, 2, "start", 1) or 1
    number = _constant(arguments, 3, "match number", 1) or 1
    behind = _only(arguments, 4, "end option", 0, 1)
    pattern = _pattern(arguments, _flags(arguments, 5))
    _only(arguments, 6, "group", 0)
    read = [_rest(arguments, start), pattern]
    if number == start == 1 and not behind:
        return call("regexp_place", read, INT32)
    if number == 1:
        place = call("add", [call("regexp_place", read, INT32), _number(start - 1)], INT32)
    else:
        place = call("add", [_before(read, number), _number(start)], INT32)
    if behind:
        size = call("length", [_nth(read, number)], INT32)
        place = call("add", [place, size], INT32)
    # Null where the text or the pattern is, 0 where there is no such match.
    known = call("is_not_null", [call("regexp_count", read, INT32)], BOOLEAN)
    there = call("is_not_null", [_nth(read, number)], BOOLEAN)
    branches = (Branch(condition=there, value=place), Branch(condition=known, value=_number(0)))
    return Case(branches=branches, otherwise=Literal(value=None, type=INT32), type=INT32)


def _substring(arguments: Arguments) -> Expression:
    """(text, pattern [, start [, which match [, flags [, group]]]])."""
    _checked(arguments, 6)
    start = _constant(arguments, 2, "start", 1) or 1
    number = _constant(arguments, 3, "match number", 1) or 1
    pattern = _pattern(arguments, _flags(arguments, 4))
    group = _constant(arguments, 5, "group", 0) or 0
    read = [_rest(arguments, start), pattern]
    return _group(arguments, read, number, group) if group else _nth(read, number)


def _replace(arguments: Arguments) -> Expression:
    """(text, pattern, replacement [, flags]), or with (start [, which match [, flags]]) behind
    these: one match or, with the flag g or the number 0, all."""
    _checked(arguments, 6, fewest=3)
    numbered = len(arguments.values) > 4 or _is_number(arguments, 3)
    start, flags, every, number = 1, "", False, 1
    if numbered:
        start = _constant(arguments, 3, "start", 1) or 1
        flags = _flags(arguments, 5, "g")
        given = _constant(arguments, 4, "match number", 0)
        every = "g" in flags if given is None else given == 0
        number = given or 1
    else:
        flags = _flags(arguments, 3, "g")
        every = "g" in flags
    read = [_rest(arguments, start), _pattern(arguments, flags), arguments.as_type(2, TEXT)]
    if number > 1:
        found = _nth_replaced(arguments, read, number)
    else:
        mode = [Literal(value="g", type=TEXT)] if every else []
        found = call("regexp_replace", [*read, *mode], TEXT)
    if start == 1:
        return found
    before = [arguments.as_type(0, TEXT), _number(1), _number(start - 1)]
    return call("concat", [call("substring", before, TEXT), found], TEXT)


def _nth_replaced(arguments: Arguments, read: list[Expression], number: int) -> Expression:
    """The text with its n-th match replaced, if there is one."""
    text, match = read[0], _nth(read[:2], number)
    new = call("regexp_replace", [match, _alone(arguments, read), read[2]], TEXT)
    place = _before(read[:2], number)
    rest = call("add", [place, call("length", [match], INT32)], INT32)
    tail = call("substring", [text, call("add", [rest, _number(1)], INT32)], TEXT)
    whole = call("concat", [call("left", [text, place], TEXT), new, tail], TEXT)
    there = call("is_not_null", [match], BOOLEAN)
    return Case(branches=(Branch(condition=there, value=whole),), otherwise=text, type=TEXT)


def matches(arguments: Arguments) -> Expression:
    """regexp_matches(text, pattern [, flags]): a list of the groups of the first match or, with the
    flag g, of all; empty or null where there is none."""
    _checked(arguments, 3)
    flags = _flags(arguments, 2, "g")
    read = [arguments.as_type(0, TEXT), _pattern(arguments, flags)]
    kind = list_of(list_of(TEXT))
    if "g" in flags:
        _alone(arguments, read)
        return call("regexp_all_groups", read, kind)
    found = call("regexp_groups", read, list_of(TEXT))
    known = Branch(
        condition=call("is_not_null", [found], BOOLEAN), value=call("list", [found], kind)
    )
    return Case(branches=(known,), otherwise=Literal(value=None, type=kind), type=kind)


def _is_number(arguments: Arguments, index: int) -> bool:
    kind = getattr(arguments.values[index], "type", None) if len(arguments.values) > index else None
    return kind is not None and kind.is_integer


def _part(arguments: Arguments) -> Expression:
    """substring(text, start [, length]), or (text, pattern): what its first group matched, or all
    of it if it has none; or (text, pattern of SIMILAR, escape). A literal without a type is a
    pattern, as in PostgreSQL."""
    count = len(arguments.values)
    unknown = Unknown(None) in arguments.values
    if count not in (2, 3) or unknown or any(_is_number(arguments, place) for place in (1, 2)):
        return _SLICE(arguments)
    pattern = _pattern(arguments) if count == 2 else _similar_pattern(arguments)
    read = [arguments.as_type(0, TEXT), pattern]
    groups = call("regexp_groups", read, list_of(TEXT))
    return call("element", [groups, _number(1)], TEXT)


def _similar_pattern(arguments: Arguments) -> Expression:
    what = "SUBSTRING ... SIMILAR with a pattern that is not a literal"
    pattern, mark = (text_literal(arguments, index, what) for index in (1, 2))
    spot = arguments.spots[1]
    if len(mark) > 1:
        raise arguments.source.invalid(arguments.spots[2], "ESCAPE takes one character")
    try:
        wanted = Literal(value=similar_part(pattern, mark), type=TEXT)
    except ValueError as error:
        raise arguments.source.invalid(spot, str(error)) from None
    return re2_pattern(arguments.source, spot, wanted, "")


_SLICE: Final = fixed("substring", TEXT, TEXT, INT32, INT32, optional=1)
REGEXPS: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        "regexp_like": _plain("regexp_match", BOOLEAN),
        "regexp_match": _plain("regexp_groups", list_of(TEXT)),
        "regexp_split_to_array": _plain("regexp_split", list_of(TEXT)),
        "regexp_count": _count,
        "regexp_instr": _place,
        "regexp_substr": _substring,
        "regexp_replace": _replace,
        "substring": _part,
    }
)
