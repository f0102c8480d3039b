"""Bugs that are planted in what is shared, and stories that find them: so the tests can fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from antiphon.protocol.frontier import TIME_MAX
from antiphon.replica.dataflow.arrangements.reading import Reading
from antiphon.replica.importing import arrangements, lookups
from antiphon.replica.importing.arrangements import Arranging
from antiphon.replica.importing.lookups import Sought
from antiphon.replica.installing.guard import Guard
from tests.replica.filters import K
from tests.replica.test_sharing import story
from tests.replica.town import Town


def folds_past_its_readers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reading, "hold", property(lambda reading: TIME_MAX))


def lets_all_rows_in(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(arrangements, "selected", lambda change, selection, columns: change)


def finds_rows_of_another_selection(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Sought, "what", property(lambda sought: (sought.key, ())))
    patch.setattr(Arranging, "what", property(lambda self: (self.arrangement.key, ())))
    patch.setattr(arrangements, "_what", lambda filling: (filling.arrangement.key, ()))


def rests_by_another_constant(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(arrangements, "guard_among", lambda selection: Guard(expression=K, value=99))


def brings_less_than_is_asked_for(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lookups, "holds", lambda selection, others: True)


BUGS = (
    folds_past_its_readers,
    lets_all_rows_in,
    finds_rows_of_another_selection,
    rests_by_another_constant,
    brings_less_than_is_asked_for,
)
QUERIES = (
    "SELECT a.k, b.v FROM a JOIN b ON a.k = b.k WHERE a.k > 1 UNION ALL "
    "SELECT a.k, b.v FROM a JOIN b ON a.k = b.k WHERE a.k < 3",
    "SELECT a.v, b.v AS w FROM a JOIN b ON a.k = b.k WHERE a.v = 'a'",
    "SELECT a.v, b.v AS w FROM a JOIN b ON a.k = b.k WHERE a.v = 'a' AND b.v = 'b'",
    "SELECT a.v, b.v AS w FROM a JOIN b ON a.k = b.k",
)


def ends_well(seed: int) -> bool:
    town = Town(seed, QUERIES)
    for _ in range(0 if seed % 2 else 10):  # of many rows, or of few
        town.tick()
    try:
        story(town, 40)
    except AssertionError:
        return False
    return True


def test_without_a_bug_the_stories_end_well() -> None:
    assert ends_well(0)
    assert ends_well(1)


@pytest.mark.parametrize("plant", BUGS)
def test_a_bug_is_found(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        assert not all(ends_well(seed) for seed in range(16))
