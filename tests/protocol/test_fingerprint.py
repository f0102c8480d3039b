"""Fingerprints: what a dataflow computes, not when or under which name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from antiphon.protocol.codec.dataflow import dataflow_from_proto, dataflow_to_proto
from antiphon.protocol.dataflow import (
    CollectionKind,
    DataflowDescription,
    Export,
    Import,
    IndexExport,
)
from antiphon.protocol.fingerprint import FINGERPRINT_BYTES, fingerprint_of
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import TEXT, Column, Schema
from tests.protocol import strategies
from tests.protocol.scripts import SCHEMA, U1, U2, create

DATAFLOW = replace(
    create(U2).dataflow,
    imports=(Import(collection=U1, kind=CollectionKind.TABLE, schema=SCHEMA),),
)
OTHER_SCHEMA = Schema((Column(name="a", type=TEXT),))


@pytest.mark.parametrize("change", [{"name": "other"}, {"as_of": Frontier(99)}], ids=str)
def test_the_name_and_the_start_do_not_count(change: dict[str, Any]) -> None:
    assert fingerprint_of(replace(DATAFLOW, **change)) == fingerprint_of(DATAFLOW)


@pytest.mark.parametrize(
    "change",
    [
        {"plan": b"another"},
        {"imports": ()},
        {"imports": (Import(collection=U1, kind=CollectionKind.INDEX, schema=SCHEMA),)},
        {"imports": (Import(collection=U1, kind=CollectionKind.TABLE, schema=OTHER_SCHEMA),)},
        {"exports": (Export(collection=U2, kind=IndexExport(key_columns=())),)},
        {"exports": (Export(collection=CollectionId(9), kind=IndexExport(key_columns=(0,))),)},
        {"schema": OTHER_SCHEMA},
        {"until": Frontier(9)},
    ],
    ids=str,
)
def test_everything_else_counts(change: dict[str, Any]) -> None:
    assert fingerprint_of(replace(DATAFLOW, **change)) != fingerprint_of(DATAFLOW)


@given(strategies.dataflows)
def test_crossing_the_wire_does_not_change_it(dataflow: DataflowDescription) -> None:
    again = dataflow_from_proto(dataflow_to_proto(dataflow))
    assert fingerprint_of(again) == fingerprint_of(dataflow)
    assert len(fingerprint_of(dataflow)) == FINGERPRINT_BYTES


def test_it_is_this_one_for_ever() -> None:
    # If it changed, every replica would rebuild everything at an upgrade.
    assert fingerprint_of(DATAFLOW).hex() == (
        "2ef95dc998cccdd44b890f1993ace14c6204b43bad30094e326e68a8be8545bf"
    )
