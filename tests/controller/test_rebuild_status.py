"""How far a rebuild is, in numbers and words."""

from __future__ import annotations

from dataclasses import replace

from antiphon.controller.rebuild_status import rebuild_status
from antiphon.protocol.command import StartRebuild
from antiphon.protocol.ids import Incarnation, Position, ReplicaId
from antiphon.protocol.response import HydrationProgress, RebuildProgress, Status
from antiphon.protocol.stage import Stage
from tests.controller.instance.content.test_comparing import RIGHT, WRONG, A, tell, wait
from tests.controller.instance.content.test_comparing import machine as three
from tests.controller.instance.content.test_verifying import example, fill
from tests.controller.instance.machine import Machine, of_type

machine = three  # an index on three replicas that are up to date; a comparison is due
R1, R2 = ReplicaId("r1"), ReplicaId("r2")
STATUS = Status(stage=Stage.READ_ONLY, applied_position=Position(1), durable_position=Position(0))


def said(machine: Machine, name: ReplicaId) -> str:
    found = rebuild_status(machine.state, machine.state.replicas[name], 7)
    return "" if found is None else str(found)


def test_dataflows_rows_of_the_base_and_the_lag_of_what_follows_are_told() -> None:
    machine = example()
    assert said(machine, R1) == "", "it serves"
    machine.lose("r2")
    machine.connect("r2", incarnation=Incarnation(b"j" * 16))
    assert said(machine, R2) == "0 of 2 dataflows, 0 %: base lane begins, live lane 7 ms behind"
    (first, second) = sorted(machine.state.replicas[R2].installed)
    machine.report("r2", first, 100)
    progress = HydrationProgress(
        collection=second, rows_done=1_000, rows_total=4_000, rows_received=3_000
    )
    machine.respond("r2", replace(STATUS, hydration=(progress,)))
    assert said(machine, R2) == (
        "1 of 2 dataflows, 75 %: base lane 3,000 of 4,000 rows, live lane 7 ms behind"
    )
    fill(machine, "r2")
    assert said(machine, R2) == "built anew, and compared with r1"
    machine.lose("r2")
    assert said(machine, R2) == ""


def test_a_repair_tells_as_well(machine: Machine) -> None:
    tell(machine, r1=RIGHT, r2=WRONG, r3=RIGHT)
    (command,) = of_type(machine.take("r2"), StartRebuild)
    assert isinstance(command, StartRebuild)
    assert said(machine, R2) == "0 of 1 dataflows, 0 %: base lane begins, live lane 7 ms behind"
    progress = RebuildProgress(
        session_id=command.session_id,
        base_chunks=1,
        base_rows=3,
        base_rows_total=6,
        live_rows=0,
        dataflows_filled=0,
        dataflows_total=1,
    )
    machine.respond("r2", replace(STATUS, stage=Stage.READ_WRITE, rebuild=progress))
    assert said(machine, R2) == (
        "0 of 1 dataflows, 25 %: base lane 3 of 6 rows, live lane 7 ms behind"
    )
    wait(machine, 0)
    assert A in machine.state.replicas[R2].installed
