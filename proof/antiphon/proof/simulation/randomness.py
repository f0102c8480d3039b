"""Randomness from a seed: one seed, one run, on every machine and every Python.

SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). The
standard library's generator is not promised to give the same choices for ever; a seed that found a
bug must.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

_MASK: Final = 2**64 - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15


class Randomness:
    """A stream of choices. `split` gives an independent one, so that adding a choice in one place
    does not change those of another."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def word(self) -> int:
        """64 random bits."""
        self._state = (self._state + _GOLDEN) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def split(self) -> Randomness:
        return Randomness(self.word())

    def below(self, bound: int) -> int:
        """An integer in [0, bound)."""
        assert bound > 0, f"nothing is below {bound}"
        return self.word() % bound

    def between(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent

    def choose(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def random_id(self) -> bytes:
        """16 bytes: the id port of a simulated process."""
        return self.word().to_bytes(8, "little") + self.word().to_bytes(8, "little")
