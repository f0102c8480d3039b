"""The writer thread: group commit without a timer.

While one group is being synced, submissions queue; the next group is everything that queued. So a
lone submission waits for nobody, and under load a sync is shared by many. A group is one SQLite
transaction. A submission is decided before any of it is written, so a refused one leaves nothing to
undo; the keys of an append, which are checked by writing them, have a savepoint of their own.

A full disk refuses the group, and nothing of it has happened: SQLite wrote no commit, so its log
ends before it. Any other failed statement, commit or sync poisons the writer: what the disk holds
is then unknown until the store is opened again, so everything is refused from there on, as
indefinite. Reads go on in both cases.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

import structlog

from antiphon.history.io.liveness import Liveness
from antiphon.history.io.sqlite.folding import Maintenance
from antiphon.history.io.sqlite.rows import read_fence, read_state
from antiphon.history.io.sqlite.tables import SqliteTables
from antiphon.history.limits import (
    GROUP_SUBMISSIONS_MAX,
    GROUPS_PER_STEP,
    SUBMISSIONS_QUEUED_MAX,
)
from antiphon.history.store import Committed, Completion, Refused, Submission
from antiphon.history.transaction import State, perform, prepare
from antiphon.protocol.errors import ComputeError, LimitExceeded, StoreFull, StorePoisoned

Deliver = Callable[[tuple[Completion, ...]], None]
Commit = Callable[[sqlite3.Connection], None]

LIVENESS_RETRY_S: Final = 1.0
FULL_REST_S: Final = 1.0  # of maintenance, whose work needs space before it gives any back

_log = structlog.get_logger(__name__)


def commit_transaction(connection: sqlite3.Connection) -> None:
    """Returns once the transaction is on the disk."""
    connection.execute("COMMIT")


class Writer:
    """Owns the writing connection, the state and the thread. `submit` may be called from any."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        state: State,
        *,
        directory: Path,
        deliver: Deliver,
        liveness: Liveness,
        commit: Commit = commit_transaction,
    ) -> None:
        self._connection = connection
        self._state = state
        self._directory = directory
        self._deliver = deliver
        self._liveness = liveness
        self._commit = commit
        self._fence = state.fence
        self._tables = SqliteTables(connection, state)
        self._maintenance = Maintenance(connection, state, self._tables)
        self._poison: str | None = None
        self._is_full = False
        self._rests_until_s = 0.0
        self._queue: SimpleQueue[Submission | Refused | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, submission: Submission) -> None:
        """Queue it. One that finds the queue full is refused, in its turn like any other."""
        if self._queue.qsize() < SUBMISSIONS_QUEUED_MAX:
            self._queue.put(submission)
            return
        error = LimitExceeded(
            f"{SUBMISSIONS_QUEUED_MAX} submissions wait for the store",
            limit="SUBMISSIONS_QUEUED_MAX",
        )
        self._queue.put(Refused(token=submission.token, error=error))

    def close(self) -> None:
        """Finish what is queued, then end the thread and the connection."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        group_count = 0
        is_open = True
        while is_open:
            maintains = (
                self._maintenance.is_due
                and self._poison is None
                and time.monotonic() >= self._rests_until_s
            )
            group, is_open = self._next_group(wait=not maintains)
            if group:
                completions = self._write(group)
                try:
                    self._deliver(completions)
                except Exception:
                    # What is durable stays so; who lost the answers asks the store again.
                    _log.exception("completions not delivered", count=len(completions))
                group_count += 1
            if maintains and (not group or group_count % GROUPS_PER_STEP == 0):
                self._maintain()
            if not self._liveness.is_held and self._fence == self._state.fence:
                self._liveness.acquire()
        self._connection.close()

    def _next_group(self, *, wait: bool) -> tuple[list[Submission | Refused], bool]:
        """(everything queued up to a limit, whether the writer goes on)."""
        group: list[Submission | Refused] = []
        timeout = None if self._liveness.is_held else LIVENESS_RETRY_S
        try:
            entry = self._queue.get(wait, timeout if wait else None)
            while entry is not None:
                group.append(entry)
                if len(group) == GROUP_SUBMISSIONS_MAX:
                    return group, True
                entry = self._queue.get_nowait()
        except Empty:
            return group, True
        return group, False

    def _write(self, group: list[Submission | Refused]) -> tuple[Completion, ...]:
        refuse = self._refused_as_poisoned
        if self._poison is None:
            try:
                return self._transact(group)
            except Exception as error:
                if self._has_recovered_from(error):
                    refuse = self._refused_as_full
        return tuple(entry if isinstance(entry, Refused) else refuse(entry) for entry in group)

    def _transact(self, group: list[Submission | Refused]) -> tuple[Completion, ...]:
        completions: list[Completion] = []
        wrote = False
        self._connection.execute("BEGIN IMMEDIATE")
        self._state.fence = read_fence(self._connection)
        for entry in group:
            if isinstance(entry, Refused):
                completions.append(entry)
                continue
            try:
                prepared = prepare(self._state, entry)
            except ComputeError as error:
                completions.append(Refused(token=entry.token, error=error))
                continue
            committed: Committed = perform(self._state, self._tables, prepared)
            completions.append(committed)
            wrote = True
        if wrote:
            self._tables.flush(self._state)
            self._commit(self._connection)
            self._is_full = False
        else:
            self._connection.execute("ROLLBACK")
        # A claim that was fenced stays alive until it is closed: only then is it sure that this
        # process answers no read any more.
        return tuple(completions)

    def _maintain(self) -> None:
        try:
            self._maintenance.step()
        except sqlite3.Error as error:
            self._has_recovered_from(error)
        except Exception:
            _log.exception("maintenance of the store stopped; writing goes on")
            self._maintenance.give_up()

    def _has_recovered_from(self, error: Exception) -> bool:
        """Whether nothing has happened, and the writer goes on: the disk was full, and what the
        group has left in memory is read again from what is true. Otherwise it is poisoned."""
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_FULL:
            self._poisoned(error)
            return False
        if not self._is_full:  # once: the log may stand on the same disk
            remedy = "free space; what was refused was not done"
            _log.error("store.full", directory=str(self._directory), remedy=remedy)
        self._is_full = True
        self._rests_until_s = time.monotonic() + FULL_REST_S
        try:
            if self._connection.in_transaction:
                self._connection.rollback()
            self._state = read_state(self._connection)
            self._tables = SqliteTables(self._connection, self._state)
            self._maintenance = Maintenance(self._connection, self._state, self._tables)
        except Exception as failure:
            self._poisoned(failure)
            return False
        return True

    def _poisoned(self, error: Exception) -> None:
        self._poison = f"{type(error).__name__}: {error}"
        _log.exception("the store's writer is poisoned", cause=self._poison)
        if self._connection.in_transaction:
            self._connection.rollback()

    def _refused_as_poisoned(self, submission: Submission) -> Refused:
        assert self._poison is not None, "not poisoned"
        error = StorePoisoned(
            f"the store stopped writing and must be opened again ({self._poison})",
            cause=self._poison,
        )
        return Refused(token=submission.token, error=error)

    def _refused_as_full(self, submission: Submission) -> Refused:
        error = StoreFull(
            f"the disk of the store is full: nothing was written; free space in {self._directory}"
        )
        return Refused(token=submission.token, error=error)
