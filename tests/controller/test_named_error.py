"""Errors leave with the name of the collection that they are about."""

from __future__ import annotations

import pytest

from antiphon.controller.named_error import with_name
from antiphon.controller.ports import ErrorReply
from antiphon.protocol.errors import CollectionMissing, DuplicateKey, SinceViolation
from tests.controller.world import World


def test_a_duplicate_key_names_the_table() -> None:
    world = World()
    world.sql("CREATE TABLE orders (k bigint PRIMARY KEY)")
    world.sql("INSERT INTO orders VALUES (1)")
    reply = world.sql("INSERT INTO orders VALUES (1)")
    assert isinstance(reply, ErrorReply)
    assert isinstance(reply.error, DuplicateKey)
    assert reply.error.message == '"orders" would have two rows with (k) = (1)'


@pytest.mark.parametrize("form", ["u{}", "{}"])
def test_only_the_id_itself_is_replaced_and_the_details_stay(form: str) -> None:
    world = World()
    world.sql(r'CREATE TABLE "a\1b" (k bigint)')
    table = world.id(r"a\1b")
    error = SinceViolation(
        f"u{table} is gone, u{table}0 is not", collection=form.format(table), since=3
    )
    named = with_name(error, world.driver.catalog)
    assert isinstance(named, SinceViolation)
    assert named.message == rf'"a\1b" is gone, u{table}0 is not'
    assert named.details == error.details


def test_what_the_catalog_does_not_know_keeps_its_id() -> None:
    catalog = World().driver.catalog
    for error in (
        CollectionMissing("u99 was dropped", collection="u99"),
        CollectionMissing("t1 is gone", collection="t1"),
        CollectionMissing("nothing is named"),
    ):
        assert with_name(error, catalog) is error
