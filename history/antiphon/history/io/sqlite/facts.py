"""The one row of facts: whose the store is, how far it is, and a checksum over all of it."""

from __future__ import annotations

import sqlite3
from typing import Final

from antiphon.history.io.sqlite.checksum import check, checksum

_NAMES: Final = (
    "instance_id", "history_id", "epoch", "claim_id", "head", "digest", "timeline_upper",
    "next_id", "base", "base_digest", "base_check",
)  # fmt: skip
_READ: Final = f"SELECT {', '.join(_NAMES)}, checksum FROM meta"
_WRITE: Final = f"UPDATE meta SET {', '.join(f'{name} = ?' for name in _NAMES)}, checksum = ?"


def read_facts(connection: sqlite3.Connection) -> dict[str, int | bytes]:
    """Every fact by its column's name.

    Raises:
        StoreUnusable: they are not what was written.
    """
    *values, expected = connection.execute(_READ).fetchone()
    check(expected, *_content(values), what="the row of facts in `meta`")
    return dict(zip(_NAMES, values, strict=True))


def change_facts(connection: sqlite3.Connection, **changes: int | bytes) -> None:
    """Write some facts anew, inside a transaction. The others are checked first: a checksum over
    a damaged one would make it true. Raises StoreUnusable."""
    facts = read_facts(connection)
    assert changes.keys() <= facts.keys(), f"unknown facts: {sorted(changes)}"
    values = list((facts | changes).values())
    content, *numbers = _content(values)
    connection.execute(_WRITE, (*values, checksum(content, *numbers)))


def _content(values: list[int | bytes]) -> tuple[bytes, *tuple[int, ...]]:
    """Bytes of fixed lengths, one after the other, and the numbers."""
    content = b"".join(value for value in values if isinstance(value, bytes))
    return content, *(int(value) for value in values if not isinstance(value, bytes))
