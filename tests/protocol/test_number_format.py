"""How formats of numbers are read."""

from __future__ import annotations

import pytest

from antiphon.protocol.number_format import Pattern, UnservedPattern, read_number_format


def test_digits_are_counted_on_both_sides_of_the_point() -> None:
    form = read_number_format("fm9,990.90")
    assert (form.before, form.behind, form.fills, form.has_point) == (4, 2, True, True)
    assert (form.zero_from, form.zero_to) == (4, 6)


def test_what_is_quoted_and_what_is_no_pattern_stands_for_itself() -> None:
    form = read_number_format('$9" 9\\"x"\\"')
    texts = [place.text for place in form.places if place.pattern is Pattern.TEXT]
    assert ("".join(texts), form.before) == ('$ 9"x"', 1)


def test_the_sign_stands_first_or_last() -> None:
    assert read_number_format("S9").sign_first
    assert read_number_format("9.9S").sign_last
    assert read_number_format("9S9").digits_before_sign == 1


def test_digits_behind_v_shift() -> None:
    form = read_number_format("9V99")
    assert (form.before, form.shift) == (1, 2)


@pytest.mark.parametrize(
    "text", ["9.9.9", "9V9.9", "9.9V", "S9S", "SMI9", "MI9S", "PR9", "9PRMIS", "PLS", "PRS"]
)
def test_patterns_that_exclude_each_other_are_no_format(text: str) -> None:
    with pytest.raises(ValueError, match="format"):
        read_number_format(text)


@pytest.mark.parametrize("text", ["L9", "9EEEE", "c9", "9sp", "B9"])
def test_what_is_not_served_is_told_apart(text: str) -> None:
    with pytest.raises(UnservedPattern):
        read_number_format(text)
