"""Dataflows whose content is, row by row, that of the one collection that they read.

An index on a table holds the table. So a replica that maintains it can give the table's content to
another one, at each time at which the index can be read.
"""

from __future__ import annotations

from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.dataflow import DataflowDescription
from antiphon.protocol.errors import RemoteProtocolError
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Get


def copy_of(description: DataflowDescription) -> CollectionId | None:
    """The collection whose content the dataflow's exports have, unchanged; None: there is none."""
    if len(description.imports) != 1 or description.until is not None:
        return None
    try:
        plan = plan_from_bytes(description.plan)
    except RemoteProtocolError:
        return None
    return plan.collection if isinstance(plan, Get) else None
