"""Killed at any moment: nothing that was acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from antiphon.history.io.sqlite.layout import DATABASE
from antiphon.protocol.ids import Position
from tests.history.stores import (
    BAG,
    FEED,
    SHARDS,
    TABLE,
    SqliteDriver,
    entries_of,
    inserted,
    open_queued,
)

CLIENTS = 6
ROOT = Path(__file__).resolve().parent.parent.parent


def run_and_kill(directory: Path, next_sequence: dict[int, int], lines: int) -> list[list[str]]:
    """What the controller said before it was killed, after about so many lines."""
    clients = [f"{client}:{sequence}" for client, sequence in next_sequence.items()]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.history.crashing", str(directory), *clients],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    said += process.stdout.readlines()
    process.stdout.close()
    process.wait()
    assert all(said[:lines]), f"it ended by itself: {said[-5:]}"
    return [line.split() for line in said if line.endswith("\n")]


def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(tmp_path: Path) -> None:
    random_lines = random.Random(20)
    next_sequence = dict.fromkeys(range(CLIENTS), 1)
    acknowledged: dict[tuple[int, int], int] = {}
    head = 0
    duplicates = 0
    rounds = 0
    while rounds < 5 or (not duplicates and rounds < 30):
        rounds += 1
        for word, *rest in run_and_kill(tmp_path, next_sequence, random_lines.randint(30, 900)):
            if word == "ack":
                client, sequence, time, duplicate = map(int, rest)
                assert acknowledged.setdefault((client, sequence), time) == time
                next_sequence[client] = sequence + 1
                duplicates += duplicate
            elif word == "head":
                head = max(head, int(rest[0]))
        check(tmp_path, acknowledged, head)
    assert len(acknowledged) > 300
    assert duplicates, "no kill came between a commit and its acknowledgement: nothing was tested"


def check(directory: Path, acknowledged: dict[tuple[int, int], int], head: int) -> None:
    """Open the store as the next controller would, and leave it."""
    store, _ = open_queued(directory)
    upper = store.opened.timeline_upper
    assert store.verify() == store.opened.head >= head
    found: Counter[tuple[int, int]] = Counter()
    for collection in (BAG, TABLE, FEED):
        for number, _, _, diff in entries_of(store.snapshot(collection, upper - 1)):
            found[divmod(number, 1_000_000)] += diff
    store.close()
    assert set(found.values()) <= {1}
    assert set(acknowledged) <= set(found)
    # At most the one append that each client had in flight is there without its acknowledgement.
    assert len(found) - len(acknowledged) <= CLIENTS


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose last changes are only in the write-ahead log, as after a kill."""
    source = tmp_path_factory.mktemp("killed")
    driver = SqliteDriver(*open_queued(source / "open"))
    driver.commit(new_shards=SHARDS)
    for time in range(2, 60):
        driver.append(time, BAG, inserted((time, "x" * 100)))
    shutil.copytree(source / "open", source / "left")
    driver.store.close()
    return source / "left"


@pytest.mark.parametrize("seed", range(30))
def test_a_torn_log_loses_its_tail_and_nothing_else(
    killed: Path, tmp_path: Path, seed: int
) -> None:
    chooser = random.Random(seed)
    directory = tmp_path / "data"
    shutil.copytree(killed, directory)
    (directory / f"{DATABASE}-shm").unlink()
    log = directory / f"{DATABASE}-wal"
    data = bytearray(log.read_bytes())
    place = chooser.randrange(len(data) // 3, len(data))
    if seed % 2:
        del data[place:]
    else:
        data[place] ^= 1 << chooser.randrange(8)
    log.write_bytes(data)
    store, _ = open_queued(directory)
    upper = store.opened.timeline_upper
    rows = sorted(row[0] for row in entries_of(store.snapshot(BAG, upper - 1)))
    assert rows == list(range(2, upper))
    assert 2 < upper <= 60
    assert store.verify() == Position(0)
    store.close()


def test_an_intact_log_loses_nothing(killed: Path, tmp_path: Path) -> None:
    shutil.copytree(killed, tmp_path / "data")
    store, _ = open_queued(tmp_path / "data")
    assert store.opened.timeline_upper == 60
    store.close()
