"""A table, a view that stays fresh, and an answer. Start `antiphon up` first, then run this.

python examples/quickstart.py [HOST:PORT]
"""

import sys

from antiphon.client import DEFAULT_ADDRESS, connect


def main(address: str) -> None:
    with connect(address) as client:
        client.script("""
            DROP TABLE IF EXISTS sales CASCADE;
            CREATE TABLE sales (id bigint PRIMARY KEY, region text, amount numeric(10,2));
            CREATE MATERIALIZED VIEW revenue AS
                SELECT region, count(*) AS sales, sum(amount) AS amount
                FROM sales GROUP BY region;
        """)

        # Rows may be dicts, Arrow tables, DataFrames, or the path of a CSV or Parquet file.
        rows = [{"id": n, "region": ("north", "south")[n % 2], "amount": n} for n in range(10)]
        client.append("sales", rows)

        # A read sees every write that was confirmed before it, exactly.
        for region, count, amount in client.sql("SELECT * FROM revenue ORDER BY region"):
            print(f"{region}: {count} sales, {amount}")

        client.sql("UPDATE sales SET amount = amount + 100 WHERE id = 3")
        client.sql("DELETE FROM sales WHERE id = 4")
        print(client.sql("SELECT * FROM revenue ORDER BY region").dicts())


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else DEFAULT_ADDRESS)
