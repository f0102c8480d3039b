"""The main job in small: every comparison equal, a replica killed on the way."""

from __future__ import annotations

import json
from pathlib import Path

from tests.end_to_end.system import all_ended, cli


def test_the_demo_is_equal_to_duckdb_on_every_replica_after_a_kill(tmp_path: Path) -> None:
    done = cli("demo", "--rows", "4000", "--json", "--data", str(tmp_path), timeout_s=500.0)
    assert done.returncode == 0, done.stderr[-3_000:]
    summary = json.loads(done.stdout)
    assert summary["equal"]
    assert summary["flights"] == 4_000
    assert {c["replica"] for c in summary["comparisons"]} == {"r1", "r2", "subscription"}
    assert len(summary["comparisons"]) == 8 * 5
    assert summary["kill"]["back_seconds"] is not None
    assert list(tmp_path.iterdir()) == [], "its folder is gone"
    all_ended(tmp_path)
