"""Planning beside the event loop, with the plans of before at hand.

A plan is valid for one catalog version, so the cache is keyed by it; a hit costs a dictionary
look-up and no thread. A collection that is named is planned without one: there is little to plan.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Generic, TypeVar

from antiphon.controller.catalog import Catalog
from antiphon.controller.sql.planner import plan_statement, split_statements
from antiphon.controller.sql.queries.clock import CLOCK_WORDS
from antiphon.controller.sql.statement import (
    Inspect,
    InspectChanges,
    Rows,
    Select,
    Statement,
    StatementText,
    Subscribe,
)
from antiphon.controller.sql.statements.named import (
    CollectionRead,
    key_rows,
    plan_collection_read,
    plan_collection_subscribe,
)

K = TypeVar("K")
V = TypeVar("V")

PLANS_KEPT_MAX: Final = 512
CACHED_TEXT_MAX: Final = 16_384  # characters; longer texts are data, and do not come again
CACHED_COLUMNS_MAX: Final = 256  # of a named collection, for the same reason
_KEPT: Final = (Select, Subscribe, Rows, Inspect, InspectChanges)

__all__ = ["Planning", "plan_collection_subscribe", "split_statements"]


class Plans(Generic[K, V]):
    """Those that were used last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: K, plan: V) -> None:
        self._kept[key] = plan
        if len(self._kept) > PLANS_KEPT_MAX:
            self._kept.popitem(last=False)


class Planning:
    """Plans statements on one thread."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="planner")
        self._plans: Plans[tuple[str, int], Statement] = Plans()
        self._reads: Plans[tuple[object, ...], CollectionRead] = Plans()

    async def plan(self, text: StatementText, catalog: Catalog) -> Statement:
        """
        Raises:
            ComputeError: as the planner does, for people to read.
        """
        key = (text.text, catalog.version)
        found = self._plans.get(key)
        if found is not None:
            return found
        # What is asked of the clock no plan of before has right.
        asks_clock = CLOCK_WORDS.search(text.text) is not None
        now_ms = time.time_ns() // 1_000_000  # a column's default may ask for it
        statement = await asyncio.get_running_loop().run_in_executor(
            self._pool, lambda: plan_statement(text, catalog, now_ms=now_ms)
        )
        cacheable = not asks_clock and len(text.text) <= CACHED_TEXT_MAX
        if cacheable and isinstance(statement, _KEPT):
            self._plans.keep(key, statement)
        return statement

    def read(
        self, name: str, catalog: Catalog, *, columns: tuple[str, ...], keys: bytes | None
    ) -> Select | Inspect:
        """A read of a named collection; see `plan_collection_read`. `keys`: an Arrow IPC stream.

        Raises:
            CollectionMissing, InvalidArgument, SchemaMismatch
        """
        rows = None if keys is None else key_rows(keys)
        key = None if rows is None else tuple(rows.schema.names)
        asked = (name, columns, key, catalog.version)
        found = self._reads.get(asked)
        if found is None:
            found = plan_collection_read(name, catalog, columns=columns, key=key)
            if len(columns) <= CACHED_COLUMNS_MAX:
                self._reads.keep(asked, found)
        if keys is None or rows is None:
            return found.statement
        return found.with_keys(keys, rows)

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
