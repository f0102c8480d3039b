"""Tokens as PostgreSQL reads the text."""

from __future__ import annotations

import pytest
from sqlglot.tokenizer_core import TokenType

from antiphon.controller.sql.parsing.dialect import tokenize
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.parsing.spelling import respelt
from antiphon.protocol.errors import InvalidSql
from tests.controller.sql.world import one


def respelt_text(text: str) -> list[tuple[str, str]]:
    source = Source(one(text))
    return [(t.token_type.name, t.text) for t in respelt(source, tokenize(source), text)]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0x1F", "31"), ("0XfF_fe", "65534"), ("0o17", "15"), ("0B1_01", "5"),
        ("1_000", "1000"), ("1_000.2_5", "1000.25"), ("1e1_0", "1e10"), ("12.5", "12.5"),
        ("0x1F_FFFF_FFFF_FFFF_FFFF", str(0x1F_FFFF_FFFF_FFFF_FFFF)),
    ],
)  # fmt: skip
def test_a_number_is_decimal_and_plain(written: str, read: str) -> None:
    assert respelt_text(f"SELECT {written}, 2")[1:] == [
        ("NUMBER", read), ("COMMA", ","), ("NUMBER", "2"),
    ]  # fmt: skip


@pytest.mark.parametrize("written", ["1__0", "0x", "0b2", "0o8", "12ab", "0x_"])
def test_what_is_no_number_stays_apart(written: str) -> None:
    assert ("NUMBER", written.replace("_", "")) not in respelt_text(f"SELECT {written}")


def test_strings_of_bits_are_no_numbers() -> None:
    assert respelt_text("SELECT X'1F', B'101'")[1::2] == [
        ("HEX_STRING", "1F"),
        ("BIT_STRING", "101"),
    ]


def test_a_string_goes_on_in_another_line() -> None:
    assert respelt_text("SELECT 'a'\n 'b' -- and\n\n'c'")[1:] == [("STRING", "abc")]
    assert respelt_text("SELECT 'a',\n'b'")[1:] == [
        ("STRING", "a"), ("COMMA", ","), ("STRING", "b"),
    ]  # fmt: skip
    for text in ("SELECT 'a' 'b'", "SELECT 'a' -- no\t'c'\n || 'x' 'b'"):
        with pytest.raises(InvalidSql, match="syntax error near \"'b'\""):
            respelt_text(text)


def test_its_place_is_that_of_all_its_parts() -> None:
    source = Source(one("SELECT 1_0, 'a'\n'b'"))
    found = respelt(source, tokenize(source), source.piece.text)
    assert [(t.start, t.end) for t in found] == [(0, 5), (7, 9), (10, 10), (12, 18)]


def test_an_operator_is_a_direction() -> None:
    kinds = [kind for kind, _ in respelt_text("ORDER BY a USING <, b USING >, c USING =")]
    assert kinds[2:3] == [TokenType.ASC.name]
    assert kinds[5:6] == [TokenType.DESC.name]
    assert kinds[8:] == ["USING", "EQ"]
