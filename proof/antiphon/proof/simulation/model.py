"""What every answer is compared with: the same collections, kept the obvious way.

Tables are multisets of tuples, feeds map keys to tuples, and a view is a Python function of both,
evaluated from scratch. Nothing here is incremental, vectorised or shared with the product.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

# The workload's collections: items(id, label, amount), keyed by id; prices(label, price), a feed.
Item = tuple[int, str, int]
Price = tuple[str, int]
Row = tuple[object, ...]

SCHEMA_SQL = (
    "CREATE TABLE items (id bigint NOT NULL, label text, amount bigint, PRIMARY KEY (id))",
    "CREATE FEED prices (label text NOT NULL, price bigint, PRIMARY KEY (label))",
    "CREATE VIEW totals AS SELECT label, count(*) AS n, min(amount) AS low, max(amount) AS high "
    "FROM items GROUP BY label",
    "CREATE INDEX totals_by_label ON totals (label)",
    "CREATE MATERIALIZED VIEW priced AS SELECT i.id, i.label, i.amount, p.price "
    "FROM items i LEFT JOIN prices p ON i.label = p.label",
)
# Made and dropped again and again while the others are read: other ways to the same answers.
CHURN_SQL = 8 * (
    "CREATE INDEX totals_by_n ON totals (n)",
    "CREATE INDEX items_by_label ON items (label)",
    "DROP INDEX IF EXISTS totals_by_n",
    "CREATE MATERIALIZED VIEW large AS SELECT label, n FROM totals WHERE n > 2",
    "DROP INDEX IF EXISTS items_by_label",
    "DROP MATERIALIZED VIEW IF EXISTS large",
)
VIEWS = ("items", "prices", "totals", "priced")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One acknowledged append."""

    inserted: tuple[Item, ...] = ()
    deleted: tuple[Item, ...] = ()
    upserted: tuple[Price, ...] = ()
    removed: tuple[str, ...] = ()  # keys of prices


@dataclass(slots=True)
class Model:
    """The changes by time; content at any time."""

    changes: dict[int, list[Change]] = field(default_factory=dict)

    def apply(self, time: int, change: Change) -> None:
        self.changes.setdefault(time, []).append(change)

    def content(self, time: int) -> tuple[Counter[Item], dict[str, Price]]:
        """The table and the feed with everything at or before `time`."""
        items: Counter[Item] = Counter()
        prices: dict[str, Price] = {}
        for moment in sorted(self.changes):
            if moment > time:
                break
            for change in self.changes[moment]:
                items.update(change.inserted)
                items.subtract(change.deleted)
                prices.update({price[0]: price for price in change.upserted})
                for label in change.removed:
                    prices.pop(label, None)
        assert all(count >= 0 for count in items.values()), "the workload deleted what is not there"
        return +items, prices

    def view(self, name: str, time: int) -> Counter[Row]:
        """The rows of one of VIEWS at `time`."""
        items, prices = self.content(time)
        rows: Counter[Row] = Counter()
        match name:
            case "items":
                rows.update(items)
            case "prices":
                rows.update(prices.values())
            case "totals":
                amounts: dict[str, list[int]] = {}
                for (_, label, amount), count in items.items():
                    amounts.setdefault(label, []).extend([amount] * count)
                rows.update(
                    (label, len(found), min(found), max(found)) for label, found in amounts.items()
                )
            case "priced":
                for item, count in items.items():
                    price = prices.get(item[1])
                    rows[(*item, None if price is None else price[1])] += count
            case _:
                raise AssertionError(f"no view is called {name}")
        return rows
