"""The formats of numbers, as PostgreSQL's to_char and to_number read them.

A format is read once: into its patterns, how many digits it has before and behind the point, and
where zeros and the sign go. The names of the fields are those of what they stand for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final


class Pattern(Enum):
    """What a place of a format stands for."""

    TEXT = auto()
    DIGIT = auto()
    ZERO = auto()
    POINT = auto()
    COMMA = auto()
    SIGN = auto()
    MINUS = auto()
    PLUS = auto()
    PLUS_OR_MINUS = auto()
    BRACKETS = auto()
    ROMAN = auto()
    ORDINAL = auto()
    SHIFT = auto()
    FILL = auto()


class UnservedPattern(Exception):
    """PostgreSQL has such a pattern, and we do not."""


@dataclass(frozen=True, slots=True)
class Place:
    pattern: Pattern
    text: str  # as it is written


@dataclass(slots=True)
class NumberFormat:
    """`before`, `behind`: digits on both sides of the point; `shift`: those after V.

    `zero_from`: the place of the first 0 before the point, from 1 (0: there is none);
    `zero_to`: how many digits there are up to the last 0. `digits_before_sign`: where S stands.
    """

    places: list[Place] = field(default_factory=list)
    before: int = 0
    behind: int = 0
    shift: int = 0
    zero_from: int = 0
    zero_to: int = 0
    has_point: bool = False
    fills: bool = False  # FM: without blanks and trailing zeros
    is_shifted: bool = False
    is_roman: bool = False
    sign_first: bool = False
    sign_last: bool = False
    digits_before_sign: int = 0
    minus: bool = False
    plus: bool = False
    brackets: bool = False

    @property
    def has_sign(self) -> bool:
        """Of S."""
        return self.sign_first or self.sign_last

    @property
    def has_zero(self) -> bool:
        return self.zero_from > 0


_NAMES: Final = {
    "9": Pattern.DIGIT, "0": Pattern.ZERO, ".": Pattern.POINT, "D": Pattern.POINT,
    ",": Pattern.COMMA, "G": Pattern.COMMA, "S": Pattern.SIGN, "MI": Pattern.MINUS,
    "PL": Pattern.PLUS, "SG": Pattern.PLUS_OR_MINUS, "PR": Pattern.BRACKETS,
    "RN": Pattern.ROMAN, "TH": Pattern.ORDINAL, "V": Pattern.SHIFT, "FM": Pattern.FILL,
}  # fmt: skip
_UNSERVED: Final = {
    "EEEE": "EEEE", "L": "L (there is no locale: write the sign itself)", "SP": "SP", "B": "B",
    "C": "C",
}  # fmt: skip
_WORDS: Final = sorted(
    {*_NAMES, *_UNSERVED} | {name.lower() for name in (*_NAMES, *_UNSERVED)},
    key=lambda name: (-len(name), name),
)
_TOKENS: Final = re.compile(
    "(?P<word>"
    + "|".join(map(re.escape, _WORDS))
    + r')|"(?P<quoted>(?:\\.|[^"\\])*)"?|\\?(?P<plain>")|(?P<other>.)',
    re.DOTALL,
)


def read_number_format(text: str) -> NumberFormat:
    """The format that a text is.

    Raises:
        ValueError: it is none, by PostgreSQL's rules.
        UnservedPattern
    """
    form = NumberFormat()
    for token in _TOKENS.finditer(text):
        word = token["word"]
        if word is None:
            quoted = re.sub(r"\\(.)", r"\1", token["quoted"] or "", flags=re.DOTALL)
            shown = quoted or token["plain"] or token["other"] or ""
            form.places += [Place(Pattern.TEXT, char) for char in shown]
            continue
        if word.upper() in _UNSERVED:
            raise UnservedPattern(_UNSERVED[word.upper()])
        place = Place(_NAMES[word.upper()], word)
        _add(form, place)
        form.places.append(place)
    return form


def _add(form: NumberFormat, place: Place) -> None:
    match place.pattern:
        case Pattern.DIGIT | Pattern.ZERO:
            _add_digit(form, place)
        case Pattern.POINT:
            _require(not form.has_point, "there are several points in the format")
            _require(not form.is_shifted, "V and a point exclude each other in a format")
            form.has_point = True
        case Pattern.FILL:
            form.fills = True
        case Pattern.SHIFT:
            _require(not form.has_point, "V and a point exclude each other in a format")
            form.is_shifted = True
        case Pattern.ROMAN:
            form.is_roman = True
        case _:
            _add_sign(form, place)


def _add_digit(form: NumberFormat, place: Place) -> None:
    _require(not form.brackets, f"{place.text} stands before PR in a format")
    is_zero = place.pattern is Pattern.ZERO
    if form.is_shifted and not is_zero:
        form.shift += 1
        return
    if is_zero and not form.has_zero and not form.has_point:
        form.zero_from = form.before + 1
    if form.has_point:
        form.behind += 1
    else:
        form.before += 1
    if is_zero:
        form.zero_to = form.before + form.behind


def _add_sign(form: NumberFormat, place: Place) -> None:
    others = form.minus or form.plus or form.brackets
    match place.pattern:
        case Pattern.SIGN:
            _require(not form.has_sign, "S is in the format twice")
            _require(not others, "S excludes PL, MI, SG and PR in a format")
            form.sign_first, form.sign_last = not form.has_point, form.has_point
            form.digits_before_sign = form.before
        case Pattern.MINUS | Pattern.PLUS | Pattern.PLUS_OR_MINUS:
            _require(not form.has_sign, "S excludes PL, MI, SG and PR in a format")
            form.minus |= place.pattern is not Pattern.PLUS
            form.plus |= place.pattern is not Pattern.MINUS
        case Pattern.BRACKETS:
            _require(
                not (form.has_sign or form.minus or form.plus),
                "PR excludes S, PL, MI and SG in a format",
            )
            form.brackets = True
        case _:
            pass


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)
