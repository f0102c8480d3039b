"""Expressions for people, in SQL as far as it has words for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from antiphon.controller.sql.binding.types import parts_of_type
from antiphon.controller.sql.explaining.spellings import SUFFIXES, SYMBOLS
from antiphon.controller.sql.parsing.literal_text import MICROSECONDS, to_datetime, write_value
from antiphon.protocol.expression import (
    Call,
    Case,
    Cast,
    ColumnReference,
    Expression,
    Interval,
    Literal,
    Value,
)
from antiphon.protocol.schema import TEXT, TIMESTAMP, TIMESTAMPTZ, Type
from antiphon.protocol.selection import Selection


def show_expression(expression: Expression, names: Sequence[str]) -> str:
    """The expression over columns of these names, in SQL as far as it has words for it."""
    match expression:
        case ColumnReference():
            return names[expression.index]
        case Literal():
            return show_value(expression)
        case Cast():
            return f"{show_expression(expression.input, names)}::{expression.type}"
        case Case():
            branches = " ".join(
                f"WHEN {show_expression(branch.condition, names)} "
                f"THEN {show_expression(branch.value, names)}"
                for branch in expression.branches
            )
            return f"CASE {branches} ELSE {show_expression(expression.otherwise, names)} END"
        case Call():
            return _call(expression, names)
        case _:
            assert_never(expression)


def show_selection(selection: Selection, names: Sequence[str]) -> str:
    """The conditions on the rows of a collection with columns of these names."""
    return " AND ".join(show_expression(part, names) for part in selection)


def _call(call: Call, names: Sequence[str]) -> str:
    inner = [show_expression(part, names) for part in call.arguments]
    if call.function in SYMBOLS:
        return f"({f' {SYMBOLS[call.function]} '.join(inner)})"
    if call.function in SUFFIXES:
        return f"({inner[0]} {SUFFIXES[call.function]})"
    if call.function == "not":
        return f"(NOT {inner[0]})"
    return f"{call.function}({', '.join(inner)})"


def show_value(literal: Literal) -> str:
    """As it would be written."""
    if isinstance(literal.value, tuple):
        return _nested_value(literal.value, literal.type)
    if literal.value is None:
        return "NULL"
    if isinstance(literal.value, Interval):
        return _interval(literal.value)
    if literal.type in (TIMESTAMP, TIMESTAMPTZ) and isinstance(literal.value, int):
        return to_datetime(literal.value).isoformat(sep=" ")
    written = write_value(literal.value, literal.type)
    if written is None:
        return str(literal.value)
    if literal.type == TEXT:
        escaped = written.replace("'", "''")
        return f"'{escaped}'"
    return written


def _nested_value(values: tuple[Value, ...], kind: Type) -> str:
    kinds = parts_of_type(kind, len(values))
    shown = ", ".join(
        show_value(Literal(value=v, type=t)) for v, t in zip(values, kinds, strict=True)
    )
    return f"[{shown}]" if kind.element is not None else f"ROW({shown})"


def _interval(value: Interval) -> str:
    parts = [(value.months, "months"), (value.days, "days")]
    shown = [f"{count} {unit}" for count, unit in parts if count]
    if value.microseconds or not shown:
        shown.append(f"{value.microseconds / MICROSECONDS:g} seconds")
    return " ".join(shown)
