"""A collection as the catalog tells it."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.client.collection import Collection
from antiphon.protocol.codec.schema import schema_to_proto
from antiphon.protocol.errors import RemoteProtocolError
from antiphon.protocol.schema import INT64, TEXT, Column, Schema
from antiphon.v1 import control_pb2 as wire

SCHEMA = Schema((Column(name="a", type=TEXT), Column(name="b", type=INT64, nullable=False)))


def test_it_is_read_from_the_message_with_its_key_in_the_keys_order() -> None:
    info = wire.CollectionInfo(
        id=7, name="v", kind="index", schema=schema_to_proto(SCHEMA), key=["b", "a"],
        sql="CREATE INDEX v", depends_on=[3],
    )  # fmt: skip
    found = Collection.from_proto(info)
    assert (found.id, found.name, found.kind, found.depends_on) == (7, "v", "index", (3,))
    assert found.arrow_schema == pa.schema(
        [pa.field("a", pa.string()), pa.field("b", pa.int64(), nullable=False)]
    )
    assert found.key_schema.names == ["b", "a"]


def test_a_malformed_schema_is_the_servers_fault() -> None:
    info = wire.CollectionInfo(name="v")
    info.schema.columns.add(name="a")
    with pytest.raises(RemoteProtocolError):
        Collection.from_proto(info)
