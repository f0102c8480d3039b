"""varchar(n): how long the text of a column may be.

As in PostgreSQL, blanks at the end of a text that is too long are cut off when it is written; any
other text that is too long is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from antiphon.controller.catalog import CatalogItem
from antiphon.controller.sql.algebra.plans import computed, width_of
from antiphon.controller.sql.parsing.literal_text import fit_text
from antiphon.controller.sql.parsing.source import Source, Spot
from antiphon.protocol.errors import ConstraintViolation
from antiphon.protocol.expression import Call, ColumnReference, Expression, Literal
from antiphon.protocol.plan import Plan
from antiphon.protocol.schema import INT32, TEXT


def length_of(item: CatalogItem, index: int) -> int | None:
    """The characters that a column has room for; None: any number."""
    for length in item.lengths:
        if length.column == index:
            return length.characters
    return None


def fitted(source: Source, spot: Spot, value: Expression, length: int | None) -> Expression:
    """A value as it is written into a column of that length.

    Raises:
        TypeMismatch: it is a literal that is too long.
    """
    if length is None:
        return value
    if not isinstance(value, Literal):
        limit = Literal(value=length, type=INT32)
        return Call(function="fit_text", arguments=(value, limit), type=TEXT)
    if value.value is None:
        return value
    try:
        return Literal(value=fit_text(str(value.value), length), type=TEXT)
    except ValueError as error:
        raise source.mismatch(spot, str(error)) from None


def fitted_plan(source: Source, spot: Spot, item: CatalogItem, rows: Plan) -> Plan:
    """A plan of all the item's columns, with the texts as they are written."""
    if not item.lengths:
        return rows
    outputs = [
        fitted(source, spot, ColumnReference(index=index, type=kind), length_of(item, index))
        for index, kind in enumerate(item.schema.types)
    ]
    assert width_of(rows) == len(outputs), "all the columns of the item"
    return computed(rows, outputs)


def fitted_columns(item: CatalogItem, columns: Sequence[pa.Array]) -> list[pa.Array]:
    """The columns of rows that are written, with the blanks cut off that there is no room for.

    Raises:
        ConstraintViolation: a text is too long.
    """
    found = list(columns)
    for length in item.lengths:
        found[length.column] = _fitted(item, length.column, length.characters, columns)
    return found


def _fitted(
    item: CatalogItem, index: int, characters: int, columns: Sequence[pa.Array]
) -> pa.Array:
    values = columns[index]
    if not pc.any(pc.greater(pc.utf8_length(values), characters)).as_py():
        return values
    sized = pc.utf8_length(pc.utf8_rtrim(values, " "))
    if pc.any(pc.greater(sized, characters)).as_py():
        name = item.schema.columns[index].name
        raise ConstraintViolation(
            f'column "{name}" of "{item.name}": value too long for type character '
            f"varying({characters})",
            column=name, name=item.name,
        )  # fmt: skip
    return pc.utf8_slice_codeunits(values, 0, characters)
