"""The operator's guide is followed to the letter: a copy of a store in use, and its restoration."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from pathlib import Path
from typing import Final

import pytest

from antiphon.client import Client
from tests.end_to_end.system import Up, replica_of, until

GUIDE: Final = (Path(__file__).resolve().parents[2] / "docs/operating.md").read_text("utf-8")
SECTION: Final = GUIDE.partition("## Saving and restoring")[2].partition("\n## ")[0]
SAVE, RESTORE = (block.partition("```")[0] for block in SECTION.split("```sh\n")[1:])
REFUSAL: Final = "epoch 2 was claimed by another controller"


def lines(block: str, up: Up) -> list[str]:
    """The commands of a block, on the test's data directory."""
    return block.replace("antiphon-data", str(up.data)).splitlines()


def save(up: Up) -> None:
    """What the sqlite3 of the shell does; it need not be installed to run the tests."""
    for line in lines(SAVE, up):
        program, database, what = line.split(" ", 2)
        assert program == "sqlite3"
        with contextlib.closing(sqlite3.connect(up.data.parent / database)) as source:
            match what.strip('"').split():
                case [".backup", name]:
                    with contextlib.closing(sqlite3.connect(up.data.parent / name)) as copy:
                        source.backup(copy)
                case ["PRAGMA", pragma]:
                    assert source.execute(f"PRAGMA {pragma}").fetchall() == [("ok",)]
                case _:
                    raise AssertionError(f"the guide says more: {line}")


def total(client: Client) -> object:
    return client.sql("SELECT total FROM sums").rows()[0][0]


def restarted(up: Up) -> Client:
    up.start()
    return up.ready()


@pytest.mark.slow
def test_a_saved_store_is_restored_and_replicas_obey_it_once_their_fences_are_gone(up: Up) -> None:
    with up.ready() as client:
        client.sql("CREATE TABLE t (a bigint)")
        client.sql("CREATE MATERIALIZED VIEW sums AS SELECT sum(a) AS total FROM t")
        client.append("t", [{"a": 1}])
        save(up)
        client.append("t", [{"a": 10}])
    up.interrupt()
    with restarted(up) as client:
        assert total(client) == 11
    up.interrupt()

    *commands, unfence, start = lines(RESTORE, up)
    assert unfence.endswith("fence.json")
    assert start == "antiphon up"
    for command in commands:
        subprocess.run(command, shell=True, check=True, cwd=up.data.parent)
    up.start()
    with up.connect() as client:
        until(lambda: REFUSAL in replica_of(client, "r1").reason, "the fence refuses the copy")
    up.interrupt()

    subprocess.run(unfence, shell=True, check=True, cwd=up.data.parent)
    with restarted(up) as client:
        assert total(client) == 1
    assert REFUSAL in GUIDE
