"""A small TPC-H: the benchmark's schema, with values so dense that every query finds something, and
refresh streams that insert new orders and take old ones away."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Row = tuple[Any, ...]

REGIONS = ("AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST")
NATIONS = (
    ("BRAZIL", 1), ("CANADA", 1), ("INDIA", 2), ("CHINA", 2), ("FRANCE", 3), ("GERMANY", 3),
    ("SAUDI ARABIA", 4),
)  # fmt: skip
BRANDS = ("Brand#12", "Brand#23", "Brand#34", "Brand#45")
TYPES = (
    "ECONOMY ANODIZED STEEL", "MEDIUM POLISHED BRASS", "PROMO BURNISHED COPPER",
    "SMALL PLATED BRASS",
)  # fmt: skip
CONTAINERS = ("SM CASE", "SM BOX", "MED BAG", "MED BOX", "LG CASE", "LG BOX")
SIZES = (1, 3, 5, 9, 14, 15, 19, 23, 36, 45, 49)
COLORS = ("forest", "green", "ivory", "red")
SEGMENTS = ("BUILDING", "AUTOMOBILE", "MACHINERY")
PRIORITIES = ("1-URGENT", "2-HIGH", "3-MEDIUM", "5-LOW")
MODES = ("AIR", "AIR REG", "MAIL", "SHIP")
INSTRUCTIONS = ("DELIVER IN PERSON", "NONE")
SUPPLIERS, PARTS, CUSTOMERS, ORDERS = 28, 120, 90, 500
FIRST_DAY, DAYS = dt.date(1993, 1, 1), 6 * 365


@dataclass
class Tpch:
    """The rows of each table as they are, changed tick by tick."""

    seed: int
    tables: dict[str, list[Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._order_count = 0

    def load(self) -> dict[str, list[tuple[Row, int]]]:
        """Everything there is at first, as changes."""
        draw = self._random
        filled: dict[str, list[Row]] = {
            "region": [(key, name, "") for key, name in enumerate(REGIONS)],
            "nation": [(key, name, region, "") for key, (name, region) in enumerate(NATIONS)],
            "supplier": [self._supplier(key) for key in range(SUPPLIERS)],
            "customer": [self._customer(key) for key in range(CUSTOMERS)],
            "part": [self._part(key) for key in range(PARTS)],
            "partsupp": [
                (part, self._source(part, place), draw.randint(1, 400), self._money(1, 1_000), "")
                for part in range(PARTS)
                for place in range(4)
            ],
            "orders": [],
            "lineitem": [],
        }  # fmt: skip
        for _ in range(ORDERS):
            order, lines = self._order()
            filled["orders"].append(order)
            filled["lineitem"] += lines
        self.tables = {name: list(rows) for name, rows in filled.items()}
        return {name: [(row, 1) for row in rows] for name, rows in filled.items()}

    def refresh(self, count: int) -> dict[str, list[tuple[Row, int]]]:
        """`count` orders come and as many go, with their lines; and one row of another table is
        replaced, so that nothing stands still."""
        changes: dict[str, list[tuple[Row, int]]] = {name: [] for name in self.tables}
        for _ in range(count):
            order, lines = self._order()
            changes["orders"].append((order, 1))
            changes["lineitem"] += [(line, 1) for line in lines]
        for order in self._random.sample(self.tables["orders"], count):
            changes["orders"].append((order, -1))
            changes["lineitem"] += [(x, -1) for x in self.tables["lineitem"] if x[0] == order[0]]
        name, make = self._random.choice(
            (("supplier", self._supplier), ("customer", self._customer), ("part", self._part))
        )
        old = self._random.choice(self.tables[name])
        changes[name] += [(old, -1), (make(old[0]), 1)]
        self._apply(changes)
        return {name: found for name, found in changes.items() if found}

    def _apply(self, changes: dict[str, list[tuple[Row, int]]]) -> None:
        for name, found in changes.items():
            gone = {row for row, diff in found if diff < 0}
            kept = [row for row in self.tables[name] if row not in gone]
            self.tables[name] = kept + [row for row, diff in found if diff > 0]

    # Rows.

    def _source(self, part: int, place: int) -> int:
        """One of a part's four suppliers."""
        return (part + 7 * place) % SUPPLIERS

    def _money(self, low: int, high: int) -> Decimal:
        return Decimal(self._random.randint(low * 100, high * 100)).scaleb(-2)

    def _supplier(self, key: int) -> Row:
        comment = self._random.choice(("", "", "", "slow Customer with Complaints"))
        return (
            key, f"Supplier#{key:09}", f"street {key}", key % len(NATIONS), self._phone(),
            self._money(-900, 9_000), comment,
        )  # fmt: skip

    def _customer(self, key: int) -> Row:
        return (
            key, f"Customer#{key:09}", f"road {key}", self._random.randrange(len(NATIONS)),
            self._phone(), self._money(-900, 9_000), self._random.choice(SEGMENTS), "",
        )  # fmt: skip

    def _phone(self) -> str:
        return f"{self._random.choice((13, 17, 20, 31))}-{self._random.randint(100, 999)}"

    def _part(self, key: int) -> Row:
        draw = self._random
        name = f"{draw.choice(COLORS)} {draw.choice(COLORS)}"
        return (
            key, name, "Manufacturer#1", draw.choice(BRANDS), draw.choice(TYPES),
            draw.choice(SIZES), draw.choice(CONTAINERS), self._money(900, 2_000), "",
        )  # fmt: skip

    def _order(self) -> tuple[Row, list[Row]]:
        draw = self._random
        key, self._order_count = self._order_count, self._order_count + 1
        day = FIRST_DAY + dt.timedelta(days=draw.randrange(DAYS))
        customer = draw.randrange(CUSTOMERS * 2 // 3)  # a third of them never orders
        comment = draw.choice(("", "", "special handling requests"))
        lines = list(self._lines(key, day))
        order = (
            key, customer, draw.choice(("F", "O", "P")), self._money(1_000, 400_000), day,
            draw.choice(PRIORITIES), "Clerk#1", 0, comment,
        )  # fmt: skip
        return order, lines

    def _lines(self, key: int, day: dt.date) -> Iterator[Row]:
        draw = self._random
        large = key % 25 == 0
        for number in range(7 if large else draw.randint(1, 5)):
            part = draw.randrange(PARTS)
            supplier = self._source(part, draw.randrange(4))
            ship, commit, receipt = (
                day + dt.timedelta(days=draw.randint(low, high))
                for low, high in ((1, 60), (20, 70), (30, 90))
            )
            yield (
                key, part, supplier, number, Decimal(draw.randint(42 if large else 1, 50)),
                self._money(900, 90_000), Decimal(draw.randint(0, 10)).scaleb(-2),
                Decimal(draw.randint(0, 8)).scaleb(-2), draw.choice("ARN"), draw.choice("FO"),
                ship, commit, receipt, draw.choice(INSTRUCTIONS), draw.choice(MODES), "",
            )  # fmt: skip
