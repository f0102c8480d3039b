"""The SDK: `connect` for blocking code, `connect_async` for asyncio.

    >>> from antiphon.client import connect
    >>> with connect() as client:
    ...     client.sql("CREATE TABLE sales (region text, amount bigint)")
    ...     client.append("sales", [{"region": "north", "amount": 7}])
    ...     client.sql("SELECT region, sum(amount) FROM sales GROUP BY region").rows()

Errors are those of `antiphon.protocol.errors`. Of one process, use either the blocking client (any
number of them, any threads) or the asynchronous one (on one event loop).
"""

from antiphon.client.asynchronous import AsyncClient
from antiphon.client.blocking import BlockingChanges, Client
from antiphon.client.changes import Changes
from antiphon.client.collection import Collection
from antiphon.client.io.connect import DEFAULT_ADDRESS, Tls, connect, connect_async
from antiphon.client.io.retry import PATIENCE_S
from antiphon.client.result import Result
from antiphon.client.sources import Appended, Progress
from antiphon.client.subscription import Change, ChangeBatch
from antiphon.protocol.frontier import Frontier

__all__ = [
    "DEFAULT_ADDRESS",
    "PATIENCE_S",
    "Appended",
    "AsyncClient",
    "BlockingChanges",
    "Change",
    "ChangeBatch",
    "Changes",
    "Client",
    "Collection",
    "Frontier",
    "Progress",
    "Result",
    "Tls",
    "connect",
    "connect_async",
]
