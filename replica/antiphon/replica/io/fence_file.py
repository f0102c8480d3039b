"""The replica's memory of whom it obeyed: one small file, replaced whole.

A replica that forgot its fence could be taken over by a controller that was replaced long ago.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.ids import ClaimId, Epoch, InstanceId
from antiphon.replica.ports import Fence

NAME: Final = "fence.json"


class FenceFile:
    """The `FencePort` over a directory that exists."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._directory = directory

    def load(self) -> Fence | None:
        """None: this replica has obeyed nobody yet.

        Raises:
            InvalidArgument: the file is not one of ours. It is not ignored: without it an old
                controller would no longer be fenced.
        """
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            content = json.loads(text)
            return Fence(
                instance_id=InstanceId(int(content["instance_id"])),
                epoch=Epoch(int(content["epoch"])),
                claim_id=ClaimId(bytes.fromhex(content["claim_id"])),
            )
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            raise InvalidArgument(
                f"{self._path} is damaged: remove it only if no old controller is alive",
                path=str(self._path),
            ) from error

    def store(self, fence: Fence) -> None:
        content = {
            "instance_id": fence.instance_id,
            "epoch": fence.epoch,
            "claim_id": fence.claim_id.value.hex(),
        }
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        # The name must survive a crash too, or the old fence would be back.
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
