"""Arrow IPC streams from outside, read with the suspicion that they deserve."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from antiphon.protocol.errors import SchemaMismatch


def read_stream(stream: bytes) -> pa.Table:
    """The rows of a whole stream, over its own bytes. O(bytes).

    Raises:
        SchemaMismatch: it is no Arrow stream, or its columns are not what they claim to be.
    """
    try:
        table = pa.ipc.open_stream(pa.py_buffer(stream)).read_all()
        # Arrow believes what a message says of its buffers: an offset, a dictionary's index or a
        # length that is wrong would have us read memory past them, and crash for everyone.
        table.validate(full=True)
        _read_names(table.schema)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise SchemaMismatch(f"no valid Arrow stream: {reason}") from error
    return table


def _read_names(fields: Iterable[pa.Field]) -> None:
    """Raises UnicodeDecodeError: names are no part of what Arrow validates."""
    for field in fields:
        assert isinstance(field.name, str), "decoded when it is read"
        _read_names(field.type.field(index) for index in range(field.type.num_fields))
