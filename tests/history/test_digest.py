"""The digest chain."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from antiphon.history.digest import EMPTY_DIGEST, chain, extend
from antiphon.protocol.ids import Position

COMMANDS = st.lists(
    st.tuples(st.text("ab_é", max_size=5), st.binary(max_size=8)),
    max_size=6,
)


def test_the_chain_of_nothing_is_zero() -> None:
    assert bytes(32) == EMPTY_DIGEST
    assert chain([], after=Position(0)) == EMPTY_DIGEST


def test_a_link_is_what_the_format_says() -> None:
    expected = hashlib.sha256(
        bytes(32) + b"\x01\0\0\0\0\0\0\0" + b"create_dataflow" + b"\0" + b"payload"
    ).digest()
    assert extend(EMPTY_DIGEST, Position(1), "create_dataflow", b"payload") == expected


@given(COMMANDS, COMMANDS)
def test_equal_digests_mean_equal_commands(
    left: list[tuple[str, bytes]], right: list[tuple[str, bytes]]
) -> None:
    digests = [chain(commands, after=Position(0)) for commands in (left, right)]
    assert (digests[0] == digests[1]) == (left == right)


@given(COMMANDS, COMMANDS)
def test_a_chain_continues_where_another_ended(
    first: list[tuple[str, bytes]], second: list[tuple[str, bytes]]
) -> None:
    middle = chain(first, after=Position(0))
    whole = chain(first + second, after=Position(0))
    assert chain(second, start=middle, after=Position(len(first))) == whole


def test_kind_and_payload_do_not_run_into_each_other() -> None:
    assert extend(EMPTY_DIGEST, Position(1), "ab", b"c") != extend(
        EMPTY_DIGEST, Position(1), "a", b"bc"
    )


def test_the_place_counts() -> None:
    assert extend(EMPTY_DIGEST, Position(1), "a", b"") != extend(
        EMPTY_DIGEST, Position(2), "a", b""
    )
