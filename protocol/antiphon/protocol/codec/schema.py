"""Column types and schemas."""

from __future__ import annotations

from typing import Final

from antiphon.protocol.codec.field import MalformedMessage, each, enum, field, require
from antiphon.protocol.schema import DECIMAL_PRECISION_MAX, Column, Schema, Type, TypeKind
from antiphon.v1 import types_pb2 as pb

# Every read names its schema, and most of them the same few: to code one costs more than all the
# rest of a read. Values and messages are never changed, so that sharing them is unseen.
SCHEMAS_REMEMBERED_MAX: Final = 1_024
SCHEMA_REMEMBERED_BYTES_MAX: Final = 4_096
# By identity, for to hash a schema costs as much as to encode it; found by its first column's name.
SHELF_SCHEMAS_MAX: Final = 8
_ENCODED: Final[dict[str, tuple[tuple[Schema, pb.Schema], ...]]] = {}
_DECODED: Final[dict[bytes, Schema]] = {}
_PLAIN: Final = {
    int(kind): Type(kind=kind)
    for kind in TypeKind
    if kind not in (TypeKind.DECIMAL, TypeKind.LIST, TypeKind.STRUCT)
}


def type_to_proto(kind: Type) -> pb.Type:
    match kind.kind:
        case TypeKind.DECIMAL:
            return pb.Type(kind=pb.TYPE_KIND_DECIMAL, precision=kind.precision, scale=kind.scale)
        case TypeKind.LIST:
            assert kind.element is not None, "a list without an element type"
            return pb.Type(kind=pb.TYPE_KIND_LIST, element=type_to_proto(kind.element))
        case TypeKind.STRUCT:
            return pb.Type(
                kind=pb.TYPE_KIND_STRUCT, fields=[column_to_proto(c) for c in kind.fields]
            )
        case _:
            return pb.Type(kind=pb.TypeKind.ValueType(kind.kind))


def type_from_proto(message: pb.Type) -> Type:
    plain = _PLAIN.get(message.kind)
    if plain is not None:
        return plain
    kind = enum("kind", TypeKind, message.kind)
    match kind:
        case TypeKind.DECIMAL:
            precision, scale = message.precision, message.scale
            require(
                1 <= precision <= DECIMAL_PRECISION_MAX,
                "precision",
                f"{precision} is not within 1 and {DECIMAL_PRECISION_MAX}",
            )
            require(scale <= precision, "scale", f"{scale} exceeds the precision {precision}")
            return Type(kind=kind, precision=precision, scale=scale)
        case TypeKind.LIST:
            require(message.HasField("element"), "element", "missing")
            return Type(kind=kind, element=field("element", type_from_proto, message.element))
        case _:
            return Type(kind=kind, fields=each("fields", column_from_proto, message.fields))


def column_to_proto(column: Column) -> pb.Column:
    return pb.Column(name=column.name, type=type_to_proto(column.type), nullable=column.nullable)


def column_from_proto(message: pb.Column) -> Column:
    return Column(
        name=message.name, type=field("type", type_from_proto, message.type),
        nullable=message.nullable,
    )  # fmt: skip


def schema_to_proto(schema: Schema) -> pb.Schema:
    """Not to be changed: who encodes the same schema again gets the same message."""
    shelf = _ENCODED.get(schema.columns[0].name if schema.columns else "")
    if shelf is not None:
        for known, message in shelf:
            if known is schema:
                return message
    return _encode(schema)


def _encode(schema: Schema) -> pb.Schema:
    message = pb.Schema(columns=[column_to_proto(column) for column in schema.columns])
    if len(_ENCODED) >= SCHEMAS_REMEMBERED_MAX:
        _ENCODED.clear()
    name = schema.columns[0].name if schema.columns else ""
    shelf = _ENCODED.get(name, ())
    _ENCODED[name] = ((schema, message), *shelf[: SHELF_SCHEMAS_MAX - 1])
    return message


def schema_from_proto(message: pb.Schema) -> Schema:
    encoded = message.SerializeToString()
    found = _DECODED.get(encoded)
    if found is not None:
        return found
    schema = Schema(each("columns", column_from_proto, message.columns))
    if len(encoded) <= SCHEMA_REMEMBERED_BYTES_MAX:
        if len(_DECODED) >= SCHEMAS_REMEMBERED_MAX:
            _DECODED.clear()
        _DECODED[encoded] = schema
    return schema


def is_known(message: pb.Schema) -> bool:
    """Whether it was read before, and is not absent: then it is in order, and cheap to read."""
    encoded = message.SerializeToString()
    return encoded != b"" and encoded in _DECODED


def schema_field(name: str, present: bool, message: pb.Schema) -> Schema:
    """A schema that must be said; one without columns is legal."""
    if not present:
        raise MalformedMessage("missing", name)
    return field(name, schema_from_proto, message)
