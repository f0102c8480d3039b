"""Our own controller conforms, and each planted fault is caught by the check that is about it."""

from __future__ import annotations

import json
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE

import pytest

from antiphon.proof.conformance import Verdict, controllers
from antiphon.proof.conformance.controllers.checks import CHECKS
from antiphon.protocol.errors import InvalidArgument
from antiphon.v1 import control_pb2 as pb
from tests.controller.io.serving import Client
from tests.proof.conformance.controllers.faults import (
    Fault,
    assert_caught,
    report_of,
    serving,
)
from tests.source_tree import ROOT

pytestmark = pytest.mark.slow

CAUGHT = {
    Fault.BEGINS_TWICE: ("C1",),
    Fault.SAYS_ONE_CONNECTION_ID: ("9",),
    Fault.ALLOWS_WRITES_TOO_EARLY: ("C10",),
    Fault.NEVER_ALLOWS_WRITES: ("C10",),
    Fault.NEVER_CANCELS: ("33", "38"),
    Fault.ASKS_EVERYBODY: ("34",),
    Fault.ASKS_NOBODY_AGAIN: ("36", "62"),
    Fault.LOSES_A_DATAFLOW: ("C1", "C8", "C9"),
    Fault.SCHEDULES_NOTHING: ("C9",),
    Fault.MOVES_POSITIONS: ("C8",),
    Fault.SENDS_EVERYTHING_AGAIN: ("C5",),
    Fault.REBUILDS_EVERYBODY: ("C19",),
    Fault.READS_FROM_WHO_IS_REBUILT: ("C20",),
    Fault.ACCEPTS_WHAT_DIFFERS: ("C21",),
    Fault.LEAVES_A_FAILED_REBUILD: ("C22",),
    Fault.ACCEPTS_WHAT_IS_OVER: ("C23",),
    Fault.TRUSTS_WHAT_NOBODY_ACCEPTED: ("C24",),
}


async def test_our_own_controller_conforms() -> None:
    report = await report_of(Fault.NONE)
    assert report.conforms, report.rows()
    assert report.count(Verdict.PASS) == len(CHECKS)


@pytest.mark.parametrize("fault", CAUGHT, ids=lambda fault: fault.name.lower())
async def test_a_planted_fault_is_caught(fault: Fault) -> None:
    await assert_caught(fault, *CAUGHT[fault])


def test_every_fault_is_planted() -> None:
    assert set(CAUGHT) == set(Fault) - {Fault.NONE}


async def test_a_run_leaves_nothing_behind_and_wants_no_other_replicas() -> None:
    async with serving(Fault.NONE) as address:
        client = Client(address)
        await controllers.run(address, only=["8", "33"])
        assert list((await client.status()).replicas) == []
        listed = await client.control.ListCollections(pb.ListCollectionsRequest())
        assert list(listed.collections) == []
        await client.control.AddReplica(pb.AddReplicaRequest(name="r9", address="127.0.0.1:1"))
        with pytest.raises(InvalidArgument, match="the controller has replicas"):
            await controllers.run(address)
        await client.channel.close()


async def said(address: str, *command: str) -> tuple[int | None, str]:
    process = await create_subprocess_exec(
        sys.executable, "-m", *command, address, "--only", "8,c9", stdout=PIPE, stderr=PIPE
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()


async def test_the_command_prints_a_table_or_json_and_the_module_runs_alone() -> None:
    async with serving(Fault.SCHEDULES_NOTHING) as address:
        code, out = await said(address, "antiphon.cli", "conformance", "controller", "--json")
        assert code == 1
        verdicts = {c["numbers"][0]: c["verdict"] for c in json.loads(out)["checks"]}
        assert verdicts == {"8": "pass", "C9": "fail"}
        code, out = await said(address, "antiphon.proof.conformance", "controller")
        assert code == 1
        assert "C9  fail" in out


def test_the_document_lists_every_check() -> None:
    text = (ROOT / "docs/conformance.md").read_text("utf-8")
    rows = [f"| {' '.join(check.numbers)} | {check.title} |" for check in CHECKS]
    missing = [row for row in rows if row not in text]
    assert not missing, "\n".join(missing)
