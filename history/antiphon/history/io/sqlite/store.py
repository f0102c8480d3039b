"""Opening, claiming and closing a store."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from antiphon.history.digest import EMPTY_DIGEST
from antiphon.history.io.liveness import LOCK, Liveness, one_at_a_time
from antiphon.history.io.sqlite.facts import change_facts
from antiphon.history.io.sqlite.layout import (
    DATABASE,
    StoreUnusable,
    connect,
    make_directory,
    prepare,
    sync_directory,
)
from antiphon.history.io.sqlite.reader import SqliteReader
from antiphon.history.io.sqlite.rows import read_fence, read_state, verify_base, verify_chain
from antiphon.history.io.sqlite.writer import Commit, Deliver, Writer, commit_transaction
from antiphon.history.limits import OPEN_VERIFY_COMMANDS_MAX
from antiphon.history.shard import FIRST_UPPER
from antiphon.history.store import Fence, Lease, Opened, StoredCommand, Submission
from antiphon.history.transaction import FIRST_ID, State
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import (
    ComputeError,
    EpochFenced,
    OutcomeUnknown,
    StoreFull,
    StoreLocked,
    VersionMismatch,
)
from antiphon.protocol.ids import (
    RANDOM_ID_BYTES,
    ClaimId,
    CollectionId,
    Epoch,
    Position,
)

__all__ = ["Deliver", "SqliteStore", "open_store"]

_LOOK_S: Final = 0.02  # between two looks whether the process of an older claim has ended


def open_store(
    directory: Path,
    *,
    deliver: Deliver,
    claim_id: ClaimId | None = None,
    standby: bool = False,
    commit: Commit = commit_transaction,
) -> SqliteStore:
    """Open the store of a data directory, which is created if need be, and claim the next epoch.

    Args:
        deliver: gets the completions of each group, in submission order, on the writer's thread; it
            must only hand them on.
        claim_id: random, for this claim; None: drawn here.
        standby: claim nothing; read until `promote`. Otherwise a live controller is an error.
        commit: how a transaction becomes durable; tests make it fail.

    Raises:
        StoreLocked: another controller is alive on the directory.
        VersionMismatch: the file has a newer format, or is not a store. It is not changed.
        ChainBroken: the stored commands do not give the stored digests.
        StoreUnusable: the medium refuses.

    Work for the chain's last OPEN_VERIFY_COMMANDS_MAX commands; the rest is O(collections).
    """
    try:
        make_directory(directory)
        liveness = Liveness(directory / LOCK)
        if not standby and not liveness.acquire():
            raise StoreLocked(
                f"another controller (process {liveness.holder()}) is alive on {directory}",
                directory=str(directory),
                process=liveness.holder(),
            )
        with ExitStack() as undo:
            undo.callback(liveness.release)
            connection = connect(directory)
            undo.callback(connection.close)
            with one_at_a_time(directory):
                prepare(connection)
                _begin_history(connection)
            sync_directory(directory)  # the database file's name is durable too
            store = SqliteStore(
                directory, connection, liveness=liveness, deliver=deliver, commit=commit
            )
            undo.callback(store.close)
            if not standby:
                store.claim(claim_id)
            undo.pop_all()
            return store
    except VersionMismatch as error:
        where = str(directory / DATABASE)
        raise VersionMismatch(f"{where}: {error.message}", path=where, **error.details) from error
    except (sqlite3.Error, OSError) as error:
        raise StoreUnusable(
            f"the store in {directory} cannot be opened: {_reason(error)}"
        ) from error


class SqliteStore:
    """Writer and Reader of `antiphon.history.store`. Until promoted, a standby only reads."""

    def __init__(
        self,
        directory: Path,
        connection: sqlite3.Connection,
        *,
        liveness: Liveness,
        deliver: Deliver,
        commit: Commit,
    ) -> None:
        self._connection = connection
        self._liveness = liveness
        self._deliver = deliver
        self._commit = commit
        self._writer: Writer | None = None
        self._fence: Fence | None = None
        self._directory = directory
        self._leaseholder: bytes | None = None
        self._reader = SqliteReader(directory)
        self._opened = self._reader.opened()

    @property
    def opened(self) -> Opened:
        """What was found when the store was opened, or claimed if that was later."""
        return self._opened

    @property
    def fence(self) -> Fence | None:
        """This store's claim; None: a standby."""
        return self._fence

    def promote(self, *, wait_s: float = 0.0, hurry: threading.Event | None = None) -> Opened:
        """As `claim`, of a standby, which it stays whatever is raised.

        Raises:
            EpochFenced, ChainBroken
            StoreFull: there is no space for the claim.
            OutcomeUnknown: the medium refuses; the older controller may be fenced all the same.
        """
        try:
            return self.claim(wait_s=wait_s, hurry=hurry)
        except (sqlite3.Error, OSError, StoreUnusable) as error:
            raise _not_claimed(error) from error

    def claim(
        self,
        claim_id: ClaimId | None = None,
        *,
        wait_s: float = 0.0,
        hurry: threading.Event | None = None,
    ) -> Opened:
        """Claim the next epoch, whoever holds the present one: from here on that one is fenced.

        Args:
            wait_s: for so long at most, for the process of the older claim to end. Until it has,
                it may not know that it is fenced, and answer reads with what was.
            hurry: set by who does not want to serve any more, to wait no longer.

        Raises:
            EpochFenced: another claim came first by a moment.
            ChainBroken
        """
        assert self._writer is None, "claimed already"
        hurry = hurry or threading.Event()
        state = self._claim(claim_id or ClaimId(os.urandom(RANDOM_ID_BYTES)))
        deadline_s = time.monotonic() + wait_s
        while not self._liveness.acquire() and time.monotonic() < deadline_s:
            if hurry.wait(_LOOK_S):
                break
        self._opened = self._reader.opened()
        self._fence = state.fence
        self._writer = Writer(
            self._connection,
            state,
            directory=self._directory,
            deliver=self._deliver,
            liveness=self._liveness,
            commit=self._commit,
        )
        return self._opened

    def _claim(self, claim: ClaimId) -> State:
        connection = self._connection
        connection.execute("PRAGMA synchronous = FULL")
        with _transaction(connection):
            state = _claimed(connection, claim)
            if self._leaseholder is not None:
                connection.execute("DELETE FROM lease WHERE holder = ?", (self._leaseholder,))
        return state

    def keep(self, lease: Lease) -> None:
        """Reserve what this standby has yet to read; leases that have run out go. It need not
        survive a crash of the machine, which the standby would not either."""
        assert self._writer is None, "a writer keeps what it needs by itself"
        self._leaseholder = lease.holder
        self._connection.execute("PRAGMA synchronous = NORMAL")
        with _transaction(self._connection):
            self._connection.execute(
                "INSERT OR REPLACE INTO lease (holder, since, expires_at_ms) VALUES (?, ?, ?)",
                (lease.holder, lease.since, lease.expires_at_ms),
            )

    def moment(self) -> int:
        """Of a standby: another number whenever somebody else has written since."""
        assert self._writer is None, "a writer knows what it writes"
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def owner(self) -> Fence:
        """Whose claim is the latest, as of now."""
        return self._reader.fence()

    def announce(self, address: str) -> None:
        """Leave a note of where the live controller listens."""
        if self._liveness.is_held:
            self._liveness.acquire(address)

    def live_address(self) -> str:
        """Where the live controller said that it listens; empty: there is none, or it did not."""
        return self._liveness.note()

    def submit(self, submission: Submission) -> None:
        assert self._writer is not None, "a standby does not write"
        self._writer.submit(submission)

    def commands(self, start: Position, stop: Position | None = None) -> Iterator[StoredCommand]:
        return self._reader.commands(start, stop)

    def history(self) -> Iterator[StoredCommand]:
        return self._reader.history()

    def digest_at(self, position: Position) -> bytes | None:
        return self._reader.digest_at(position)

    def snapshot(self, collection: CollectionId, as_of: int) -> Iterator[Delta]:
        return self._reader.snapshot(collection, as_of)

    def snapshot_rows(self, collection: CollectionId, as_of: int) -> int:
        return self._reader.snapshot_rows(collection, as_of)

    def listen(self, collection: CollectionId, lower: int, upper: int) -> Iterator[Delta]:
        return self._reader.listen(collection, lower, upper)

    def read(self) -> Opened:
        """The store's facts as they are now, whoever moved them."""
        return self._reader.opened()

    def verify(self) -> Position:
        """The head, after all that is stored was checked. Raises ChainBroken, StoreUnusable."""
        return self._reader.verify()

    def close(self) -> None:
        """Make what is queued durable, deliver it, and let the next controller in."""
        if self._writer is not None:
            self._writer.close()
        else:
            self._connection.close()
        self._reader.close()
        _leave_one_file(self._directory)
        self._liveness.release()


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing. SQLite itself may have rolled back what failed."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise


