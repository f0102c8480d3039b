"""Dataflow descriptions, their imports and exports, and how a read is finished."""

from __future__ import annotations

from typing import assert_never

from antiphon.protocol.codec.field import MalformedMessage, each, enum, field, require
from antiphon.protocol.codec.frontier import (
    frontier_field,
    frontier_from_proto,
    frontier_to_proto,
)
from antiphon.protocol.codec.schema import schema_field, schema_to_proto
from antiphon.protocol.dataflow import (
    CollectionKind,
    CopyToExport,
    DataflowDescription,
    Export,
    Finishing,
    Import,
    IndexExport,
    MaterializedViewExport,
    SubscribeExport,
)
from antiphon.protocol.ids import CollectionId
from antiphon.v1 import dataflow_pb2 as pb
from antiphon.v1 import plan_pb2


def import_to_proto(item: Import) -> pb.Import:
    return pb.Import(
        collection=item.collection,
        kind=pb.CollectionKind.ValueType(item.kind),
        schema=schema_to_proto(item.schema),
        key_columns=item.key_columns,
    )


def import_from_proto(message: pb.Import) -> Import:
    schema = schema_field("schema", message.HasField("schema"), message.schema)
    keys = tuple(message.key_columns)
    require(all(key < len(schema) for key in keys), "key_columns", "no such column")
    return Import(
        collection=CollectionId(message.collection),
        kind=enum("kind", CollectionKind, message.kind),
        schema=schema,
        key_columns=keys,
    )


def export_to_proto(export: Export) -> pb.Export:
    message = pb.Export(collection=export.collection)
    match export.kind:
        case IndexExport(key_columns=keys):
            message.index.CopyFrom(pb.IndexExport(key_columns=keys))
        case MaterializedViewExport(key_columns=keys):
            message.materialized_view.CopyFrom(pb.MaterializedViewExport(key_columns=keys))
        case SubscribeExport(with_snapshot=with_snapshot):
            message.subscribe.CopyFrom(pb.SubscribeExport(with_snapshot=with_snapshot))
        case CopyToExport(uri=uri, format=form):
            message.copy_to.CopyFrom(pb.CopyToExport(uri=uri, format=form))
        case _:
            assert_never(export.kind)
    return message


def export_from_proto(message: pb.Export) -> Export:
    collection = CollectionId(message.collection)
    require(collection != 0, "collection", "missing")
    match message.WhichOneof("kind"):
        case "index":
            keys = tuple(message.index.key_columns)
            return Export(collection=collection, kind=IndexExport(key_columns=keys))
        case "materialized_view":
            keys = tuple(message.materialized_view.key_columns)
            return Export(collection=collection, kind=MaterializedViewExport(key_columns=keys))
        case "subscribe":
            subscribe = SubscribeExport(with_snapshot=message.subscribe.with_snapshot)
            return Export(collection=collection, kind=subscribe)
        case "copy_to":
            copy_to = CopyToExport(uri=message.copy_to.uri, format=message.copy_to.format)
            return Export(collection=collection, kind=copy_to)
        case None:
            raise MalformedMessage("no export", "kind")
        case unreachable:
            assert_never(unreachable)


def dataflow_to_proto(dataflow: DataflowDescription) -> pb.DataflowDescription:
    return pb.DataflowDescription(
        name=dataflow.name,
        imports=[import_to_proto(item) for item in dataflow.imports],
        plan=dataflow.plan,
        exports=[export_to_proto(export) for export in dataflow.exports],
        as_of=frontier_to_proto(dataflow.as_of),
        until=None if dataflow.until is None else frontier_to_proto(dataflow.until),
        schema=schema_to_proto(dataflow.schema),
    )


def dataflow_from_proto(message: pb.DataflowDescription) -> DataflowDescription:
    """The plan stays bytes: it is decoded by whoever renders it."""
    require(len(message.plan) > 0, "plan", "missing")
    require(len(message.exports) > 0, "exports", "none")
    schema = schema_field("schema", message.HasField("schema"), message.schema)
    exports = each("exports", export_from_proto, message.exports)
    for index, export in enumerate(exports):
        match export.kind:
            case IndexExport(key_columns=keys) | MaterializedViewExport(key_columns=keys):
                fits = all(key < len(schema) for key in keys)
                require(fits, f"exports[{index}].key_columns", "no such column")
            case SubscribeExport() | CopyToExport():
                pass
            case _:
                assert_never(export.kind)
    return DataflowDescription(
        name=message.name,
        imports=each("imports", import_from_proto, message.imports),
        plan=message.plan,
        exports=exports,
        as_of=frontier_field("as_of", message.HasField("as_of"), message.as_of),
        until=frontier_from_proto(message.until) if message.HasField("until") else None,
        schema=schema,
    )


def finishing_to_proto(finishing: Finishing) -> pb.Finishing:
    return pb.Finishing(
        order_by=[
            plan_pb2.SortKey(column=column, descending=descending, nulls_first=nulls_first)
            for column, descending, nulls_first in finishing.order_by
        ],
        limit=finishing.limit,
        offset=finishing.offset,
        project=None if finishing.project is None else pb.Projection(columns=finishing.project),
    )


def finishing_from_proto(message: pb.Finishing) -> Finishing:
    return Finishing(
        order_by=tuple((key.column, key.descending, key.nulls_first) for key in message.order_by),
        offset=message.offset,
        limit=message.limit if message.HasField("limit") else None,
        project=tuple(message.project.columns) if message.HasField("project") else None,
    )


def finishing_field(message: pb.Finishing) -> Finishing:
    """A finishing as the field of that name; absent means unfinished."""
    return field("finishing", finishing_from_proto, message)
