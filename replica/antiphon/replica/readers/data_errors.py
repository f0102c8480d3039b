"""Data errors are data; a read that meets one is answered with it."""

from __future__ import annotations

from antiphon.protocol.errors import DataError
from antiphon.protocol.failure import failure_of
from antiphon.protocol.response import Failure
from antiphon.replica.dataflow.columns.zset import Zset


def data_failure(errors: Zset | None) -> Failure | None:
    """The failure that a read of these errors gives; None if there are none.

    The first in canonical order speaks for all, so that every replica answers alike.
    """
    if errors is None or errors.row_count == 0:
        return None
    present = errors.consolidated()
    if present.row_count == 0:
        return None
    code, message, expression = (column[0].as_py() for column in present.columns)
    return failure_of(
        DataError(
            message,
            cause=code,
            expression=expression,
            errors=int(present.diffs.sum()),
        )
    )
