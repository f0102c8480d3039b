"""LIKE and SIMILAR TO with an escape character, regular expressions in any case, normal forms."""

from __future__ import annotations

import unicodedata
from typing import Literal

import pytest

from antiphon.protocol.errors import ComputeError, DataError, InvalidSql
from tests.controller.sql.world import Row, World

TEXTS = ("abc", "a_c", "a%c", "a\\c", "A_C", "")


def matching(condition: str) -> list[Row]:
    world = World()
    world.run("CREATE TABLE w (t text)")
    world.run("INSERT INTO w VALUES (NULL), " + ", ".join(f"('{text}')" for text in TEXTS))
    return sorted(world.select(f"SELECT t FROM w WHERE {condition}"))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("t LIKE 'a!_c' ESCAPE '!'", ["a_c"]),
        ("t LIKE 'a\\c' ESCAPE '!'", ["a\\c"]),
        ("t ILIKE 'a!_c' ESCAPE '!'", ["A_C", "a_c"]),
        ("t SIMILAR TO 'a#_c' ESCAPE '#'", ["a_c"]),
        ("t SIMILAR TO 'a\\c' ESCAPE '#'", ["a\\c"]),
        ("t SIMILAR TO 'a(#%|b)c' ESCAPE '#'", ["a%c", "abc"]),
        ("t NOT SIMILAR TO '%#_%' ESCAPE '#'", ["", "a%c", "a\\c", "abc"]),
        ("t ~* '^A_'", ["A_C", "a_c"]),
        ("t !~* 'A'", [""]),
    ],
)
def test_what_text_is_like(condition: str, expected: list[str]) -> None:
    assert [text for (text,) in matching(condition)] == expected


def test_an_escape_of_similar_to_is_of_a_pattern_that_is_known() -> None:
    with pytest.raises(ComputeError, match="ESCAPE with a pattern that is not a literal"):
        matching("t SIMILAR TO t ESCAPE '#'")


def test_a_pattern_of_like_does_not_end_with_its_escape_character() -> None:
    for condition in ("t LIKE 'a\\'", "t NOT ILIKE '\\\\\\'"):
        with pytest.raises(InvalidSql, match="ends with its escape character"):
            matching(condition)
    assert matching("t LIKE 'a\\\\c'") == [("a\\c",)]
    assert matching("t LIKE t || '\\\\'") == []
    for condition in ("t LIKE t || '\\'", "t ILIKE t || '!' ESCAPE '!'"):
        with pytest.raises(DataError, match="must not end with escape character"):
            matching(condition)


def test_what_is_no_regular_expression_is_refused_with_its_reason() -> None:
    with pytest.raises(InvalidSql, match=r"invalid regular expression: missing \): a\(b"):
        matching("t ~ 'a(b'")
    with pytest.raises(ComputeError, match=r"\(\?= in a regular expression is not supported"):
        matching("regexp_count(t, 'a(?=b)') > 0")


def test_of_what_matches_the_empty_text_too_not_all_is_replaced() -> None:
    """After a match RE2 has no empty one, and PostgreSQL has."""
    assert matching("regexp_replace(t, 'b*', '', 'g') = 'ac'") == [("abc",)]
    assert matching("regexp_replace(t, '^|$', '-', 'g') = '-abc-'") == [("abc",)]
    with pytest.raises(DataError, match="matches the empty text does not replace all"):
        matching("regexp_replace(t, 'b*', '-', 'g') = 'x'")


FORMS: tuple[tuple[str, Literal["NFC", "NFD", "NFKC", "NFKD"]], ...] = (
    ("NFC", "NFC"), ("nfd", "NFD"), ("NFKC", "NFKC"), ("NFKD", "NFKD"),
)  # fmt: skip


@pytest.mark.parametrize(("form", "name"), FORMS)
def test_normal_forms_are_those_of_unicode(
    form: str, name: Literal["NFC", "NFD", "NFKC", "NFKD"]
) -> None:
    texts = ["é", "e\u0301", "ﬁ", "Å", "가", "", "a"]
    world = World()
    world.run("CREATE TABLE w (t text)")
    world.run("INSERT INTO w VALUES (NULL), " + ", ".join(f"('{text}')" for text in texts))
    found = world.select(f"SELECT t, normalize(t, {form}), t IS NORMALIZED FROM w")
    assert (None, None, None) in found
    for text, normal, is_normal in found:
        if text is not None:
            wanted = unicodedata.normalize(name, text)
            assert (normal, is_normal) == (wanted, unicodedata.is_normalized("NFC", text))


def test_other_normal_forms_there_are_none() -> None:
    with pytest.raises(ComputeError, match="normalize takes a text and one of NFC, NFD"):
        World().select("SELECT normalize('a', nfx)")
