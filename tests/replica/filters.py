"""Views over a part of a table: plans with filters, for the tests of guards and of rest."""

from __future__ import annotations

from antiphon.protocol.expression import Call, ColumnReference, Expression, Literal
from antiphon.protocol.plan import Get, MapFilterProject, Plan
from antiphon.protocol.schema import BOOLEAN, INT64, TEXT
from tests.replica.scripted import PAIRS, TABLE

K = ColumnReference(index=0, type=INT64)
V = ColumnReference(index=1, type=TEXT)


def number(value: int) -> Literal:
    return Literal(value=value, type=INT64)


def text(value: str) -> Literal:
    return Literal(value=value, type=TEXT)


def modulo(divisor: int) -> Expression:
    """Of k."""
    return Call(function="modulo", arguments=(K, number(divisor)), type=INT64)


def ratio(dividend: int) -> Expression:
    """To k: it fails where k is 0."""
    return Call(function="divide", arguments=(number(dividend), K), type=INT64)


def compared(left: Expression, right: Expression, function: str = "equal") -> Expression:
    return Call(function=function, arguments=(left, right), type=BOOLEAN)


def where(*filters: Expression, maps: tuple[Expression, ...] = ()) -> Plan:
    """The table's rows of which all filters are true."""
    source = Get(collection=TABLE, schema=PAIRS)
    return MapFilterProject(input=source, maps=maps, filters=filters, project=(0, 1))
