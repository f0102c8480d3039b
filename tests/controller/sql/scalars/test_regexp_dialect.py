"""Patterns of PostgreSQL as RE2 takes them. What they match is in `postgres_answers.sql`."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.scalars.regexp_dialect import (
    RefusedRegexp,
    flagged,
    for_re2,
    why_invalid,
)


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        (r"\yab\y", r"\bab\b"),
        (r"\Yab\Z", r"\Bab\z"),
        (r"\\y", r"\\y"),  # a backslash, then a letter
        (r"[\y]", r"[\y]"),
        (r"[]y\]]\y", r"[]y\]]\b"),
        (r"[[:alpha:]y]+\.", r"[\pL\p{Nl}y]+\."),  # of any language
        (r"[^\w-]\W", r"[^\pL\p{Nd}\p{Nl}_-][^\pL\p{Nd}\p{Nl}_]"),
        (r"\x041[\u00e9]\e", r"\x{41}[\x{e9}]\x{1b}"),
        (r"(?i)a|b{2}", r"(?i)a|b{2}"),
        ("a\\", "a\\"),
    ],
)
def test_a_pattern_is_written_for_re2(pattern: str, wanted: str) -> None:
    assert for_re2(pattern) == wanted


@pytest.mark.parametrize(
    "pattern",
    [
        r"\bab", r"a\B", r"\mab", r"ab\M", "(?n)a", "(?x)a b", r"(a)\1", "a(?=b)", "(?<!a)b",
        r"\C", "[[.a.]]", "[x[=a=]]", "[[:<:]]a", "***=a.b",
    ],
)  # fmt: skip
def test_what_re2_would_take_for_something_else_is_refused(pattern: str) -> None:
    with pytest.raises(RefusedRegexp):
        for_re2(pattern)


def test_a_point_is_a_lines_end_too() -> None:
    assert flagged("a.b") == "(?s)a.b"
    assert flagged("a.b", "i") == "(?is)a.b"
    assert flagged("ab", "i") == "(?i)ab"
    assert flagged("ab") == "ab"


def test_what_is_no_pattern_is_told_why() -> None:
    assert "missing )" in str(why_invalid("a(b"))
    assert why_invalid("a|b") is None
