"""SHOW of what only the driver knows: replicas and settings, as rows."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from antiphon.controller.instance.settings import values_in_force
from antiphon.controller.instance.state import State
from antiphon.controller.sql.statement import (
    Inspect,
    Rows,
    Select,
    ShowReplicas,
    ShowSettings,
    Statement,
)
from antiphon.controller.status import InstanceStatus
from antiphon.protocol.limits import STATE_BYTES_MAX
from antiphon.protocol.schema import BOOLEAN, INT64, TEXT, Column, Schema, arrow_schema

REPLICAS_SCHEMA: Final = Schema(
    (
        Column(name="name", type=TEXT, nullable=False),
        Column(name="address", type=TEXT, nullable=False),
        Column(name="link", type=TEXT, nullable=False),
        Column(name="stage", type=TEXT, nullable=False),
        Column(name="ready", type=BOOLEAN, nullable=False),
        Column(name="lag_ms", type=INT64, nullable=False),
        Column(name="reason", type=TEXT, nullable=False),
    )
)
SETTINGS_SCHEMA: Final = Schema(
    (
        Column(name="name", type=TEXT, nullable=False),
        Column(name="value", type=TEXT, nullable=False),
    )
)


def show_replicas(statement: ShowReplicas, status: InstanceStatus) -> Rows:
    rows = [
        {
            "name": replica.name,
            "address": replica.address,
            "link": replica.link,
            "stage": replica.stage.name.lower().replace("_", "-"),
            "ready": replica.is_ready,
            "lag_ms": replica.lag_ms,
            "reason": replica.reason,
        }
        for replica in status.replicas
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=arrow_schema(REPLICAS_SCHEMA))
    return Rows(schema=REPLICAS_SCHEMA, rows=batch, tag=statement.tag)


def show_settings(statement: ShowSettings, state: State) -> Rows:
    """All settings, or the one that was asked for; with what cannot be changed while it runs."""
    update = None if state.configuration is None else state.configuration[1]
    settings = {
        "read_only": str(state.config.read_only).lower(),
        **state.config.configuration,
        **values_in_force(state.given, update),
    }
    if settings["state_bytes_max"] == str(STATE_BYTES_MAX):
        settings["state_bytes_max"] = "none"
    wanted = sorted(settings) if statement.name is None else [statement.name]
    rows = [{"name": name, "value": settings[name]} for name in wanted]
    batch = pa.RecordBatch.from_pylist(rows, schema=arrow_schema(SETTINGS_SCHEMA))
    return Rows(schema=SETTINGS_SCHEMA, rows=batch, tag=statement.tag)


def schema_of(statement: Statement) -> Schema | None:
    """Of the rows that a statement answers with; None: it has none, or they are changes."""
    match statement:
        case Select(read=read):
            return read.schema
        case Inspect(read=read):
            return read.schema
        case Rows(schema=schema):
            return schema
        case ShowReplicas():
            return REPLICAS_SCHEMA
        case ShowSettings():
            return SETTINGS_SCHEMA
        case _:
            return None
