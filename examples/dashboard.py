"""A view kept up to date in a dict, change by change: what a dashboard or a cache does.

The subscription survives restarts of the controller and of replicas: it goes on where it was, so
the dict is never wrong and never has to be read anew. Run `examples/quickstart.py` first.

    python examples/dashboard.py [HOST:PORT] [BATCHES]
"""

import asyncio
import sys

from antiphon.client import DEFAULT_ADDRESS, connect_async


async def main(address: str, batches_max: int) -> None:
    regions: dict[str, tuple[object, ...]] = {}
    async with await connect_async(address) as client, client.subscribe("revenue") as changes:
        async for batch in changes:
            # Each batch is complete: all changes at times in [lower, upper), applied together.
            for change in batch:
                if change.diff < 0:
                    regions.pop(change.row[0], None)
            for change in batch:
                if change.diff > 0:
                    regions[change.row[0]] = change.row[1:]
            print(f"at {batch.upper}: {regions}", flush=True)
            batches_max -= 1
            if batches_max == 0:
                return


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else DEFAULT_ADDRESS
    asyncio.run(main(address, int(sys.argv[2]) if len(sys.argv) > 2 else 0))
