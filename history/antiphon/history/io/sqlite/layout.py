"""The data directory and the database file: where things are, and of which format.

    DIR/            0700
      store.db      the database, in WAL mode
      lock          held while a controller lives; tells who, never who may write
      blobs/        for content too large for the database; nothing writes there yet
      replicas/     one directory a replica

Payload columns stand in tables of their own, so that a scan of the facts reads no payload.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from antiphon.protocol.errors import AntiphonError, VersionMismatch

DATABASE: Final = "store.db"
FOLDERS: Final = ("blobs", "replicas")

APPLICATION_ID: Final = 0x616E7469  # "anti": a file of something else is refused
FORMAT_VERSION: Final = 6
BUSY_TIMEOUT_S: Final = 30.0  # another process writes only to claim an epoch: moments
CACHE_KIB: Final = 64 << 10  # unique keys are hashed, so their pages are touched at random
WAL_CHECKPOINT_PAGES: Final = 4_000

PART_BITS: Final = 20  # of a part's id: its place in its run

# What leads from each format to the next.
MIGRATIONS: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {
        0: (
            """CREATE TABLE meta (
                id INTEGER PRIMARY KEY CHECK (id = 1),
                instance_id INTEGER NOT NULL, history_id BLOB NOT NULL,
                epoch INTEGER NOT NULL, claim_id BLOB NOT NULL,
                head INTEGER NOT NULL, digest BLOB NOT NULL,
                timeline_upper INTEGER NOT NULL, next_id INTEGER NOT NULL)""",
            """CREATE TABLE command (
                position INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject INTEGER NOT NULL,
                digest BLOB NOT NULL, appended_at_ms INTEGER NOT NULL)""",
            "CREATE TABLE command_payload (position INTEGER PRIMARY KEY, envelope BLOB NOT NULL)",
            "CREATE TABLE catalog (collection INTEGER PRIMARY KEY, content BLOB NOT NULL)",
            "CREATE TABLE compaction (collection INTEGER PRIMARY KEY, time INTEGER NOT NULL)",
            # upper: null is closed; of tables and feeds it is the timeline's, and not used here.
            """CREATE TABLE shard (
                collection INTEGER PRIMARY KEY, kind INTEGER NOT NULL, schema BLOB NOT NULL,
                unique_key TEXT NOT NULL, since INTEGER NOT NULL, upper INTEGER)""",
            """CREATE TABLE run (
                number INTEGER PRIMARY KEY, collection INTEGER NOT NULL, side INTEGER NOT NULL,
                time_first INTEGER NOT NULL, time_last INTEGER NOT NULL,
                row_count INTEGER NOT NULL, is_folded INTEGER NOT NULL, state INTEGER NOT NULL)""",
            "CREATE INDEX run_by_collection ON run (collection, state, time_last)",
            "CREATE TABLE part (id INTEGER PRIMARY KEY, content BLOB NOT NULL)",
            """CREATE TABLE unique_key (
                collection INTEGER NOT NULL, high INTEGER NOT NULL, low INTEGER NOT NULL,
                row_high INTEGER NOT NULL, row_low INTEGER NOT NULL,
                PRIMARY KEY (collection, high, low)) WITHOUT ROWID""",
            """CREATE TABLE producer (
                producer_id BLOB NOT NULL, sequence INTEGER NOT NULL,
                time INTEGER NOT NULL, row_count INTEGER NOT NULL,
                PRIMARY KEY (producer_id, sequence)) WITHOUT ROWID""",
            "CREATE INDEX producer_by_time ON producer (time)",
            "CREATE TABLE dropped (collection INTEGER PRIMARY KEY)",
        ),
        # The history as a reduced base and the log after it.
        1: (
            "ALTER TABLE meta ADD COLUMN base INTEGER NOT NULL DEFAULT 0",
            f"ALTER TABLE meta ADD COLUMN base_digest BLOB NOT NULL DEFAULT (x'{'00' * 32}')",
            f"ALTER TABLE meta ADD COLUMN base_check BLOB NOT NULL DEFAULT (x'{'00' * 32}')",
            """CREATE TABLE base_command (
                position INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject INTEGER NOT NULL,
                digest BLOB NOT NULL, appended_at_ms INTEGER NOT NULL)""",
            """CREATE TABLE base_payload (position INTEGER PRIMARY KEY, envelope BLOB NOT NULL)""",
        ),
        # What standbys have yet to read. An older version does not look there, and may fold it.
        2: (
            """CREATE TABLE lease (
                holder BLOB PRIMARY KEY, since INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL)""",
        ),
        # SQLite checks no content: one flipped bit would be another row. Null: written before.
        3: ("ALTER TABLE part ADD COLUMN checksum INTEGER",),
        # The digests cover what a command says, not the facts around it.
        4: tuple(
            f"ALTER TABLE {table} ADD COLUMN checksum INTEGER"
            for table in ("catalog", "shard", "command_payload", "base_payload")
        ),
        # Who owns the epoch, the head, the timeline's upper and the next id.
        5: ("ALTER TABLE meta ADD COLUMN checksum INTEGER",),
    }
)
assert set(MIGRATIONS) == set(range(FORMAT_VERSION)), "a way to the present from every format"


class StoreUnusable(AntiphonError):
    """The medium refuses: no permission, no space, pages that are damaged."""


def make_directory(directory: Path) -> None:
    """Create what is missing, readable by the owner alone, and durably."""
    created = not directory.exists()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in FOLDERS:
        (directory / name).mkdir(mode=0o700, exist_ok=True)
    sync_directory(directory)
    if created:
        sync_directory(directory.parent)


def sync_directory(directory: Path) -> None:
    """A new file's name is durable only once its directory is."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def connect(directory: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode, usable by one thread at a time, whichever it is."""
    connection = sqlite3.connect(
        f"{(directory / DATABASE).absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    if read_only:
        connection.execute("PRAGMA query_only = 1")
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Bring a fresh or older file to this format, for writing.

    Raises:
        VersionMismatch: a newer format, or not a file of ours. Nothing was changed.
    """
    application, version = _format(connection)
    if version > FORMAT_VERSION:
        raise VersionMismatch(
            f"the store has format {version}, this version reads up to {FORMAT_VERSION}",
            found=version,
            known=FORMAT_VERSION,
        )
    if version == 0 and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise VersionMismatch("the file is a database, but not a store", found=0)
    if version and application != APPLICATION_ID:
        raise VersionMismatch("the file is a database of something else", found=application)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    if version == FORMAT_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        _, version = _format(connection)  # another process may have done it meanwhile
        for step in range(version, FORMAT_VERSION):
            for statement in MIGRATIONS[step]:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def check_format(connection: sqlite3.Connection) -> None:
    """Raises StoreUnusable: it is no store, or not of this format; it is not changed."""
    application, version = _format(connection)
    if application != APPLICATION_ID or version != FORMAT_VERSION:
        raise StoreUnusable(
            f"the file is a store of format {version}, this version reads {FORMAT_VERSION}: a"
            " controller of this version brings an older one up to it"
            if application == APPLICATION_ID
            else "the file is a database, but not a store"
        )


def _format(connection: sqlite3.Connection) -> tuple[int, int]:
    """(application id, format version)."""
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        raise VersionMismatch(
            "the file is not a database; if it was one, restore the data directory from a copy"
        ) from error
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    return int(application), int(version)
