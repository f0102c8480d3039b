"""Checksums of stored rows. SQLite checks no content: one flipped bit would be another answer."""

from __future__ import annotations

import zlib

from antiphon.history.io.sqlite.layout import StoreUnusable


def checksum(content: bytes, *facts: int | str) -> int:
    """CRC-32 of the content, then of the facts that stand in the row with it, as text."""
    found = zlib.crc32(content)
    return zlib.crc32("\0".join(map(str, facts)).encode(), found) if facts else found


def check(expected: int | None, content: bytes, *facts: int | str, what: str) -> None:
    """
    Args:
        expected: None: written by a version that kept no checksum here; read as it is.

    Raises:
        StoreUnusable: it is not what was written.
    """
    if expected is not None and checksum(content, *facts) != expected:
        raise StoreUnusable(
            f"the store is damaged: {what} is not what was written;"
            " stop the controller and restore the data directory from a copy"
        )
