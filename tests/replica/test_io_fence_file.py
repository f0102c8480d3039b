"""The fence file: survives, is replaced whole, and is never silently forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.ids import Epoch
from antiphon.replica.io.fence_file import NAME, FenceFile
from antiphon.replica.ports import Fence
from tests.replica.scripted import CLAIM, INSTANCE


def fence(epoch: int) -> Fence:
    return Fence(instance_id=INSTANCE, epoch=Epoch(epoch), claim_id=CLAIM)


def test_a_fresh_replica_has_obeyed_nobody(tmp_path: Path) -> None:
    assert FenceFile(tmp_path).load() is None


def test_what_was_stored_is_found_after_a_restart(tmp_path: Path) -> None:
    FenceFile(tmp_path).store(fence(2))
    FenceFile(tmp_path).store(fence(3))
    assert FenceFile(tmp_path).load() == fence(3)
    assert (tmp_path / NAME).stat().st_mode & 0o077 == 0


def test_a_write_that_was_cut_short_changes_nothing(tmp_path: Path) -> None:
    FenceFile(tmp_path).store(fence(2))
    (tmp_path / NAME).with_suffix(".new").write_text("{")
    assert FenceFile(tmp_path).load() == fence(2)
    FenceFile(tmp_path).store(fence(3))
    assert FenceFile(tmp_path).load() == fence(3)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"epoch": 1}', '{"instance_id": 1, "epoch": 1, "claim_id": "00"}'],
)
def test_a_damaged_file_is_told_and_not_ignored(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    with pytest.raises(InvalidArgument, match="damaged"):
        FenceFile(tmp_path).load()
