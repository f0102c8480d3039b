"""The disk of the store is full: writes say so and are not done, reads go on, and once there is
space so do the writes, of the same process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from antiphon.client import Client
from antiphon.protocol.errors import CollectionMissing, StoreFull
from tests.end_to_end.system import Up, cli

BODY_BYTES: Final = 50_000
ROUNDS_MAX: Final = 200
# A disk of its own for what is started within, which no other process sees.
DISK_BYTES: Final = 8 << 20
MOUNT: Final = f'mount -t tmpfs -o size={DISK_BYTES} antiphon "$0" && exec "$@"'
MOUNTED: Final = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNT)
BOUNDED: Final = (sys.executable, "-m", "tests.end_to_end.bounded_store")
SCHEMA: Final = """
CREATE TABLE docs (id bigint PRIMARY KEY, body text);
CREATE MATERIALIZED VIEW sizes AS SELECT count(*) AS n, sum(length(body)) AS size FROM docs
"""


class Mounted:
    """A small disk, seen from outside through the process that lives on it."""

    def __init__(self, data: Path) -> None:
        self.within = [*MOUNTED, str(data)]
        self._data = data

    def fill(self, process: int) -> None:
        self._ballast = Path(f"/proc/{process}/root{self._data}/ballast")
        with self._ballast.open("wb", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12):
                with suppress(OSError):
                    while ballast.write(bytes(size)) == size:
                        pass

    def free(self) -> None:
        self._ballast.unlink()


class Bounded:
    """SQLite's own bound, where no disk may be mounted."""

    def __init__(self, data: Path) -> None:
        self._full = data.with_name("full")
        self.within = [*BOUNDED, str(self._full)]

    def fill(self, _process: int) -> None:
        self._full.touch()

    def free(self) -> None:
        self._full.unlink()


def disks() -> list[type[Mounted] | type[Bounded]]:
    with tempfile.TemporaryDirectory() as place:
        tried = subprocess.run([*MOUNTED, place, "true"], capture_output=True, check=False)
    return [Bounded] if tried.returncode else [Mounted, Bounded]


class Docs:
    """What was acknowledged."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.count = 0

    def append(self) -> None:
        body = os.urandom(BODY_BYTES // 2).hex()
        self._client.append("docs", [{"id": self.count, "body": body}])
        self.count += 1

    def append_for_ever(self) -> None:
        for _ in range(ROUNDS_MAX):
            self.append()

    def check(self) -> None:
        size = self.count * BODY_BYTES or None
        for query in (
            "FROM sizes",
            "FROM (SELECT count(*) AS n, sum(length(body)) AS size FROM docs)",
        ):
            assert self._client.sql(f"SELECT n, size {query}").rows() == [(self.count, size)]


@pytest.mark.parametrize("kind", disks())
def test_writes_are_refused_reads_go_on_and_with_space_so_do_writes(
    tmp_path: Path, kind: type[Mounted] | type[Bounded]
) -> None:
    (tmp_path / "data").mkdir()
    disk = kind(tmp_path / "data")
    with Up(tmp_path, replicas=1, within=disk.within) as up, up.ready() as client:
        client.script(SCHEMA)
        docs = Docs(client)
        docs.append()
        process = up.process.pid
        disk.fill(process)
        with pytest.raises(StoreFull, match=str(up.data)):
            docs.append_for_ever()
        for _ in range(5):
            with pytest.raises(StoreFull):
                docs.append()
        docs.check()

        said = cli("sql", "-a", up.address, "-c", "CREATE TABLE more AS SELECT * FROM docs")
        assert said.returncode == 1
        assert said.stderr == (
            "antiphon: store full: the disk of the store is full: nothing was written;"
            f" free space in {up.data}\n"
        )
        with pytest.raises(CollectionMissing):
            client.sql("SELECT * FROM more")

        disk.free()
        for _ in range(10):
            docs.append()
        docs.check()
        client.sql("CREATE TABLE more AS SELECT * FROM docs")
        assert len(client.sql("SELECT id FROM more").rows()) == docs.count
        docs.check()
        assert up.process.pid == process
        assert up.is_alive
        assert "Traceback" not in up.log.read_text()
