"""One copy-to: the content of a dataflow at its as_of, written to a file once.

What arrives up to as_of is kept; once as_of is complete it is handed over to be written, beside the
computation. There is one answer: rows when the file is complete, a failure, or that it was dropped
before. A file that is dropped while it is written is given up, and then is not there.
"""

from __future__ import annotations

from collections.abc import Callable

from antiphon.protocol.dataflow import CopyToExport
from antiphon.protocol.failure import failure_of
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import (
    CopyToDropped,
    CopyToResponse,
    CopyToRows,
    Failure,
    Response,
)
from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.deltas import Ticks
from antiphon.replica.ports import AbandonFile, FileFailed, FileRequest, FileWritten, WriteFile
from antiphon.replica.readers.data_errors import data_failure


class CopyOut:
    """`number` draws file numbers; requests and answers are appended to the given lists."""

    def __init__(
        self,
        collection: CollectionId,
        schema: Schema,
        kind: CopyToExport,
        as_of: int,
        *,
        number: Callable[[], int],
        files: list[FileRequest],
        responses: list[Response],
    ) -> None:
        self.collection = collection
        self.ended = False  # it has been answered
        self._schema = schema
        self._kind = kind
        self._as_of = as_of
        self._number = number
        self._files = files
        self._responses = responses
        self._parts: list[Zset] = []
        self._writing: int | None = None  # the file that is being written

    def owns(self, file: int) -> bool:
        return self._writing == file

    def publish(self, ticks: Ticks, upper: Frontier) -> None:
        """The dataflow's changes up to `upper`."""
        if self.ended or self._writing is not None:
            return
        self._parts += [change for time, change in ticks if time <= self._as_of]
        if not upper.passes(self._as_of):
            return
        content = Zset.concat(self._schema, self._parts).consolidated()
        self._parts = []
        failure = data_failure(content.errors)
        if failure is not None:
            self.fail(failure)
            return
        self._writing = self._number()
        self._files.append(
            WriteFile(
                file=self._writing,
                uri=self._kind.uri,
                format=self._kind.format,
                schema=self._schema,
                columns=content.columns,
                diffs=content.diffs,
            )
        )

    def fail(self, failure: Failure) -> None:
        """It will not be written."""
        self._end(failure)

    def written(self, event: FileWritten | FileFailed) -> None:
        """How the writing ended."""
        assert self.owns(event.file), f"{event} is of another copy-to"
        if isinstance(event, FileWritten):
            self._end(CopyToRows(row_count=event.row_count, path=event.path))
        else:
            self._end(failure_of(event.error))

    def drop(self) -> None:
        """Its last word, unless it had it."""
        self.abandon()
        self._end(CopyToDropped())

    def abandon(self) -> None:
        """Nobody waits any more: what is under way is given up."""
        if self._writing is not None:
            self._files.append(AbandonFile(file=self._writing))
            self._writing = None

    def _end(self, result: CopyToRows | CopyToDropped | Failure) -> None:
        if not self.ended:
            self._responses.append(CopyToResponse(collection=self.collection, result=result))
        self.ended = True
        self._writing = None
        self._parts = []
