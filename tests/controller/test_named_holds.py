"""Named holds as values: rows of their own, names, deadlines, and who may use one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.controller import membership
from antiphon.controller.named_holds import (
    DEADLINE_MS_MAX,
    FIRST_ROW,
    LAST_ROW,
    CatalogHold,
    check_deadline,
    check_name,
    check_usable,
    is_hold,
    next_row,
)
from antiphon.protocol.errors import HoldLost, InvalidArgument
from antiphon.protocol.ids import CollectionId
from tests.controller.instance.machine import T, index

HOLD = CatalogHold(row=FIRST_ROW, name="mine", target="t", dataflow=index(7), time=5)


def test_their_rows_are_neither_items_nor_replicas() -> None:
    assert not is_hold(CollectionId(1))
    assert is_hold(FIRST_ROW)
    assert is_hold(LAST_ROW)
    assert not is_hold(membership.FIRST_ROW)
    assert not membership.is_replica(LAST_ROW)
    assert next_row([]) == FIRST_ROW
    assert next_row([HOLD]) == FIRST_ROW + 1


def test_it_reads_what_its_dataflow_imports() -> None:
    assert HOLD.imports == (T,)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201, "\0"])
def test_some_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidArgument):
        check_name(name)


def test_names_and_deadlines_have_bounds() -> None:
    check_name("any thing, ähnlich")
    check_deadline(0)
    check_deadline(DEADLINE_MS_MAX)
    with pytest.raises(InvalidArgument):
        check_deadline(DEADLINE_MS_MAX + 1)


def test_it_is_used_for_what_it_was_taken_for() -> None:
    check_usable(HOLD, "t")
    check_usable(HOLD, "")
    with pytest.raises(InvalidArgument, match="of t, not of u"):
        check_usable(HOLD, "u")
    with pytest.raises(HoldLost, match="because"):
        check_usable(replace(HOLD, lost="because"), "t")
