"""What holds a collection as it is, and what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.protocol.dataflow import DataflowDescription
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.verbatim import copy_of
from tests.replica.scripted import TABLE, above, feed, get, index, table


def described(**options: object) -> DataflowDescription:
    return index(7, **options).dataflow


def test_an_index_of_a_table_holds_the_table() -> None:
    assert copy_of(described(imports=(table(),), plan=get(TABLE))) == TABLE


@pytest.mark.parametrize(
    "description",
    [
        described(imports=(table(),), plan=above(get(TABLE), 1)),
        described(imports=(table(), feed()), plan=get(TABLE)),
        replace(described(imports=(table(),), plan=get(TABLE)), until=Frontier(9)),
        replace(described(imports=(table(),), plan=get(TABLE)), plan=b"\xff"),
    ],
)
def test_what_leaves_something_out_or_may_not_be_read_holds_none(
    description: DataflowDescription,
) -> None:
    assert copy_of(description) is None
