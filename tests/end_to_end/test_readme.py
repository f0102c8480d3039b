"""What the README tells its reader to type does what the README says, in that order."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Final

from tests.end_to_end.system import Up, cli

README: Final = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RESULT: Final = "region\torders\ttotal\nnorth\t2\t15\nsouth\t1\t20\n"


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(README) if kind == language]


def typed() -> list[list[str]]:
    """The arguments of every `antiphon` command, but for `up` itself."""
    lines = "".join(blocks("sh")).splitlines()
    commands = [shlex.split(line) for line in lines if line.startswith(".venv/bin/antiphon")]
    return [arguments for _, *arguments in commands if arguments != ["up"]]


def test_a_view_of_your_own_in_a_minute(up: Up) -> None:
    up.ready().close()
    *statements, select, subscribe = typed()
    for arguments in statements:
        done = cli(*arguments, "--address", up.address)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
    assert cli(*select, "--address", up.address).stdout == RESULT
    followed = cli(*subscribe, "--limit", "2", "--address", up.address)
    assert sorted(line.split("\t")[-3:] for line in followed.stdout.splitlines()[1:]) == [
        ["north", "2", "15"], ["south", "1", "20"],
    ]  # fmt: skip
    assert cli("status", "--address", up.address).returncode == 0
    follow_from_python(up.address)


def follow_from_python(address: str) -> None:
    """The Python of the README: an append, a read that shows it, then the changes as they come."""
    (program,) = blocks("python")
    program = program.replace("connect()", f"connect({address!r})")
    with subprocess.Popen(
        [sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None, "a pipe was asked for"
        lines = list(islice(running.stdout, 6))
        running.kill()
    assert lines[:3] == ["('north', 2, 15)\n", "('south', 1, 20)\n", "('west', 1, 70)\n"]
    assert sorted(line.partition(" 1 ")[2] for line in lines[3:]) == lines[:3]
