"""The document is what the code says now."""

from __future__ import annotations

import subprocess
import sys

from antiphon.protocol.command import COMMANDS
from antiphon.protocol.response import RESPONSES
from tests.source_tree import ROOT


def test_the_document_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "proto/document.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_stage_command_and_response_is_in_it() -> None:
    text = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    for kind in (*COMMANDS, *RESPONSES):
        assert text.count(f"| `{kind.__name__}` |") == 2
