"""SHOW of replicas and settings, in the words of status."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa

from antiphon.controller.ports import Reply, RowsReply
from antiphon.controller.sql.statement import Nothing, ShowReplicas, ShowSettings
from antiphon.controller.statements.show import (
    REPLICAS_SCHEMA,
    SETTINGS_SCHEMA,
    schema_of,
)
from antiphon.protocol.delta import decode_batch
from antiphon.protocol.schema import INT64, Schema, arrow_schema
from tests.controller.world import World

CONFIGURATION: Final = (Path(__file__).resolve().parents[3] / "docs/configuration.md").read_text(
    "utf-8"
)


def rows(reply: Reply, schema: Schema) -> list[dict[str, object]]:
    assert isinstance(reply, RowsReply)
    table = pa.Table.from_batches([decode_batch(b, arrow_schema(schema)) for b in reply.batches])
    return table.to_pylist()  # type: ignore[no-any-return]


def test_replicas_are_shown_with_link_and_reason() -> None:
    world = World()
    world.connect("r1")
    world.connect("r2")
    world.lose("r2")
    first, second = rows(world.reply(world.begin("SHOW REPLICAS")), REPLICAS_SCHEMA)
    assert (first["name"], first["link"], first["ready"]) == ("r1", "connected", True)
    assert str(first["reason"]) == "keep-up because it is new, and the history is empty"
    assert (second["link"], second["reason"]) == ("connecting", "gone")


def test_settings_are_shown_in_order() -> None:
    world = World(retain_ms=7)
    shown = rows(world.reply(world.begin("SHOW ALL")), SETTINGS_SCHEMA)
    names = [str(row["name"]) for row in shown]
    assert names == sorted(names)
    assert {"name": "retain_ms", "value": "7"} in shown
    assert {"name": "state_bytes_max", "value": "none"} in shown
    assert all(f"`{name}`" in CONFIGURATION for name in names), "each is documented"
    world.sql("ALTER SYSTEM SET state_bytes_max = 5")
    (limit,) = rows(world.reply(world.begin("SHOW state_bytes_max")), SETTINGS_SCHEMA)
    assert limit["value"] == "5"


def test_the_columns_of_an_answer_are_known_beforehand() -> None:
    world = World()
    world.sql("CREATE TABLE t (k bigint)")
    select = schema_of(world.plan("SELECT k FROM t"))
    assert select is not None
    assert select.types == (INT64,)
    assert schema_of(world.plan("SELECT 1 AS one")) is not None
    assert schema_of(ShowReplicas()) == REPLICAS_SCHEMA
    assert schema_of(ShowSettings()) == SETTINGS_SCHEMA
    assert schema_of(Nothing(tag="DROP TABLE")) is None
