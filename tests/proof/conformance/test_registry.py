"""Checks are known by their numbers, which belong to one check each."""

from __future__ import annotations

import pytest

from antiphon.proof.conformance.checks import CHECKS
from antiphon.proof.conformance.ports import Bench
from antiphon.proof.conformance.registry import Chapter, ordered, rank, select
from antiphon.proof.conformance.rules import RULE_NUMBERS
from antiphon.protocol.errors import InvalidArgument


def chapter_of(*numbers: str) -> Chapter:
    chapter = Chapter()
    for number in numbers:

        @chapter.check(number, title=f"check {number}")
        async def procedure(bench: Bench) -> None:
            return None

    return chapter


def test_plain_numbers_come_first_and_by_value() -> None:
    checks = ordered([chapter_of("D2", "10"), chapter_of("9", "D1")])
    assert [check.numbers[0] for check in checks] == ["9", "10", "D1", "D2"]
    assert rank("9") < rank("10") < rank("D1")


def test_a_number_twice_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="a number twice"):
        ordered([chapter_of("9"), chapter_of("9")])


def test_only_the_numbers_that_are_wanted_are_selected() -> None:
    checks = ordered([chapter_of("9", "10", "D1")])
    assert select(checks, []) == checks
    assert [check.numbers for check in select(checks, ["d1", " 9"])] == [("9",), ("D1",)]


def test_an_unknown_number_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="no check 77"):
        select(ordered([chapter_of("9")]), ["77"])


def test_every_rule_belongs_to_a_check() -> None:
    numbers = {number for check in CHECKS for number in check.numbers}
    assert set(RULE_NUMBERS) <= numbers


def test_every_behaviour_that_a_replica_can_show_from_outside_has_a_check() -> None:
    numbers = {number for check in CHECKS for number in check.numbers}
    behaviours = [*range(1, 8), *range(10, 33), *range(40, 44), 49, *range(57, 69)]
    assert {str(number) for number in behaviours} <= numbers
