"""DataFusion, asked beside DuckDB: an engine that shares no code with it and errs elsewhere.

It refuses more (most correlated subqueries, for one), which is no matter: what it does answer must
be our answer. Where it answers otherwise and is wrong, or goes by another rule than PostgreSQL, the
query stands in `second_oracle_differs.sql` with the reason, and must go on to differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import ROUND_DOWN, Decimal
from functools import cache
from pathlib import Path

import pyarrow as pa
from datafusion import SessionConfig, SessionContext

from antiphon.controller.catalog import ItemKind
from antiphon.controller.sql.planner import split_statements
from antiphon.protocol.schema import arrow_schema
from tests.controller.sql.world import Row, World, difference

SETTINGS = {
    "datafusion.execution.target_partitions": "1",
    "datafusion.sql_parser.dialect": "postgresql",
}


@cache
def known_differences() -> frozenset[str]:
    text = (Path(__file__).parent / "second_oracle_differs.sql").read_text()
    return frozenset(_plain(piece.text) for piece in split_statements(text))


def _plain(query: str) -> str:
    """Without comments, layout, a closing semicolon and capital letters."""
    return " ".join(re.sub(r"(?m)--.*$", "", query).lower().split()).rstrip("; ")


class SecondOracle:
    """Tables that are given whole, and what it says of queries over them."""

    def __init__(self) -> None:
        self._context = SessionContext(SessionConfig(SETTINGS))
        self.answered = 0
        self.refused = 0
        self._differed: set[str] = set()

    @classmethod
    def over(cls, world: World) -> SecondOracle:
        """The tables and views of a world, as they are now."""
        made = cls()
        for item in world.catalog.items.values():
            if item.kind in (ItemKind.TABLE, ItemKind.FEED):
                columns = list(world.content[item.id].columns)
                made.fill(
                    item.name, pa.Table.from_arrays(columns, schema=arrow_schema(item.schema))
                )
            elif item.kind in (ItemKind.VIEW, ItemKind.MATERIALIZED_VIEW):
                made._context.sql(re.sub("(?i) materialized ", " ", item.sql, count=1)).collect()
        return made

    def fill(self, name: str, rows: pa.Table) -> None:
        """This table has exactly these rows from now on."""
        if self._context.table_exist(name):
            self._context.deregister_table(name)
        batches = rows.to_batches() or [pa.RecordBatch.from_pylist([], schema=rows.schema)]
        self._context.register_record_batches(name, [batches])

    def difference(self, query: str, ours: list[Row]) -> str:
        """What is on one side alone; empty when it agrees, refuses, or is known to differ."""
        found = self._difference(query, ours)
        if found and _plain(query) in known_differences():
            self._differed.add(_plain(query))
            return ""
        return found

    def outdated(self, queries: Iterable[str]) -> list[str]:
        """Those of these that are known to differ, and have agreed whenever they were asked: they
        are to be taken from the list."""
        plain = [_plain(query) for query in queries]
        return [q for q in plain if q in known_differences() and q not in self._differed]

    def _difference(self, query: str, ours: list[Row]) -> str:
        try:
            table = self._context.sql(query).to_arrow_table()
        except BaseException as refusal:
            # Its panics are no `Exception`s; what would end us is none of its.
            if isinstance(refusal, KeyboardInterrupt | SystemExit):
                raise
            self.refused += 1
            return ""
        self.answered += 1
        columns = [column.to_pylist() for column in table.columns]
        theirs = list(zip(*columns, strict=True))
        return difference([_cut(row, table.schema) for row in ours], theirs)


def _cut(row: Row, schema: pa.Schema) -> Row:
    """With as many decimals as it gives: of averages and quotients it keeps four more than of what
    went in, and cuts off the rest, where PostgreSQL keeps sixteen digits."""
    return tuple(
        value.quantize(Decimal(1).scaleb(-field.type.scale), ROUND_DOWN)
        if isinstance(value, Decimal) and pa.types.is_decimal(field.type)
        else value
        for value, field in zip(row, schema, strict=True)
    )
