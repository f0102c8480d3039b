"""What the catalog says of one collection, as a client sees it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import pyarrow as pa

from antiphon.protocol.codec.schema import schema_from_proto
from antiphon.protocol.schema import Schema, arrow_schema
from antiphon.v1 import control_pb2 as wire


@dataclass(frozen=True, kw_only=True)
class Collection:
    """`kind`: table, feed, view, materialized view or index. `key`: names of the key's columns,
    empty if there is none. `sql`: the statement that made it."""

    id: int
    name: str
    kind: str
    schema: Schema
    key: tuple[str, ...] = ()
    sql: str = ""
    depends_on: tuple[int, ...] = ()

    @classmethod
    def from_proto(cls, info: wire.CollectionInfo) -> Self:
        return cls(
            id=info.id,
            name=info.name,
            kind=info.kind,
            schema=schema_from_proto(info.schema),
            key=tuple(info.key),
            sql=info.sql,
            depends_on=tuple(info.depends_on),
        )

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        return arrow_schema(self.schema)

    @cached_property
    def key_schema(self) -> pa.Schema:
        """The key's columns, in the key's order."""
        whole = self.arrow_schema
        return pa.schema([whole.field(name) for name in self.key])
