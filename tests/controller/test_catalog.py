"""The catalog: one immutable value, whose graph holds together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.catalog import (
    AddItem,
    Catalog,
    CatalogItem,
    ItemKind,
    RemoveItem,
    empty_catalog,
    restore,
)
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.errors import CollectionExists, CollectionMissing
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import INT32, Column, Schema

SCHEMA = Schema((Column(name="a", type=INT32),))


def item(number: int, name: str, kind: ItemKind, *needs: int, on: int | None = None) -> CatalogItem:
    return CatalogItem(
        id=CollectionId(number),
        name=name,
        kind=kind,
        schema=SCHEMA,
        depends_on=tuple(CollectionId(need) for need in needs),
        on=None if on is None else CollectionId(on),
    )


TABLE = item(1, "t", ItemKind.TABLE)
VIEW = item(2, "v", ItemKind.VIEW, 1)
INDEX = item(3, "v_a", ItemKind.INDEX, 1, 2, on=2)
KEPT = item(4, "m", ItemKind.MATERIALIZED_VIEW, 2, 3)
FEED = item(5, "f", ItemKind.FEED)
ITEMS = (TABLE, VIEW, INDEX, KEPT, FEED)


def catalog() -> Catalog:
    return empty_catalog().apply([AddItem(i) for i in ITEMS])


def test_items_are_found_by_id_name_and_kind() -> None:
    found = catalog()
    assert found.find("v") == VIEW
    assert found.find("V") is None
    assert found.get(CollectionId(4)) == KEPT
    assert found.of_kind(ItemKind.TABLE, ItemKind.FEED) == (TABLE, FEED)
    assert found.indexes_on(CollectionId(2)) == (INDEX,)
    with pytest.raises(CollectionMissing, match="u9"):
        found.get(CollectionId(9))


def test_a_change_makes_the_next_version_and_leaves_the_old_one() -> None:
    old = catalog()
    new = old.apply([RemoveItem(FEED.id)])
    assert (old.version, new.version) == (1, 2)
    assert old.find("f") == FEED
    assert new.find("f") is None


def test_ids_are_never_given_again() -> None:
    found = catalog()
    assert found.next_id == CollectionId(6)
    assert found.apply([RemoveItem(FEED.id)]).next_id == CollectionId(6)
    assert found.apply([], next_id=CollectionId(3)).next_id == CollectionId(6)
    assert found.apply([], next_id=CollectionId(9)).next_id == CollectionId(9)


def test_names_are_taken_once_whatever_the_kind() -> None:
    with pytest.raises(CollectionExists, match='"v" exists already'):
        catalog().apply([AddItem(item(9, "v", ItemKind.TABLE))])


def test_what_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(CollectionMissing):
        catalog().apply([RemoveItem(CollectionId(9))])


def test_dependants_come_before_what_they_need() -> None:
    found = catalog()
    assert found.dependants_closure(TABLE.id) == (KEPT, INDEX, VIEW)
    assert found.dependants_closure(KEPT.id) == ()
    emptied = found.apply([RemoveItem(i.id) for i in (*found.dependants_closure(TABLE.id), TABLE)])
    assert tuple(emptied.items.values()) == (FEED,)


def test_nothing_is_removed_under_its_dependants() -> None:
    with pytest.raises(AssertionError, match="dependants"):
        catalog().apply([RemoveItem(VIEW.id)])


def test_an_item_needs_what_it_depends_on() -> None:
    with pytest.raises(AssertionError, match="not there"):
        empty_catalog().apply([AddItem(VIEW)])


def test_sources_are_the_tables_and_feeds_underneath() -> None:
    assert catalog().sources_of(KEPT.id) == (TABLE.id,)
    assert catalog().sources_of(TABLE.id) == (TABLE.id,)


def test_a_restored_catalog_is_the_one_that_was_stored() -> None:
    found = catalog()
    again = restore(reversed(ITEMS), next_id=6)
    assert (again.items, again.names, again.next_id) == (found.items, found.names, found.next_id)
    assert (again.dependants, again.indexes) == (found.dependants, found.indexes)


def test_only_a_plain_view_holds_nothing() -> None:
    assert VIEW.collection_kind is None
    assert INDEX.collection_kind is CollectionKind.INDEX
    assert not INDEX.is_relation
    assert str(KEPT) == "materialized view m (u4)"


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 6)), max_size=30))
def test_any_history_leaves_a_consistent_catalog(steps: list[tuple[bool, int]]) -> None:
    current = empty_catalog()
    for adds, number in steps:
        if adds:
            need = [n for n in current.items if n % 2 == number % 2]
            current = current.apply(
                [AddItem(item(current.next_id, f"i{current.next_id}", ItemKind.VIEW, *need))]
            )
        elif CollectionId(number) in current.items:
            doomed = (*current.dependants_closure(CollectionId(number)),)
            removals = [*(i.id for i in doomed), CollectionId(number)]
            current = current.apply([RemoveItem(i) for i in removals])
        for entry in current.items.values():
            assert current.names[entry.name] == entry.id
            assert all(entry.id in current.dependants[need] for need in entry.depends_on)
