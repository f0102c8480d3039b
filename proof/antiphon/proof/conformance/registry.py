"""Checks and their numbers.

Numbers without a letter are those of the behaviours that every implementation of this kind of
protocol shows; those with a letter are our own additions, D for replicas and C for controllers. A
check may show several behaviours at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.protocol.errors import InvalidArgument

Procedure = Callable[[Any], Awaitable[None]]  # over the bench of its kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`procedure` returns if all is well; otherwise it raises, see `verdict`."""

    numbers: tuple[str, ...]
    title: str
    procedure: Procedure


class Chapter:
    """The checks of one module, in the order of their definition."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def check(self, *numbers: str, title: str) -> Callable[[Procedure], Procedure]:
        """Registers the decorated function, which stays what it is."""
        assert numbers, f"{title}: no number"

        def register(procedure: Procedure) -> Procedure:
            self.checks.append(Check(numbers=numbers, title=title, procedure=procedure))
            return procedure

        return register


def ordered(chapters: Iterable[Chapter]) -> tuple[Check, ...]:
    """All checks by their first number; each number belongs to one check."""
    checks = [check for chapter in chapters for check in chapter.checks]
    numbers = [number for check in checks for number in check.numbers]
    assert len(set(numbers)) == len(numbers), f"a number twice: {sorted(numbers, key=rank)}"
    return tuple(sorted(checks, key=lambda check: rank(check.numbers[0])))


def select(checks: Sequence[Check], only: Sequence[str]) -> tuple[Check, ...]:
    """Those with a number in `only`; all, if it is empty.

    Raises:
        InvalidArgument: there is no check of a number.
    """
    if not only:
        return tuple(checks)
    wanted = [number.strip().upper() for number in only]
    known = {number for check in checks for number in check.numbers}
    for number in wanted:
        if number not in known:
            raise InvalidArgument(f"there is no check {number}", number=number)
    return tuple(check for check in checks if any(n in wanted for n in check.numbers))


def rank(number: str) -> tuple[bool, int]:
    """Plain numbers first, then ours; each by value."""
    digits = number.removeprefix("C").removeprefix("D")
    assert digits.isdecimal(), f"not a number: {number}"
    return number != digits, int(digits)
