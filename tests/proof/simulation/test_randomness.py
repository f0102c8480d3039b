"""Randomness is a function of its seed alone."""

import pytest

from antiphon.proof.simulation.randomness import Randomness


def test_the_first_words_are_those_of_splitmix64() -> None:
    random = Randomness(1234567)
    words = [random.word() for _ in range(3)]
    # Published test vector of the algorithm for this seed.
    assert words == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_a_split_does_not_depend_on_what_is_drawn_later() -> None:
    one, other = Randomness(7), Randomness(7)
    split = one.split()
    other_split = other.split()
    one.word()
    assert [split.word() for _ in range(5)] == [other_split.word() for _ in range(5)]


@pytest.mark.parametrize(("low", "high"), [(0, 0), (3, 9), (-5, 5)])
def test_between_reaches_both_ends_and_nothing_outside(low: int, high: int) -> None:
    random = Randomness(99)
    drawn = {random.between(low, high) for _ in range(500)}
    assert drawn == set(range(low, high + 1))


def test_chance_is_never_at_zero_and_always_at_a_hundred() -> None:
    random = Randomness(5)
    assert not any(random.chance(0) for _ in range(100))
    assert all(random.chance(100) for _ in range(100))
