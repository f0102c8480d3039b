"""Types and schemas survive the wire."""

from __future__ import annotations

import pytest
from hypothesis import given

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
from antiphon.protocol.schema import Column, Schema, Type, TypeKind
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
