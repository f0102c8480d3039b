"""Statements are a closed set of frozen values."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from antiphon.controller.sql.statement import STATEMENTS, Statement, StatementText, Subscribe
from tests.controller.sql.world import World, plan_one


def test_the_set_is_closed_and_complete() -> None:
    assert set(get_args(Statement)) == set(STATEMENTS)


def test_statements_are_frozen_and_say_what_they_are() -> None:
    for kind in STATEMENTS:
        assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
        assert "tag" in {field.name for field in dataclasses.fields(kind)}


def test_a_subscribe_has_the_schema_of_its_rows() -> None:
    world = World()
    world.run("CREATE TABLE t (a int)")
    statement = plan_one("SUBSCRIBE t", world.catalog)
    assert isinstance(statement, Subscribe)
    assert statement.schema.names == ("a",)


def test_a_piece_of_text_cannot_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        StatementText(text="x").text = "y"  # type: ignore[misc]
