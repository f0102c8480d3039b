"""Whose turn it is: the dataflows of a worker in slices, and merging beside them.

A slice runs what is ready, one time of each dataflow in turn, and stops after some rows. Merging is
put off: that of a few ticks together costs as much as that of one. A hydrating dataflow leaves more
unmerged than that; it pauses now and then until all of it is merged, also in slices, while the
others go on. What these leave to merge meanwhile it does not wait for: they may never rest.
"""

from __future__ import annotations

from typing import Final

from antiphon.protocol.errors import ComputeError
from antiphon.protocol.failure import failure_of
from antiphon.replica.held import Held
from antiphon.replica.installing.installed import HYDRATION_FUEL, InstalledDataflow

# Merging the few rows of one tick costs as much as merging those of several together; more
# unmerged ones would make lookups dear.
MAINTAIN_SLICES: Final = 4
# A tick of more rows than a slice has leaves more to merge than a slice does: it is followed at
# once by so many rows of merging for each that it took in or put out. Were they left to those who
# come after, one of these would have to merge all of it.
MERGED_EACH: Final = 4
MAINTAIN_IDLE_MS: Final = 20  # without work for so long: merge what there is
# So many parts of hydrating dataflows, then what they left unmerged is merged. A spine that grows
# too long would merge at once, and that takes as long as it takes.
HYDRATION_PARTS: Final = 8
PAUSE_SLICES_MAX: Final = 256  # that wait for what dataflows read: others bring more to that


class Computation:
    """`maintain_at_ms`: when to come and merge, if nothing else happens."""

    def __init__(self, held: Held) -> None:
        self.maintain_at_ms: int | None = None
        self._held = held
        self._unmaintained = 0  # slices of work since the last maintenance
        self._came_rows = 0  # since then, to those that are hydrated
        self._parts = 0  # of hydrating dataflows since all of theirs was merged
        self._paused = 0  # slices of the pause that goes on

    def work(self, fuel_rows: int, now_ms: int) -> tuple[int, bool]:
        """One slice: the rows that it took, and whether there is more to do at once."""
        used = self._run(fuel_rows)
        busy = self._held.agenda.is_ready
        if used > 0:
            self._unmaintained += 1
            self.maintain_at_ms = now_ms + MAINTAIN_IDLE_MS
        if self._parts >= HYDRATION_PARTS:
            self._pause(fuel_rows)
            return used, True
        many = self._came_rows >= fuel_rows
        if many or self._unmaintained >= MAINTAIN_SLICES or not (busy or used):
            fuel_rows = max(fuel_rows, MERGED_EACH * self._came_rows) if many else fuel_rows
            self._unmaintained = self._came_rows = 0
            self.maintain_at_ms = None
            busy = self._maintain(fuel_rows) or busy
        return used, busy

    def _run(self, fuel_rows: int) -> int:
        """Runs what is ready, each dataflow in turn; the rows that took. The next call goes on
        where this one stopped, so that none starves behind another's backlog."""
        used = 0
        agenda = self._held.agenda
        while used < fuel_rows:
            dataflow = agenda.take(hydrating=self._parts < HYDRATION_PARTS)
            if dataflow is None:
                break
            agenda.stir(dataflow)  # it may have more to do, after all others
            hydrated = dataflow.hydrated
            self._parts += not hydrated
            taken = self._advance(dataflow, fuel_rows)
            self._came_rows += taken if hydrated else 0
            used += taken
        return used

    def _pause(self, fuel_rows: int) -> None:
        """One slice of merging that hydration waits for, and one of the others' beside it."""
        self._paused += 1
        held, more_rows = self._held, HYDRATION_FUEL * fuel_rows
        more = held.inputs.maintain(more_rows) and self._paused < PAUSE_SLICES_MAX
        more = held.agenda.maintain(more_rows, filling=True) or more
        held.agenda.maintain(fuel_rows)
        if not more:
            self._parts = self._paused = 0

    def _maintain(self, fuel_rows: int) -> bool:
        """One slice of background work, of whoever has some; True: there is more."""
        more = self._held.inputs.maintain(fuel_rows)
        return self._held.agenda.maintain(fuel_rows) or more

    def _advance(self, dataflow: InstalledDataflow, fuel_rows: int) -> int:
        """One time of one dataflow. What it cannot compute, it says for good; a bug crashes."""
        was_hydrated = dataflow.hydrated
        try:
            used = dataflow.advance(fuel_rows)
        except ComputeError as error:
            failure = failure_of(error)
            dataflow.fail(failure)
            for export in dataflow.exports:
                export.fail(failure)
            used = 1
        for export in dataflow.exports:
            if export.dependents:
                export.load_dependents()
                self._held.compact_soon(export)
            if dataflow.is_in_force:
                self._held.note_moved(export, urgent=not was_hydrated)
        if dataflow.frontier.is_closed or dataflow.failure is not None:
            self._held.stop_reading(dataflow)
        self._held.agenda.untidy(dataflow)
        self._held.rests.enter(dataflow)
        return used