def _not_claimed(error: sqlite3.Error | OSError | StoreUnusable) -> ComputeError:
    """Of a commit that failed otherwise than for want of space, nobody knows what the disk has."""
    if isinstance(error, StoreUnusable):
        return OutcomeUnknown(f"the store cannot be claimed: {error}")
    told = f"the store cannot be claimed: {_reason(error)}"
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return StoreFull(told)
    return OutcomeUnknown(told)


def _reason(error: sqlite3.Error | OSError) -> str:
    """Why, and what to do about it where that is known."""
    if isinstance(error, OSError):
        remedy = {
            errno.EROFS: "; a controller writes there",
            errno.EACCES: "; the directory must be this user's own",
            errno.ENOSPC: "; free space there",
        }.get(error.errno or 0, "")
        return f"{error.strerror}{remedy}"
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            remedy = (
                "; restore the data directory from a copy: what is written later than it is lost"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            remedy = "; the directory and its files must be this user's, and writable"
        case sqlite3.SQLITE_FULL:
            remedy = "; free space there"
        case _:
            remedy = ""
    return f"{error}{remedy}"


def _leave_one_file(directory: Path) -> None:
    """What was written ahead goes into the database, so that a folder at rest holds one file. A
    reader elsewhere may keep the others, and no harm is done."""
    with suppress(sqlite3.Error):
        connection = connect(directory)
        with closing(connection):
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _begin_history(connection: sqlite3.Connection) -> None:
    """The row of facts; a fresh store gets a fresh instance and history."""
    instance = int.from_bytes(os.urandom(8), "little") >> 1 or 1
    connection.execute(
        "INSERT OR IGNORE INTO meta (id, instance_id, history_id, epoch, claim_id, head, digest,"
        " timeline_upper, next_id) VALUES (1, ?, ?, 0, ?, 0, ?, ?, ?)",
        (
            instance, os.urandom(RANDOM_ID_BYTES), bytes(RANDOM_ID_BYTES), EMPTY_DIGEST,
            FIRST_UPPER, FIRST_ID,
        ),
    )  # fmt: skip


def _claimed(connection: sqlite3.Connection, claim: ClaimId) -> State:
    """The state under a new epoch, compared and set; inside a transaction."""
    state = read_state(connection)
    verify_base(connection)
    checked = Position(max(state.base, state.head - OPEN_VERIFY_COMMANDS_MAX))
    verify_chain(connection, checked, state.head)
    epoch = Epoch(state.fence.epoch + 1)
    if read_fence(connection) != state.fence:
        raise EpochFenced(f"epoch {epoch} was claimed by another", epoch=epoch)
    change_facts(connection, epoch=epoch, claim_id=claim.value)
    state.fence = Fence(epoch=epoch, claim_id=claim)
    return state
