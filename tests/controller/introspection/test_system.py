"""The introspection collections: names, columns, ids that no user's collection has."""

from __future__ import annotations

from antiphon.controller.catalog import FIRST_ID
from antiphon.controller.introspection.system import (
    SCHEMAS,
    SYSTEM_CATALOG,
    SystemCollection,
    is_system,
    system_collection,
)
from antiphon.protocol.ids import is_transient, show


def test_every_one_can_be_found_by_its_name_and_its_id() -> None:
    for one in SystemCollection:
        item = SYSTEM_CATALOG.find(one.sql_name)
        assert item is not None
        assert (item.id, item.schema) == (one.id, SCHEMAS[one])
        assert system_collection(item.id) is one


def test_their_ids_are_nobody_elses() -> None:
    for one in SystemCollection:
        assert one.id > FIRST_ID + 2**32
        assert not is_transient(one.id)
        assert show(one.id) == f"s{one.value}"


def test_their_names_are_those_of_one_schema() -> None:
    assert is_system("antiphon.replicas")
    assert is_system("antiphon.unknown")
    assert not is_system("replicas")
    assert not is_system("antiphon")
