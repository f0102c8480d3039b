"""Casts of lists and structs: element by element, field by field, and to PostgreSQL's notation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of
from antiphon.protocol.schema import TEXT, Type, TypeKind
from antiphon.replica.dataflow.expressions.casting import list_parsing
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.nested.lists import Lists, list_vector
from antiphon.replica.dataflow.expressions.nested.structs import fields_of, struct_vector
from antiphon.replica.dataflow.expressions.vector import Vector

Rule = Callable[[Frame, Vector, Type], Vector]

# What has to stand in quotes, besides the empty text.
_LIST_MARKS: Final = r'[{},"\\\s\v]|^(?i:null)$'
_STRUCT_MARKS: Final = r'[(),"\\\s\v]'


def list_to_list(element: Rule, frame: Frame, vector: Vector, target: Type) -> Vector:
    lists = Lists(vector)
    assert target.element is not None, "a list has an element type"
    inner = lists.frame()
    found = element(inner, lists.vector, target.element)
    lists.report(frame, inner)
    return list_vector(target, found.array, lists.sizes, lists.valid)


def text_to_list(element: Rule, frame: Frame, vector: Vector, target: Type) -> Vector:
    """Text in PostgreSQL's notation; what is not fails, in whole or in an element."""
    lists = list_parsing.parse(frame, vector, target)
    assert target.element is not None, "a list has an element type"
    inner = lists.frame()
    found = element(inner, lists.vector, target.element)
    lists.report(frame, inner)
    return list_vector(target, found.array, lists.sizes, lists.valid)


def struct_to_struct(field_rule: Rule, frame: Frame, vector: Vector, target: Type) -> Vector:
    """Field by field, in their order, whatever their names are."""
    found = [
        field_rule(frame, field, wanted.type)
        for field, wanted in zip(fields_of(vector), target.fields, strict=True)
    ]
    return struct_vector(target, found, vector.valid)


def list_to_text(element: Rule, frame: Frame, vector: Vector, target: Type) -> Vector:
    """`{1,NULL,"a b"}`."""
    lists = Lists(vector)
    shown = output_text(element, lists.frame(), lists.vector)
    if lists.type.kind is not TypeKind.LIST:
        shown = _quoted(shown, _LIST_MARKS, r"\\\0")
    shown = pc.fill_null(shown, "NULL")
    joined = pc.binary_join(
        list_vector(Type(kind=TypeKind.LIST, element=TEXT), shown, lists.sizes, lists.valid).array,
        ",",
    )
    return Vector.of_array(target, pc.binary_join_element_wise("{", joined, "}", ""))


def struct_to_text(field_rule: Rule, frame: Frame, vector: Vector, target: Type) -> Vector:
    """`(1,,"a b")`."""
    shown = [
        pc.fill_null(_quoted(output_text(field_rule, frame, field), _STRUCT_MARKS, r"\0\0"), "")
        for field in fields_of(vector)
    ]
    joined = shown[0] if len(shown) == 1 else pc.binary_join_element_wise(*shown, ",")
    whole = pc.binary_join_element_wise("(", joined, ")", "")
    valid = vector.valid
    if valid is not None:
        whole = pc.if_else(array_of(valid, pa.bool_()), whole, pa.scalar(None, pa.string()))
    return Vector.of_array(target, whole)


def output_text(rule: Rule, frame: Frame, vector: Vector) -> pa.Array:
    """Values as they are written inside of others: as text, but a boolean is `t` or `f`."""
    if vector.type.kind is TypeKind.BOOLEAN:
        return pc.if_else(vector.array, "t", "f")
    return rule(frame, vector, TEXT).array


def _quoted(text: pa.Array, marks: str, escaped: str) -> pa.Array:
    """The text, in quotes where it has to be."""
    needs = pc.or_(pc.match_substring_regex(text, marks), pc.equal(text, ""))
    if not pc.any(needs).as_py():
        return text
    inner = pc.replace_substring_regex(text, r'["\\]', escaped)
    return pc.if_else(needs, pc.binary_join_element_wise('"', inner, '"', ""), text)
