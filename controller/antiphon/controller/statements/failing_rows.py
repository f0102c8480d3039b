"""Rows that could not be computed, told to who reads them: what was read, and what helps."""

from __future__ import annotations

from typing import Final

from antiphon.controller.catalog import Catalog
from antiphon.controller.sql.explaining.spellings import spelling
from antiphon.controller.sql.statement import Select, Statement, Subscribe
from antiphon.protocol.errors import DataError
from antiphon.protocol.ids import CollectionId

_NAMED_MAX: Final = 3


def located(error: DataError, statement: Statement, catalog: Catalog) -> DataError:
    """The error as who reads it knows things: what failed in SQL, with the names of what the query
    reads, and how many rows fail."""
    details = dict(error.details)
    if "expression" in details:
        details["expression"] = spelling(details["expression"])
    imports = _imports(statement)
    names = list(dict.fromkeys(_name(part, catalog) for part in imports if part in catalog.items))
    count = details.get("errors")
    if not names or count is None:
        return DataError(error.message, **details)
    shown = ", ".join(f'"{name}"' for name in names[:_NAMED_MAX])
    more = len(names) - _NAMED_MAX
    where = shown + (f" and {more} more" if more > 0 else "")
    rows = "1 row fails" if count == "1" else f"{count} rows fail"
    told = f"{error.message}: {rows} in reading {where}, until changed, deleted or filtered out"
    return DataError(told, **details)


def _imports(statement: Statement) -> tuple[CollectionId, ...]:
    match statement:
        case Select():
            return statement.read.imports
        case Subscribe():
            return statement.imports
        case _:
            return ()


def _name(collection: CollectionId, catalog: Catalog) -> str:
    """As the user calls it: of an index, what it is on."""
    item = catalog.get(collection)
    return item.name if item.on is None else catalog.get(item.on).name
