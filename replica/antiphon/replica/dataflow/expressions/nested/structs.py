"""Structs: made of values, and taken apart by the place of a field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.expression import Call, Literal
from antiphon.protocol.schema import Type, arrow_type
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.vector import Mask, Vector


def fields_of(vector: Vector) -> list[Vector]:
    """Each field as a column, null where the struct is."""
    columns = vector.array.flatten()
    return [
        Vector.of_array(field.type, column)
        for field, column in zip(vector.type.fields, columns, strict=True)
    ]


def struct_vector(kind: Type, fields: list[Vector], valid: Mask | None) -> Vector:
    """Structs of these fields; null where not `valid`."""
    mask = None if valid is None else pa.array(~valid)
    columns = [field.array for field in fields]
    array = pa.StructArray.from_arrays(columns, fields=list(arrow_type(kind)), mask=mask)
    return Vector.of_array(kind, array)


def _struct(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    return struct_vector(call.type, arguments, None)


def _field(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    place = call.arguments[1]
    assert isinstance(place, Literal), "a place is a literal"
    assert isinstance(place.value, int), "a place is a number"
    return Vector.of_array(call.type, pc.struct_field(arguments[0].array, [place.value]))


def names_a_field(call: Call) -> bool:
    """Whether the arguments of `field` are a struct and the place of one of its fields."""
    if len(call.arguments) != 2:
        return False
    struct, place = call.arguments
    return (
        isinstance(place, Literal)
        and isinstance(place.value, int)
        and 0 <= place.value < len(struct.type.fields)
        and struct.type.fields[place.value].type == call.type
    )


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "struct": _struct,
    "field": _field,
}
