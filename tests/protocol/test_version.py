"""Versions: the highest that both speak, at least the floor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.errors import VersionMismatch
from antiphon.protocol.version import SPOKEN, VersionRange, choose

RANGES = st.tuples(st.integers(1, 9), st.integers(0, 9)).map(
    lambda pair: VersionRange(min=pair[0], max=sum(pair))
)


@given(RANGES, RANGES, st.integers(1, 12))
def test_the_highest_common_version_is_chosen_or_none_is(
    ours: VersionRange, theirs: VersionRange, floor: int
) -> None:
    common = [v for v in range(1, 20) if v in ours and v in theirs and v >= floor]
    if common:
        assert choose(ours, theirs, floor) == max(common)
        assert choose(theirs, ours, floor) == max(common)
    else:
        with pytest.raises(VersionMismatch):
            choose(ours, theirs, floor)


def test_the_error_says_what_each_side_speaks() -> None:
    with pytest.raises(VersionMismatch) as caught:
        choose(VersionRange(min=1, max=2), VersionRange(min=3, max=3), 2)
    assert caught.value.details == {"ours": "1-2", "theirs": "3", "floor": "2"}


def test_there_is_no_version_zero_and_no_empty_range() -> None:
    for low, high in ((0, 1), (3, 2)):
        with pytest.raises(AssertionError, match="no versions"):
            VersionRange(min=low, max=high)


def test_what_we_speak_includes_the_first_version() -> None:
    assert 1 in SPOKEN
