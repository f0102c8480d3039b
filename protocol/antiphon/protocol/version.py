"""Protocol versions. Each side says which it speaks; raw integers are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from antiphon.protocol.errors import VersionMismatch


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRange:
    """All versions from `min` to `max`, both included; there is no version 0."""

    min: int
    max: int

    def __post_init__(self) -> None:
        assert 1 <= self.min <= self.max, f"no versions: {self.min}..{self.max}"

    def __contains__(self, version: int) -> bool:
        return self.min <= version <= self.max

    def __str__(self) -> str:
        return f"{self.min}" if self.min == self.max else f"{self.min}-{self.max}"


SPOKEN: Final = VersionRange(min=1, max=1)


def choose(ours: VersionRange, theirs: VersionRange, floor: int = 1) -> int:
    """The highest version that both speak; `floor` is the lowest that the history still permits.

    Raises:
        VersionMismatch: there is none.
    """
    version = min(ours.max, theirs.max)
    if version < max(ours.min, theirs.min, floor):
        raise VersionMismatch(
            f"no common protocol version: we speak {ours}, the peer {theirs}, at least {floor}",
            ours=str(ours),
            theirs=str(theirs),
            floor=floor,
        )
    return version
