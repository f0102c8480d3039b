"""Errors as their callers know the collections: by name.

The store and the instance know ids alone; the catalog that turns them into names is at hand where
their errors leave for a client.
"""

from __future__ import annotations

import re

from antiphon.controller.catalog import Catalog
from antiphon.protocol.errors import ComputeError
from antiphon.protocol.ids import CollectionId, show


def with_name(error: ComputeError, catalog: Catalog) -> ComputeError:
    """The error with the name of the collection that its details give, instead of the id; the same
    error if they give none that the catalog knows."""
    digits = error.details.get("collection", "").removeprefix("u")
    item = catalog.items.get(CollectionId(int(digits))) if digits.isdecimal() else None
    if item is None:
        return error
    message = re.sub(rf"\b{show(item.id)}\b", lambda _: f'"{item.name}"', error.message)
    return type(error)(message, **error.details)
