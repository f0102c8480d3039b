"""Time passing: compaction at most once a beat, and not at all while nothing moved."""

from __future__ import annotations

from antiphon.controller.instance.event import CompactionDurable, CompactionRefused, Ticked
from antiphon.controller.instance.ready import CompactionEntry
from antiphon.protocol.command import AllowCompaction
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from tests.controller.instance.machine import Machine, T, U, index, of_type

A = CollectionId(10)


def up_to_date(upper: int = 500) -> Machine:
    machine = Machine()
    machine.install(index(A))
    machine.connect("r1")
    machine.tick(upper)
    machine.report("r1", A, upper)
    machine.take("r1")
    machine.now_ms += 10_000
    return machine


def test_compaction_is_durable_before_it_is_sent() -> None:
    machine = up_to_date()
    ready = machine.step(Ticked())
    (entry,) = ready.entries
    assert entry == CompactionEntry(compaction={A: Frontier(489)}, since={U: 489, T: 489})
    assert machine.take("r1") == []
    machine.step(CompactionDurable(compaction={A: Frontier(489)}))
    assert machine.take("r1") == [AllowCompaction(collection=A, frontier=Frontier(489))]


def test_a_beat_comes_once_a_second_whatever_moves() -> None:
    machine = up_to_date()
    machine.beat()
    machine.tick(600)
    machine.report("r1", A, 600)
    machine.take("r1")
    machine.now_ms += 999
    assert machine.step(Ticked()).entries == ()
    machine.now_ms += 1
    assert machine.step(Ticked()).entries != ()


def test_nothing_moves_nothing_wakes() -> None:
    machine = up_to_date()
    machine.beat()
    machine.beat()
    assert machine.wake_at_ms is None
    machine.tick(600)
    assert machine.wake_at_ms == machine.now_ms + 1_000


def test_one_compaction_is_on_its_way_at_a_time() -> None:
    machine = up_to_date()
    machine.step(Ticked())
    machine.tick(600)
    machine.now_ms += 5_000
    assert machine.step(Ticked()).entries == ()


def test_a_refused_compaction_is_tried_again_from_where_it_is_then() -> None:
    machine = up_to_date()
    machine.step(Ticked())
    machine.step(CompactionRefused())
    machine.tick(600)
    machine.report("r1", A, 600)
    assert machine.beat() == {A: Frontier(589)}


def test_a_replica_is_never_told_what_it_knows() -> None:
    machine = up_to_date()
    machine.step(Ticked())
    machine.lose("r1")
    machine.connect("r1")
    machine.step(CompactionDurable(compaction={A: Frontier(489)}))
    assert of_type(machine.take("r1"), AllowCompaction) == [], "it was created there"
