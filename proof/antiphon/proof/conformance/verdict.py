"""What a check may find, and how it says so: it returns, or raises one of the two errors here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from antiphon.protocol.errors import AntiphonError


class Verdict(Enum):
    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "n/a"


class Failed(AntiphonError):
    """The replica did something else than the protocol asks for."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}; seen {seen}")
        self.expected = expected
        self.seen = seen


class NotApplicable(AntiphonError):
    """The replica says that it does not serve what the check is about, or cannot be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One line of the report. `detail` is one line; empty for a pass."""

    numbers: tuple[str, ...]
    title: str
    verdict: Verdict
    detail: str = ""
    seconds: float = 0.0


def expect(holds: bool, expected: str, seen: object) -> None:
    """Raises Failed unless `holds`."""
    if not holds:
        raise Failed(expected, one_line(seen))


def expect_equal(seen: object, expected: object, what: str) -> None:
    """Raises Failed, naming `what`, unless the two are equal."""
    expect(seen == expected, f"{what} to be {one_line(expected)}", seen)


def one_line(value: object, length_max: int = 300) -> str:
    """The value as text without line breaks, cut if it is long; bytes in hexadecimal."""
    text = value.hex() if isinstance(value, bytes) else " ".join(str(value).split())
    return text if len(text) <= length_max else text[: length_max - 3] + "..."
