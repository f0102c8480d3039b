"""Sides in turn: one at a time, in order, and one that fails says so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.performance.sides import Side, SideMissing
from tests.performance.turns import in_turn
from tests.performance.workload import Workload

PLAYER = """
import json, sys
from tests.performance.workload import Source, Workload
load, name, file = sys.argv[1:]
for tick in Source(Workload.from_json(load)).ticks():
    if tick.counts:
        with open(file, "a") as log:
            log.write(name)
print(json.dumps({"times_ms": {"10": [0.5]}}))
"""


def player(name: str, file: Path, ticks: int) -> Side:
    load = Workload("group", orders=100, keys=10, ticks=((10, ticks),), turn_ticks=2)
    return Side(name, (sys.executable, "-c", PLAYER, load.to_json(), name, str(file)))


def test_each_has_its_ticks_of_a_turn_while_the_others_wait(tmp_path: Path) -> None:
    log = tmp_path / "log"
    found = in_turn([player("a", log, 6), player("b", log, 4)])
    assert log.read_text() == "aabbaabbaa"
    assert [times.by_size for times in found] == [{10: [0.5]}] * 2


def test_a_side_that_fails_says_what_it_said_last(tmp_path: Path) -> None:
    failing = Side("lame", (sys.executable, "-c", "print('turn', flush=True); raise OSError('no')"))
    with pytest.raises(SideMissing, match=r"lame ended with 1: .*no"):
        in_turn([player("a", tmp_path / "log", 4), failing])
