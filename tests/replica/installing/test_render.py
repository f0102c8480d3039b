"""Rendering: a description is checked before anything of it runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import INT64, Column, Schema
from antiphon.replica.installing.render import decode_plan, render
from tests.replica.scripted import PAIRS, TABLE, above, get, index, table


def test_a_plan_becomes_a_dataflow_that_reads_what_it_imports() -> None:
    dataflow = render(index(7, plan=above(get(TABLE), 1)).dataflow)
    assert dataflow.imports == (TABLE,)
    assert dataflow.schema.types == PAIRS.types


def test_bytes_that_are_no_plan_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="malformed"):
        render(replace(index(7).dataflow, plan=b"\xff\xff"))


def test_a_plan_reads_only_what_is_imported() -> None:
    with pytest.raises(InvalidArgument, match="not imported"):
        render(index(7, plan=get(CollectionId(9))).dataflow)
    with pytest.raises(InvalidArgument, match="not imported"):
        decode_plan(index(7, plan=get(CollectionId(9))).dataflow.plan, (table(),))


def test_a_plan_gives_the_columns_it_was_described_with() -> None:
    other = Schema((Column(name="k", type=INT64),))
    with pytest.raises(InvalidArgument, match="described as"):
        render(index(7, schema=other).dataflow)
