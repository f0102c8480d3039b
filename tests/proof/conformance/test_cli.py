"""`antiphon conformance replica` and the bare module: a table, JSON, exit codes."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from antiphon.proof.conformance.checks import CHECKS
from tests.proof.conformance.faults import Fault
from tests.proof.conformance.suite import serving
from tests.source_tree import ROOT

ANTIPHON = ("-m", "antiphon.cli", "conformance", "replica")
BARE = ("-m", "antiphon.proof.conformance", "replica")


async def run(fault: Fault, command: tuple[str, ...], *options: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    with tempfile.TemporaryDirectory(prefix="antiphon-") as directory:
        controller = f"unix:{Path(directory) / 'controller'}"
        address = f"unix:{Path(directory) / 'replica'}"
        async with serving(address, controller, fault):
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command, address, "--collections-listen", controller, *options,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, err = await process.communicate()
    assert process.returncode is not None, "it has ended"
    return process.returncode, out.decode(), err.decode()


async def test_a_table_of_what_was_checked_and_zero() -> None:
    code, out, err = await run(Fault.NONE, ANTIPHON, "--only", "22,d3")
    header, first, second = out.splitlines()
    assert code == 0
    assert header.split("\t") == ["number", "title", "verdict", "seconds"]
    assert first.startswith("22\t")
    assert second.split("\t")[2] == "pass"
    assert "2 pass, 0 fail, 0 n/a" in err


async def test_a_fail_is_told_with_its_reason_and_exit_code_one() -> None:
    code, out, _ = await run(Fault.ANSWERS_TWICE, ANTIPHON, "--only", "22", "--json")
    (check,) = json.loads(out)["checks"]
    assert code == 1
    assert check["verdict"] == "fail"
    assert "expected 1 answers" in check["detail"]


async def test_a_number_that_nobody_knows_is_one_line() -> None:
    code, out, err = await run(Fault.NONE, ANTIPHON, "--only", "99")
    assert (code, out) == (1, "")
    assert err.splitlines() == ["antiphon: invalid argument: there is no check 99"]


async def test_the_module_runs_without_the_command_line() -> None:
    code, out, _ = await run(Fault.LEAVES_A_GAP, BARE, "--only", "40")
    assert code == 1
    assert "40  fail" in out
    code, _, err = await run(Fault.NONE, BARE, "--only", "99")
    assert code == 2
    assert err.strip() == "there is no check 99"


def test_the_document_lists_every_check() -> None:
    text = (ROOT / "docs/conformance.md").read_text("utf-8")
    rows = [f"| {' '.join(check.numbers)} | {check.title} |" for check in CHECKS]
    missing = [row for row in rows if row not in text]
    assert not missing, "\n".join(missing)
