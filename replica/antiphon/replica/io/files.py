"""Files that copy-tos write: Parquet, complete under their name or not there at all.

A file is written under a name that nobody asks for, beside its place, and gets its own name once
all of it is on the disk. It lies within one folder, whatever a client says. Writing is the work of
one thread of the worker process, so that dataflows go on meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from antiphon.protocol.errors import (
    ComputeError,
    DataError,
    InvalidArgument,
    NotServed,
    ReplicaFailed,
    Unavailable,
)
from antiphon.protocol.schema import arrow_schema
from antiphon.replica.ports import AbandonFile, FileFailed, FileRequest, FileWritten, WriteFile

FORMATS: Final = ("parquet",)
ROWS_PER_GROUP: Final = 131_072  # so much is in memory twice, expanded and encoded
PARTIAL: Final = ".partial"


class Files:
    """Performs the worker's file requests. `done` is readable when there is news to `take`."""

    def __init__(self, directory: Path, owner: str) -> None:
        self._directory = directory
        self._owner = owner
        self._wanted: queue.SimpleQueue[WriteFile | None] = queue.SimpleQueue()
        self._finished: queue.SimpleQueue[FileWritten | FileFailed] = queue.SimpleQueue()
        self._abandoned: set[int] = set()
        self.done, self._bell = socket.socketpair()
        self.done.setblocking(False)
        self._thread: threading.Thread | None = None
        _remove_partial(directory, owner)

    def perform(self, request: FileRequest) -> None:
        match request:
            case AbandonFile(file=file):
                self._abandoned.add(file)
            case WriteFile():
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, daemon=True, name="files")
                    self._thread.start()
                self._wanted.put(request)

    def take(self) -> list[FileWritten | FileFailed]:
        """What has ended since; of abandoned files nothing is said."""
        with contextlib.suppress(BlockingIOError):
            self.done.recv(4_096)
        news: list[FileWritten | FileFailed] = []
        while not self._finished.empty():
            one = self._finished.get()
            if one.file not in self._abandoned:
                news.append(one)
            self._abandoned.discard(one.file)
        return news

    def close(self) -> None:
        """Gives up what is under way."""
        if self._thread is not None:
            self._wanted.put(None)
            self._thread.join(1)
        self.done.close()
        self._bell.close()

    def _work(self) -> None:
        while (request := self._wanted.get()) is not None:
            self._finished.put(self._answer(request))
            with contextlib.suppress(OSError):  # closed meanwhile: nobody listens
                self._bell.send(b"!")

    def _answer(self, request: WriteFile) -> FileWritten | FileFailed:
        try:
            path = place_of(self._directory, request.uri)
            count = self._write(path, request)
        except ComputeError as error:
            return FileFailed(file=request.file, error=error)
        except OSError as error:
            where = error.filename or request.uri
            failed = ReplicaFailed(f"cannot write {where}: {error.strerror}", path=str(where))
            return FileFailed(file=request.file, error=failed)
        return FileWritten(file=request.file, row_count=count, path=str(path))

    def _write(self, path: Path, request: WriteFile) -> int:
        """The number of rows. Raises ComputeError and OSError; then nothing is left behind."""
        if request.format not in FORMATS:
            raise NotServed(f"files are written as {', '.join(FORMATS)}, not {request.format}")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = path.parent / f".{path.name}.{self._owner}-{secrets.token_hex(4)}{PARTIAL}"
        schema = arrow_schema(request.schema)
        count = 0
        try:
            try:
                with pq.ParquetWriter(partial, schema) as writer:
                    for batch in _rows(request, schema):
                        if request.file in self._abandoned:
                            raise Unavailable("it was given up")
                        writer.write_batch(batch)
                        count += batch.num_rows
            except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
                raise NotServed(f"Parquet does not take these columns: {error}") from error
            _sync(partial)
            if request.file in self._abandoned:
                raise Unavailable("it was given up")
            partial.replace(path)
            _sync(path.parent)
        finally:
            partial.unlink(missing_ok=True)
        return count


def place_of(directory: Path, uri: str) -> Path:
    """Where a file belongs.

    Raises:
        InvalidArgument: not a name of a file within `directory`, links followed.
    """
    if not uri or "\0" in uri or uri.endswith(("/", PARTIAL)):
        raise InvalidArgument(f"not the name of a file: {uri!r}")
    root = directory.resolve()
    path = (root / uri).resolve()
    if not path.is_relative_to(root) or path == root:
        raise InvalidArgument(f"{uri} is not within {root}: name a file there", path=uri)
    if path.is_dir():
        raise InvalidArgument(f"{path} is a folder: name a file", path=uri)
    return path


def _rows(request: WriteFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows as often as they are there, a bounded number at a time. Raises DataError."""
    diffs = request.diffs
    if diffs.size and int(diffs.min()) < 0:
        raise DataError("a row has a negative multiplicity")
    ends = np.cumsum(diffs)
    total = int(ends[-1]) if ends.size else 0
    for start in range(0, total, ROWS_PER_GROUP):
        numbers = np.arange(start, min(start + ROWS_PER_GROUP, total))
        indices = pa.array(np.searchsorted(ends, numbers, side="right"))
        columns = [column.take(indices) for column in request.columns]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_partial(directory: Path, owner: str) -> None:
    """What an earlier life of this replica left half-written."""
    for path in directory.rglob(f".*.{owner}-*{PARTIAL}"):
        path.unlink(missing_ok=True)
