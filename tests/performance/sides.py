"""Runs one side of a benchmark in a process of its own: ours, a peer's, or a recomputation's.

A side prints one JSON object as its last line. A peer lives in an environment of its own, made on
demand from its pinned requirements; one that cannot be had is missing, not an error.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.performance.workload import Workload

HERE: Final = Path(__file__).resolve().parent
PEERS: Final = ("pathway", "bytewax", "deephaven")
SIDE_TIMEOUT_S: Final = 300
STDERR_LINES: Final = 3


class SideMissing(Exception):
    """This side cannot be run here; the message says why."""


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of every tick that counts, by its size."""

    version: str
    by_size: dict[int, list[float]]

    def p50(self, size: int) -> float:
        return statistics.median(self.by_size[size])

    def worst(self, size: int) -> float:
        return max(self.by_size[size])


def run(command: list[str], path: str = "") -> dict[str, Any]:
    """The JSON object that the process prints last. `path`: its PYTHONPATH.

    Raises:
        SideMissing: it failed, or took too long; with the end of what it said.
    """
    name = Path(command[1]).parent.name if command[1].endswith(".py") else command[2]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SIDE_TIMEOUT_S, check=False,
            cwd=HERE.parent.parent, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise SideMissing(f"{name} took more than {SIDE_TIMEOUT_S} s") from None
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        said = " / ".join(done.stderr.strip().splitlines()[-STDERR_LINES:])
        raise SideMissing(f"{name} ended with {done.returncode}: {said}")
    return dict(json.loads(lines[-1]))


def ours(mode: str, workload: Workload, *options: str) -> dict[str, Any]:
    """What our engine, or DuckDB, does in a fresh process of this environment."""
    return run([sys.executable, "-m", f"tests.performance.{mode}", workload.to_json(), *options])


def times_of(answer: dict[str, Any]) -> Times:
    by_size = {int(size): list(times) for size, times in answer["times_ms"].items()}
    return Times(answer.get("version", ""), by_size)


@cache
def peer(name: str, workload: Workload) -> Times:
    """A peer's times for a workload; run once, however many benchmarks ask."""
    command = [str(environment(name)), str(HERE / "peers" / name / "run.py"), workload.to_json()]
    return times_of(run(command, path=str(HERE)))


@cache
def environment(name: str) -> Path:
    """The peer's interpreter, installed if it is not there yet."""
    if name == "deephaven" and shutil.which("java") is None:
        raise SideMissing("deephaven needs Java")
    folder = HERE / "peers" / name
    python, stamp = folder / ".venv/bin/python", folder / ".venv/.installed"
    requirements = folder / "requirements.txt"
    if stamp.exists() and stamp.read_text("utf-8") == requirements.read_text("utf-8"):
        return python
    print(f"bench: installing {name} for itself, once", file=sys.stderr)
    install = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)]
    for command in ([sys.executable, "-m", "venv", str(folder / ".venv")], install):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["?"])[-1]
            raise SideMissing(f"{name} cannot be installed: {last}")
    stamp.write_text(requirements.read_text("utf-8"), "utf-8")
    return python
