"""Types and schemas survive the wire."""

from __future__ import annotations

import pytest
from hypothesis import given

from antiphon.protocol.codec import schema as codec
from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.codec.schema import (
    column_from_proto,
    column_to_proto,
    schema_field,
    schema_from_proto,
    schema_to_proto,
    type_from_proto,
    type_to_proto,
)
from antiphon.protocol.schema import INT64, Column, Schema, Type, TypeKind
from antiphon.v1 import types_pb2 as pb
from tests.protocol import strategies


@given(strategies.types)
def test_every_type_survives(kind: Type) -> None:
    data = type_to_proto(kind).SerializeToString()
    assert type_from_proto(pb.Type.FromString(data)) == kind


@given(strategies.columns)
def test_every_column_survives(column: Column) -> None:
    assert column_from_proto(column_to_proto(column)) == column


@given(strategies.schemas)
def test_every_schema_survives(schema: Schema) -> None:
    data = schema_to_proto(schema).SerializeToString()
    assert schema_from_proto(pb.Schema.FromString(data)) == schema


def test_the_numbers_of_the_kinds_are_those_of_the_wire() -> None:
    wire = {name.removeprefix("TYPE_KIND_"): number for name, number in pb.TypeKind.items()}
    del wire["UNSPECIFIED"]
    assert {kind.name: kind.value for kind in TypeKind} == wire


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (pb.Type(), "kind"),
        (pb.Type(kind=pb.TYPE_KIND_DECIMAL), "precision"),
        (pb.Type(kind=pb.TYPE_KIND_DECIMAL, precision=39), "precision"),
        (pb.Type(kind=pb.TYPE_KIND_DECIMAL, precision=3, scale=4), "scale"),
        (pb.Type(kind=pb.TYPE_KIND_LIST), "element"),
        (pb.Type(kind=pb.TYPE_KIND_LIST, element=pb.Type()), "element.kind"),
        (pb.Type(kind=pb.TYPE_KIND_STRUCT, fields=[pb.Column()]), "fields[0].type.kind"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_error_names_the_field(message: pb.Type, path: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        type_from_proto(message)
    assert caught.value.path == path


def test_a_schema_without_columns_is_not_a_missing_one() -> None:
    assert schema_field("schema", True, pb.Schema()) == Schema(())
    with pytest.raises(MalformedMessage, match="schema: missing"):
        schema_field("schema", False, pb.Schema())


def test_what_is_remembered_of_schemas_is_bounded_and_what_is_not_is_coded_anew() -> None:
    count = codec.SCHEMAS_REMEMBERED_MAX + 2
    schemas = [Schema((Column(name=f"c{number}", type=INT64),)) for number in range(count)]
    for _ in range(2):
        for each in schemas:
            message = codec.schema_to_proto(each)
            assert message.columns[0].name == each.columns[0].name
            assert codec.schema_from_proto(message) == each
    assert len(codec._ENCODED) <= codec.SCHEMAS_REMEMBERED_MAX
    assert len(codec._DECODED) <= codec.SCHEMAS_REMEMBERED_MAX


def test_an_equal_schema_is_encoded_to_an_equal_message() -> None:
    one, other = (Schema((Column(name="c", type=INT64),)) for _ in range(2))
    assert one is not other
    assert codec.schema_to_proto(one) == codec.schema_to_proto(other)
    assert codec.schema_to_proto(one) is codec.schema_to_proto(one)
