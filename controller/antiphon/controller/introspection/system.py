"""The introspection collections: names, columns, and the catalog that queries of them are planned
on.

They are named `antiphon.NAME`, are in no history, no store and no user's catalog. A query reads
either these or a user's collections, never both: their times are not the same.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from antiphon.controller.catalog import AddItem, Catalog, CatalogItem, ItemKind, empty_catalog
from antiphon.protocol.ids import CollectionId, system
from antiphon.protocol.schema import BOOLEAN, INT64, TEXT, TIMESTAMPTZ, Column, Schema, Type

SCHEMA_NAME: Final = "antiphon"


class SystemCollection(IntEnum):
    """The numbers are the counters of their ids."""

    REPLICAS = 1
    DATAFLOWS = 2
    FRONTIERS = 3
    HYDRATION = 4
    PEEKS = 5
    DECISIONS = 6
    HISTORY = 7
    HOLDS = 8
    ARRANGEMENTS = 9

    @property
    def id(self) -> CollectionId:
        return system(self.value)

    @property
    def sql_name(self) -> str:
        return f"{SCHEMA_NAME}.{self.name.lower()}"


def _schema(**columns: tuple[Type, bool]) -> Schema:
    return Schema(
        tuple(Column(name=name, type=t, nullable=null) for name, (t, null) in columns.items())
    )


_TEXT, _TEXT_OR_NULL = (TEXT, False), (TEXT, True)
_INT, _INT_OR_NULL = (INT64, False), (INT64, True)
_BOOLEAN, _AT = (BOOLEAN, False), (TIMESTAMPTZ, False)

SCHEMAS: Final = {
    SystemCollection.REPLICAS: _schema(
        name=_TEXT,
        address=_TEXT,
        link=_TEXT,
        stage=_TEXT,
        ready=_BOOLEAN,
        decision=_TEXT_OR_NULL,
        reason=_TEXT,
        applied_position=_INT,
        lag_ms=_INT,
        resident_bytes=_INT,
        state_bytes=_INT,
        state_bytes_max=_INT_OR_NULL,
        worker_silence_ms=_INT,
        process_id=_INT_OR_NULL,
        restarts=_INT,
    ),
    SystemCollection.DATAFLOWS: _schema(
        collection=_TEXT,
        name=_TEXT,
        kind=_TEXT,
        position=_INT_OR_NULL,
        as_of=_INT_OR_NULL,
        imports=_TEXT,
        text=_TEXT,
    ),
    SystemCollection.FRONTIERS: _schema(
        collection=_TEXT,
        name=_TEXT,
        kind=_TEXT,
        replica=_TEXT_OR_NULL,
        since=_INT_OR_NULL,
        write_frontier=_INT_OR_NULL,
        input_frontier=_INT_OR_NULL,
        output_frontier=_INT_OR_NULL,
    ),
    SystemCollection.HYDRATION: _schema(
        replica=_TEXT,
        collection=_TEXT,
        name=_TEXT,
        scheduled=_BOOLEAN,
        hydrated=_BOOLEAN,
        failed=_BOOLEAN,
        rows_done=_INT_OR_NULL,
        rows_total=_INT_OR_NULL,
        lag_ms=_INT,
    ),
    SystemCollection.PEEKS: _schema(
        id=_TEXT,
        time=_INT,
        replica=_TEXT_OR_NULL,
        reads=_TEXT,
        failures=_INT,
        text=_TEXT,
    ),
    SystemCollection.DECISIONS: _schema(
        replica=_TEXT,
        at=_AT,
        session=_INT,
        decision=_TEXT,
        reason=_TEXT,
        outcome=_TEXT_OR_NULL,
        base=_TEXT_OR_NULL,
        content=_TEXT_OR_NULL,
    ),
    SystemCollection.HOLDS: _schema(
        name=_TEXT,
        target=_TEXT,
        time=_INT,
        acknowledged=_INT_OR_NULL,
        active=_BOOLEAN,
        deadline_ms=_INT,
        created_at=_AT,
        lost=_TEXT_OR_NULL,
    ),
    SystemCollection.ARRANGEMENTS: _schema(
        replica=_TEXT,
        collection=_TEXT,
        name=_TEXT,
        key=_TEXT,
        filter=_TEXT_OR_NULL,
        columns=_INT,
        rows=_INT,
        bytes=_INT,
        readers=_INT,
    ),
    SystemCollection.HISTORY: _schema(
        position=_INT,
        kind=_TEXT,
        collection=_TEXT_OR_NULL,
        name=_TEXT_OR_NULL,
        appended_at=_AT,
        digest=_TEXT,
        text=_TEXT,
    ),
}
assert set(SCHEMAS) == set(SystemCollection), "every introspection collection has columns"


def _catalog() -> Catalog:
    items = [
        CatalogItem(id=one.id, name=one.sql_name, kind=ItemKind.TABLE, schema=SCHEMAS[one])
        for one in SystemCollection
    ]
    return empty_catalog().apply([AddItem(item) for item in items])


# What a query of introspection collections is planned on. To the planner they are tables.
SYSTEM_CATALOG: Final = _catalog()


def is_system(name: str) -> bool:
    """Whether a dotted name belongs here, known or not."""
    return name.startswith(f"{SCHEMA_NAME}.")


def system_collection(collection: CollectionId) -> SystemCollection:
    """The introspection collection with this id."""
    return BY_ID[collection]


BY_ID: Final = {one.id: one for one in SystemCollection}
