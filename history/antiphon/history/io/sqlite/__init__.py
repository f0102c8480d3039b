"""The store on SQLite: one file, one writer thread, readers anywhere. See `open_store`."""

from antiphon.history.io.sqlite.layout import StoreUnusable
from antiphon.history.io.sqlite.store import Deliver, SqliteStore, open_store
from antiphon.history.io.sqlite.verification import Verified, verify_store

__all__ = [
    "Deliver",
    "SqliteStore",
    "StoreUnusable",
    "Verified",
    "open_store",
    "verify_store",
]
