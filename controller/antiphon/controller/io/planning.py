"""Planning beside the event loop, with the plans of before at hand.

A plan is valid for one catalog version, so the cache is keyed by it; a hit costs a dictionary
look-up and no thread.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from antiphon.controller.catalog import Catalog
from antiphon.controller.sql.planner import (
    plan_collection_read,
    plan_collection_subscribe,
    plan_statement,
    split_statements,
)
from antiphon.controller.sql.statement import (
    Inspect,
    InspectChanges,
    Rows,
    Select,
    Statement,
    StatementText,
    Subscribe,
)

PLANS_KEPT_MAX: Final = 512
CACHED_TEXT_MAX: Final = 16_384  # characters; longer texts are data, and do not come again
_KEPT: Final = (Select, Subscribe, Rows, Inspect, InspectChanges)
# What may ask for the time of the statement, which no plan of before has right.
_CLOCK: Final = re.compile(r"now|current_|localtime|clock|today", re.IGNORECASE)

__all__ = ["Planning", "plan_collection_read", "plan_collection_subscribe", "split_statements"]


class Planning:
    """Plans statements on one thread."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="planner")
        self._plans: OrderedDict[tuple[str, int], Statement] = OrderedDict()

    async def plan(self, text: StatementText, catalog: Catalog) -> Statement:
        """
        Raises:
            ComputeError: as the planner does, for people to read.
        """
        key = (text.text, catalog.version)
        found = self._plans.get(key)
        if found is not None:
            self._plans.move_to_end(key)
            return found
        asks_clock = _CLOCK.search(text.text) is not None
        now_ms = time.time_ns() // 1_000_000 if asks_clock else None
        statement = await asyncio.get_running_loop().run_in_executor(
            self._pool, lambda: plan_statement(text, catalog, now_ms=now_ms)
        )
        cacheable = not asks_clock and len(text.text) <= CACHED_TEXT_MAX
        if cacheable and isinstance(statement, _KEPT):
            self._plans[key] = statement
            if len(self._plans) > PLANS_KEPT_MAX:
                self._plans.popitem(last=False)
        return statement

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
