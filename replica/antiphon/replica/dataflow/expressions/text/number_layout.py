"""Where the digits of a number go in a format: what PostgreSQL's to_char does, step by step.

Numbers of one shape - as many digits, the same sign, the same zeros at the end - are laid out
alike. So one of them is laid out, and all others take its layout.
"""

from __future__ import annotations

from typing import Final

from antiphon.protocol.number_format import NumberFormat, Pattern

_DIGITS: Final = (Pattern.DIGIT, Pattern.ZERO, Pattern.POINT)


def laid_out(form: NumberFormat, number: str, *, negative: bool, behind: int) -> list[int]:
    """The bytes of the text; one that is below 0 stands for the byte `-1 - it` of the number.

    Args:
        number: its digits, without a sign, with a point if `behind` is not 0.
        behind: how many digits it has behind the point.
    """
    layout = _Layout(form, number, negative, behind)
    for place in form.places:
        layout.put(place.pattern, place.text)
    found = layout.found
    # Behind the end of a number that is shorter than its format, PostgreSQL's text ends.
    return found[: found.index(0)] if 0 in found else found


class _Layout:
    def __init__(self, form: NumberFormat, number: str, negative: bool, behind: int) -> None:
        self._form = form
        self._number = number
        self._negative = negative
        self._behind = behind
        self.found: list[int] = []
        whole = number.partition(".")[0]
        self._before = form.before + form.shift
        self._blanks = max(self._before - len(whole), 0)
        self._at = 0  # in the number
        self._place = 0  # among the digits of the format
        self._in_number = False
        self._zero_from = max(form.zero_from - 1, 0)
        self._sign_first = form.sign_first
        self._sign_last = form.sign_last
        self._brackets = form.brackets
        self._last: int | None = None  # the last digit that is shown
        self._settle_sign()
        self._settle_end()

    def _settle_sign(self) -> None:
        form = self._form
        if form.plus or form.minus:
            self._signed = not (form.plus and not form.minus)
        else:
            if not self._negative and form.fills:
                self._brackets = False
            self._signed = not self._negative and form.fills and not form.has_sign
            if self._sign_first and self._before == form.digits_before_sign:
                self._sign_first, self._sign_last = False, True

    def _settle_end(self) -> None:
        form, number = self._form, self._number
        self._count = self._behind + self._before - 1
        if form.fills and form.has_point and "." in number:
            point = number.index(".")
            relevant = len(number.rstrip("0")) - 1
            self._last = max(relevant, point)
            if form.zero_to > self._blanks:
                zero = min(len(number) - 1, form.zero_to - self._blanks)
                self._last = max(self._last, zero)
        if not self._signed and self._blanks == 0:
            self._count += 1

    def _char(self, index: int) -> str:
        return self._number[index] if index < len(self._number) else "\0"

    @property
    def _ends_at_point(self) -> bool:
        return self._last is not None and self._char(self._last) == "."

    @property
    def _hides_zero(self) -> bool:
        """The zero before the point of 0.1 is not shown by a 9."""
        starts = self._at == 0 and self._char(0) == "0"
        return starts and not self._form.has_zero and self._behind != 0

    def put(self, pattern: Pattern, text: str) -> None:
        fills = self._form.fills
        match pattern:
            case Pattern.TEXT:
                self.found += text.encode()
            case Pattern.DIGIT | Pattern.ZERO | Pattern.POINT:
                self._put_digit(pattern)
            case Pattern.COMMA:
                if self._in_number:
                    self._write(",")
                elif not fills:
                    self._write(" ")
            case Pattern.MINUS | Pattern.PLUS:
                shown = self._negative if pattern is Pattern.MINUS else not self._negative
                if shown:
                    self._write("-" if pattern is Pattern.MINUS else "+")
                elif not fills:
                    self._write(" ")
            case Pattern.PLUS_OR_MINUS:
                self._write("-" if self._negative else "+")
            case Pattern.ORDINAL:
                if not (self._char(0) == "#" or self._negative or self._form.has_point):
                    self._write(ordinal(self._number, upper=text == "TH"))
            case _:
                pass

    def _write(self, text: str) -> None:
        self.found += text.encode()

    def _put_digit(self, pattern: Pattern) -> None:
        self._in_number = False
        self._put_sign()
        form = self._form
        if self._place < self._blanks and (self._zero_from > self._place or not form.has_zero):
            if not form.fills:
                self._write(" ")
        elif form.has_zero and self._place < self._blanks:
            self._write("0")
            self._in_number = True
        else:
            self._put_of_number(pattern)
        self._put_end()
        self._place += 1

    def _put_sign(self) -> None:
        form = self._form
        begins = self._place >= self._blanks or (form.has_zero and self._zero_from == self._place)
        if self._signed or not begins or (self._hides_zero and not self._ends_at_point):
            return
        if form.has_sign:
            if self._sign_first:
                self._write("-" if self._negative else "+")
                self._signed = True
        elif self._brackets:
            self._write("<" if self._negative else " ")
            self._signed = True
        else:
            if self._negative:
                self._write("-")
            elif not form.fills:
                self._write(" ")
            self._signed = True

    def _put_of_number(self, pattern: Pattern) -> None:
        fills = self._form.fills
        if self._char(self._at) == ".":
            self._write(".")
        elif self._last is not None and self._at > self._last and pattern is not Pattern.ZERO:
            pass
        elif self._hides_zero:
            if not fills:
                self._write(" ")
            elif self._ends_at_point:
                self._write("0")
        else:
            self.found.append(-1 - self._at if self._at < len(self._number) else 0)
            self._in_number = True
        if self._at < len(self._number):
            self._at += 1

    def _put_end(self) -> None:
        end = self._count + (1 if self._blanks else 0) + (1 if self._form.has_point else 0)
        if self._last is not None and self._last == self._at:
            end = self._place
        if self._place + 1 != end:
            return
        if self._signed and self._brackets:
            self._write(">" if self._negative else " ")
        elif self._form.has_sign and self._sign_last:
            self._write("-" if self._negative else "+")


def ordinal(digits: str, *, upper: bool) -> str:
    """st, nd, rd or th, for a number."""
    teens = len(digits) > 1 and digits[-2] == "1"
    found = "th" if teens else {"1": "st", "2": "nd", "3": "rd"}.get(digits[-1], "th")
    return found.upper() if upper else found
