"""What `antiphon status --arrangements` adds: what views hold together on each replica.

An arrangement is kept once for all dataflows that look it up, so it is nobody's share of a view.
The figures are those of `antiphon.arrangements`, as each replica has last told; the largest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table

from antiphon.client import Client

SQL: Final = (
    "SELECT name, key, replica, rows, bytes, readers FROM antiphon.arrangements"
    " ORDER BY bytes DESC, replica, name, key"
)


class Arrangement(NamedTuple):
    """`key`: the columns that it is sorted by, by name."""

    collection: str
    key: str
    replica: str
    rows: int
    bytes: int
    readers: int


def read(client: Client) -> list[Arrangement]:
    """Raises ComputeError."""
    return [Arrangement(*row) for row in client.sql(SQL).rows()]


def table_of(found: Sequence[Arrangement]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("arrangement", "key", "replica"):
        table.add_column(name, overflow="fold")
    for name in ("rows", "memory", "readers"):
        table.add_column(name, justify="right", no_wrap=True)
    for cells in map(_cells, found):
        table.add_row(*cells)
    return table


def lines_of(found: Sequence[Arrangement]) -> list[tuple[str, ...]]:
    return [("arrangement", *_cells(one)) for one in found]


def _cells(one: Arrangement) -> tuple[str, ...]:
    memory = f"{one.bytes / 2**20:.1f} MiB"
    return one.collection, one.key, one.replica, f"{one.rows:,}", memory, str(one.readers)
