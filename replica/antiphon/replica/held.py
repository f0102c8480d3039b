"""What a worker holds between events: dataflows, inputs, waiting peeks, and what is due to leave.

The one owner of all of it; `apply` changes it by commands, `worker` by everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import partial
from itertools import islice
from typing import Final

from antiphon.protocol.command import BaseSource
from antiphon.protocol.dataflow import CollectionKind, DataflowDescription
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import ClaimId, CollectionId, Epoch, is_transient
from antiphon.protocol.response import Dropped, PeekResponse, Response
from antiphon.replica.configuration import Configuration
from antiphon.replica.dataflow.graph import stopped
from antiphon.replica.importing.arrangements import Arranging
from antiphon.replica.importing.input import Input
from antiphon.replica.importing.inputs import Inputs
from antiphon.replica.installing.exported import InstalledExport
from antiphon.replica.installing.installed import InstalledDataflow
from antiphon.replica.installing.reconcile import Key
from antiphon.replica.installing.roster import Installed
from antiphon.replica.ports import FileFailed, FileRequest, FileWritten, Request
from antiphon.replica.readers.copy_out import CopyOut
from antiphon.replica.readers.peek import Peeks
from antiphon.replica.readers.sink import PIECE_BYTES_MAX, Sink
from antiphon.replica.reporting.progress import FrontierReports, Reached
from antiphon.replica.scheduling.agenda import Agenda
from antiphon.replica.scheduling.rest import Rests

STORED = (CollectionKind.TABLE, CollectionKind.FEED)
# Nobody waits for how far a filled dataflow is, and a report costs as much as a small tick: so it
# waits for the ticks that follow.
REPORT_WAIT_MS: Final = 50
# Traces that are told to forget in one step, at some 10 us each.
COMPACTIONS_MAX: Final = 64


class Held:
    """Everything of one worker but its connection."""

    def __init__(
        self, clock: Callable[[], int] = stopped, *, piece_bytes: int = PIECE_BYTES_MAX
    ) -> None:
        self.clock = clock  # nanoseconds, for how long operators take
        self.requests: list[Request] = []
        self.files: list[FileRequest] = []
        self.responses: list[Response] = []
        self.configuration = Configuration()
        self.writer: tuple[Epoch, ClaimId] | None = None  # who allowed writing, if somebody did
        self.installed = Installed()
        self.inputs = Inputs(self.number, self.requests)
        self.peeks = Peeks(self.installed.readable, self.number, self.requests, self._answer)
        self.agenda: Agenda[InstalledDataflow] = Agenda(self.installed.tended)
        self.sinks: dict[CollectionId, Sink] = {}
        self._piece_bytes = piece_bytes  # of an append that no message has room for
        self.copies: dict[CollectionId, CopyOut] = {}
        self.rests = Rests()
        self._dropping: dict[CollectionId, InstalledExport] = {}
        self._reports = FrontierReports()
        self._moved: dict[CollectionId, InstalledExport] = {}  # whose frontiers may be news
        self._urgent: dict[CollectionId, InstalledExport] = {}  # those that somebody waits for
        self._report_at_ms: int | None = None  # when what moved is due; None: nothing has
        self._compacting: dict[CollectionId, InstalledExport] = {}  # what may have to forget
        self._held_back: dict[CollectionId, InstalledExport] = {}  # of that, where a peek waits
        self._number = 0

    def number(self) -> int:
        """A fresh number for a tail, a snapshot or an append; never used twice."""
        self._number += 1
        return self._number

    def start(
        self, dataflow: InstalledDataflow, bases: tuple[BaseSource, ...], epoch: Epoch
    ) -> None:
        """Permission to compute: what the dataflow reads begins to flow. Given again, it may name
        others who give what has not arrived whole."""
        peers = {base.collection: base.peer for base in bases}
        if dataflow.scheduled:
            for imported in dataflow.description.imports:
                if imported.kind in STORED and not dataflow.hydrated:
                    peer = peers.get(imported.collection, "")
                    self.inputs.reroute(imported.collection, peer, epoch)
            return
        dataflow.scheduled = True
        if dataflow.failure is not None:
            self._await_no_more(dataflow)
            return
        as_of = dataflow.as_of
        for imported in dataflow.description.imports:
            if imported.kind not in STORED:
                continue
            peer = peers.get(imported.collection, "")
            for each in dataflow.lookups.sought(imported.collection):
                reading = self.inputs.look_up(
                    imported, each, as_of, dataflow, peer=peer, epoch=epoch
                )
                dataflow.lookups.found(imported.collection, reading, each)
            looks_up = dataflow.lookups.looks_up(imported.collection)
            dataflow.inputs.append(
                self.inputs.attach(imported, as_of, peer=peer, epoch=epoch, looks_up=looks_up)
            )
        for upstream, reader in dataflow.upstream:
            self.want(dataflow, upstream, reader)
        self.follow(dataflow)
        self._await_no_more(dataflow)

    def open_sink(self, export: InstalledExport, shard_upper: Frontier | None = None) -> None:
        """Its way into the store, whose upper may be known."""
        export.sink = self.sinks[export.collection] = Sink(
            export.collection, export.schema, export.trace, self.number, self.requests,
            piece_bytes=self._piece_bytes,
        )  # fmt: skip
        export.sink.shard_upper = shard_upper
        if self.writer is not None:
            export.sink.allow(*self.writer)

    def sink_of(self, number: int) -> Sink | None:
        """Whose request under way has this number."""
        return next((sink for sink in self.sinks.values() if sink.owns(number)), None)

    def want(self, dataflow: InstalledDataflow, upstream: InstalledExport, reader: Input) -> None:
        """What it imports from another dataflow begins to flow."""
        for each in dataflow.lookups.sought(upstream.collection):
            reading = upstream.look_up(each, dataflow.as_of, dataflow)
            dataflow.lookups.found(upstream.collection, reading, each)
        reader.wanted = True
        reader.looks_up = dataflow.lookups.looks_up(upstream.collection)
        upstream.load_dependents()
        self.compact_soon(upstream)

    def follow(self, dataflow: InstalledDataflow) -> None:
        """What arrives at its inputs makes it run."""
        stir = partial(self.agenda.stir, dataflow)
        wake = partial(self.wake, dataflow)
        for reader in dataflow.inputs:
            reader.stir, reader.wake = stir, wake
        for _, reading in dataflow.lookups.readings:
            reading.stir = stir
        self.agenda.stir(dataflow)

    def wake(self, dataflow: InstalledDataflow) -> None:
        """It rests no more: something comes that concerns it, or somebody who follows it."""
        if dataflow.rest is None:
            return
        told = self.rests.leave(dataflow)
        self.installed.changed(dataflow)  # where it is, is not among the others any more
        for export in dataflow.exports:
            if told is not None:
                self._reports.note(export.collection, Reached(told, told, told))
            self._note(export)  # what the others would have told of it may still be news

    def read_upstream(self, export: InstalledExport, as_of: int) -> Input:
        """An import from another dataflow of this replica; it fills once it is wanted."""
        self.wake(export.owner)
        reader = Input(export.collection, as_of)
        reader.wanted = False
        export.dependents.append(reader)
        return reader

    def await_start(self, dataflow: InstalledDataflow) -> None:
        """It will read what others may start to read before: once is enough."""
        dataflow.awaited = True
        for imported in dataflow.description.imports:
            if imported.kind in STORED:
                self.inputs.await_reader(imported.collection)

    def _await_no_more(self, dataflow: InstalledDataflow) -> None:
        if not dataflow.awaited:
            return
        dataflow.awaited = False
        for imported in dataflow.description.imports:
            if imported.kind in STORED:
                self.inputs.await_no_more(imported.collection)

    def stop_reading(self, dataflow: InstalledDataflow) -> None:
        """It is finished or gone: nothing flows to it any more."""
        self.wake(dataflow)
        upstream = [reader for _, reader in dataflow.upstream]
        for reader in dataflow.inputs:
            if not any(reader is other for other in upstream):
                self.inputs.detach(reader)
        for collection, reading in dataflow.lookups.readings:
            self.inputs.look_no_more(collection, reading)
        for export, reader in dataflow.upstream:
            for _, reading in dataflow.lookups.readings:
                export.look_no_more(reading)
            export.dependents = [other for other in export.dependents if other is not reader]
            self.compact_soon(export)
        dataflow.lookups.readings = []
        dataflow.upstream = []
        dataflow.inputs = []
        self.agenda.forget(dataflow)
        self._await_no_more(dataflow)

    def drop(self, export: InstalledExport) -> None:
        """Nobody outside reads it any more; it goes once nobody inside does."""
        self.wake(export.owner)
        export.dropped = True
        self.installed.changed(export.owner)
        self._dropping[export.collection] = export

    def settle_drops(self) -> None:
        """Lets go of dropped exports that nothing inside needs any more."""
        found = True
        while found:  # one that goes may have been the last to need another
            free = [export for export in self._dropping.values() if self._is_free(export)]
            found = bool(free)
            for export in free:
                self._remove(export)
                self._reports.forget(export.collection)
                if not export.mute:
                    self.responses.append(Dropped(collection=export.collection))

    def file_ended(self, event: FileWritten | FileFailed) -> None:
        """A file of a copy-to is there, or will not be; of one that was given up nobody asks."""
        for copy in self.copies.values():
            if copy.owns(event.file):
                copy.written(event)
                export = self.installed.find(copy.collection)
                assert export is not None, "a copy-to without its export"
                self.note_moved(export)
                return

    @property
    def arranged(self) -> list[tuple[CollectionId, Arranging]]:
        """The arrangements that dataflows share, each once."""
        exported = [
            (export.collection, arranging)
            for dataflow in self.installed.dataflows
            for export in dataflow.exports
            for arranging in export.arrangements
        ]
        return self.inputs.arranged + exported

    @property
    def state_bytes(self) -> int:
        """Of all dataflows; what several look up counts once."""
        exported = sum(
            export.arrangements.byte_count
            for dataflow in self.installed.dataflows
            for export in dataflow.exports
        )
        return self.installed.footprint.byte_count + self.inputs.arranged_bytes + exported

    def end_connection(self) -> None:
        """Nobody listens: what was for this connection alone goes, silently."""
        self.peeks.clear()
        for export in self.installed.exports():
            if is_transient(export.collection):
                self.drop(export)
        self.settle_drops()
        self.writer = None
        for sink in self.sinks.values():
            sink.forbid()
        self.responses.clear()

    def begin_connection(self, now_ms: int) -> None:
        """Somebody new listens: every frontier is news to them."""
        self.inputs.resume(now_ms)
        self._reports.restart()
        self._report_at_ms = now_ms
        for rest in self.rests:
            rest.restart()
        for export in self.installed.exports():
            if export.owner.rest is None:
                self._note(export)

    def mute_drops(self) -> None:
        """What an earlier session dropped and something inside still reads: nobody who listens now
        has heard of it."""
        for export in self._dropping.values():
            export.mute = True

    def resume(self, description: DataflowDescription) -> None:
        """A dataflow that was retained goes on, read from the description's as_of on."""
        found = self.installed.find(description.exports[0].collection)
        assert found is not None, "a retained dataflow is installed"
        self.wake(found.owner)
        found.owner.resume(description.as_of)

    def retain(self, kept: Container[Key]) -> None:
        """A full set is about to take effect: all that it does not keep goes at once, those who
        read before what they read, and nothing is ever said about it."""
        self.mute_drops()
        for dataflow in reversed(self.installed.dataflows):
            if dataflow.standing().key not in kept:
                for export in list(dataflow.exports):
                    self._remove(export)
        self.configuration = Configuration()
        for export in self.installed.exports():
            self.compact_soon(export)

    def note_moved(self, export: InstalledExport, *, urgent: bool = False) -> None:
        """Its frontiers may be news. Urgent: something waits for them to move, and subscribes
        always are."""
        self.installed.changed(export.owner)
        self._note(export, urgent=urgent)

    def _note(self, export: InstalledExport, *, urgent: bool = False) -> None:
        if urgent or export.subscription is not None:
            self._urgent[export.collection] = export
        else:
            self._moved[export.collection] = export

    def report(self, now_ms: int) -> int | None:
        """What moved since the last report: subscribes' batches, and frontiers, of several ticks
        together where nobody waits for them. Returns when to come again for what was kept back."""
        self._report(self._urgent)
        resting = [rest for rest in self.rests if rest.is_news]
        if not (self._moved or resting):
            return None
        if self._report_at_ms is None:
            self._report_at_ms = now_ms + REPORT_WAIT_MS
        if now_ms < self._report_at_ms:
            return self._report_at_ms
        self._report_at_ms = None
        self._report(self._moved)
        for rest in resting:
            report = rest.tell()
            if report is not None:
                self.responses.append(report)
        return None

    def _report(self, moved: dict[CollectionId, InstalledExport]) -> None:
        now: list[tuple[CollectionId, Reached]] = []
        for export in moved.values():
            if export.mute:
                continue
            if export.subscription is not None:
                batch = export.subscription.flush(self.configuration.subscribe_bytes_max)
                if batch is not None:
                    self.responses.append(batch)
            reached = self._reached(export)
            now.append((export.collection, reached))
            if export.owner.rest is not None:
                export.owner.rest.told(export.owner, reached.output)
        moved.clear()
        self.responses += self._reports.report(now)

    def compact_soon(self, export: InstalledExport) -> None:
        """What it must remember may have become less."""
        if self.installed.find(export.collection) is export:
            self._compacting[export.collection] = export

    def compact(self) -> bool:
        """Lets traces forget, a few at a time: a thousand that move together keep no read waiting.
        What a waiting peek holds back is tried again. True: there is more to do at once."""
        due = [*self._held_back.items(), *islice(self._compacting.items(), COMPACTIONS_MAX)]
        self._held_back = {}
        for collection, export in due:
            self._compacting.pop(collection, None)
            if self.installed.find(collection) is not export:
                continue
            held = self.peeks.hold(collection)
            if export.compact(held):
                self.installed.compacted(export.owner)
                if export.kept is not None and not export.kept.is_idle:
                    self.agenda.untidy(export.owner)
            if not held.is_closed:
                self._held_back[collection] = export
        return bool(self._compacting)

    def _answer(self, response: PeekResponse) -> None:
        self.responses.append(response)

    def _is_free(self, export: InstalledExport) -> bool:
        return not export.dependents and self.peeks.hold(export.collection).is_closed

    def _remove(self, export: InstalledExport) -> None:
        self._dropping.pop(export.collection, None)
        if export.sink is not None:
            export.sink.forbid()
            del self.sinks[export.collection]
        if export.copy is not None:
            export.copy.abandon()
            self.copies.pop(export.collection, None)
        for noted in (self._moved, self._urgent, self._compacting, self._held_back):
            noted.pop(export.collection, None)
        if self.installed.remove_export(export):
            self.stop_reading(export.owner)

    def _reached(self, export: InstalledExport) -> Reached:
        # What was kept may lie behind the time from which this session reads it.
        reached = export.owner.frontier.join(export.owner.start)
        written = reached
        if export.sink is not None:
            # Before the shard was heard of, nothing is known to be durable.
            written = export.sink.shard_upper or START
        if export.copy is not None and not export.copy.ended:
            written = export.owner.start  # the file is not there yet
        return Reached(written, reached, reached)
