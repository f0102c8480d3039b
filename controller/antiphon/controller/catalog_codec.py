"""The catalog as the bytes that the store keeps: items, replicas and named holds, each in a row of
its own."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from antiphon.controller.catalog import CatalogItem, ColumnDefault, ColumnLength, ItemKind
from antiphon.controller.membership import CatalogReplica
from antiphon.controller.named_holds import CatalogHold
from antiphon.protocol.codec.dataflow import dataflow_from_proto, dataflow_to_proto
from antiphon.protocol.codec.field import MalformedMessage, enum, field, require
from antiphon.protocol.codec.frontier import frontier_from_proto, frontier_to_proto
from antiphon.protocol.codec.schema import schema_field, schema_to_proto
from antiphon.protocol.ids import CollectionId, ReplicaId
from antiphon.protocol.schema import TEXT
from antiphon.v1 import catalog_pb2 as pb


def item_to_bytes(item: CatalogItem) -> bytes:
    """Equal items give equal bytes."""
    message = pb.CatalogItem(
        id=item.id,
        name=item.name,
        kind=pb.ItemKind.ValueType(item.kind),
        schema=schema_to_proto(item.schema),
        key_columns=item.key_columns,
        sql=item.sql,
        plan=item.plan,
        depends_on=item.depends_on,
        on=item.on,
        created_at_ms=item.created_at_ms,
        defaults=[pb.ColumnDefault(column=d.column, sql=d.sql) for d in item.defaults],
        lengths=[
            pb.ColumnLength(column=length.column, characters=length.characters)
            for length in item.lengths
        ],
    )
    return message.SerializeToString(deterministic=True)


def item_from_bytes(data: bytes) -> CatalogItem:
    """The inverse of `item_to_bytes`.

    Raises:
        MalformedMessage: the bytes are no item; a field's path says where.
    """
    try:
        message = pb.CatalogItem.FromString(data)
    except DecodeError:
        raise MalformedMessage("not the bytes of a catalog item") from None
    require(message.id > 0, "id", "missing")
    require(message.name != "", "name", "missing")
    kind = enum("kind", ItemKind, message.kind)
    schema = schema_field("schema", message.HasField("schema"), message.schema)
    fits = all(index < len(schema) for index in message.key_columns)
    require(fits, "key_columns", f"a column beyond the {len(schema)} of the schema")
    fits = all(default.column < len(schema) for default in message.defaults)
    require(fits, "defaults", f"a column beyond the {len(schema)} of the schema")
    texts = all(
        length.column < len(schema)
        and schema.types[length.column] == TEXT
        and length.characters > 0
        for length in message.lengths
    )
    require(texts, "lengths", "for columns of text, and at least one character")
    require(message.HasField("on") == (kind is ItemKind.INDEX), "on", "for indexes, and them alone")
    return CatalogItem(
        id=CollectionId(message.id),
        name=message.name,
        kind=kind,
        schema=schema,
        key_columns=tuple(message.key_columns),
        sql=message.sql,
        plan=message.plan,
        depends_on=tuple(CollectionId(need) for need in message.depends_on),
        on=CollectionId(message.on) if message.HasField("on") else None,
        created_at_ms=message.created_at_ms,
        defaults=tuple(ColumnDefault(column=d.column, sql=d.sql) for d in message.defaults),
        lengths=tuple(
            ColumnLength(column=length.column, characters=length.characters)
            for length in message.lengths
        ),
    )


def replica_to_bytes(replica: CatalogReplica) -> bytes:
    """Equal replicas give equal bytes; the row is not among them, it is where they are kept."""
    message = pb.CatalogReplica(
        name=replica.name,
        address=replica.address,
        read_only=replica.read_only,
        from_settings=replica.from_settings,
        created_at_ms=replica.created_at_ms,
    )
    return message.SerializeToString(deterministic=True)


def replica_from_bytes(row: CollectionId, data: bytes) -> CatalogReplica:
    """The inverse of `replica_to_bytes`.

    Raises:
        MalformedMessage: the bytes are no replica.
    """
    try:
        message = pb.CatalogReplica.FromString(data)
    except DecodeError:
        raise MalformedMessage("not the bytes of a replica in the catalog") from None
    require(message.name != "", "name", "missing")
    return CatalogReplica(
        row=row,
        name=ReplicaId(message.name),
        address=message.address,
        read_only=message.read_only,
        from_settings=message.from_settings,
        created_at_ms=message.created_at_ms,
    )


def hold_to_bytes(hold: CatalogHold) -> bytes:
    """Equal holds give equal bytes; the row is not among them."""
    seen = hold.acknowledged
    message = pb.CatalogHold(
        name=hold.name,
        target=hold.target,
        dataflow=dataflow_to_proto(hold.dataflow),
        acknowledged=None if seen is None else frontier_to_proto(seen),
        time=hold.time,
        deadline_ms=hold.deadline_ms,
        created_at_ms=hold.created_at_ms,
        lost=hold.lost,
    )
    return message.SerializeToString(deterministic=True)


def hold_from_bytes(row: CollectionId, data: bytes) -> CatalogHold:
    """The inverse of `hold_to_bytes`.

    Raises:
        MalformedMessage: the bytes are no hold.
    """
    try:
        message = pb.CatalogHold.FromString(data)
    except DecodeError:
        raise MalformedMessage("not the bytes of a hold in the catalog") from None
    require(message.name != "", "name", "missing")
    seen = message.acknowledged if message.HasField("acknowledged") else None
    return CatalogHold(
        row=row,
        name=message.name,
        target=message.target,
        dataflow=field("dataflow", dataflow_from_proto, message.dataflow),
        acknowledged=None if seen is None else frontier_from_proto(seen),
        time=message.time,
        deadline_ms=message.deadline_ms,
        created_at_ms=message.created_at_ms,
        lost=message.lost,
    )
