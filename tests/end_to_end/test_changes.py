"""Statements that change data, as the SDK and the command line show their answers."""

from __future__ import annotations

import json

import pytest

from antiphon.protocol.errors import DataError, DuplicateKey
from tests.end_to_end.system import Up, cli


def test_a_change_answers_with_its_rows(up: Up) -> None:
    with up.ready() as client:
        client.sql("CREATE TABLE t (id bigint PRIMARY KEY, x text, n bigint DEFAULT 1)")
        made = client.sql("INSERT INTO t (id, x) VALUES (1, 'a'), (2, 'b') RETURNING *")
        assert (made.tag, made.rows()) == ("INSERT 2", [(1, "a", 1), (2, "b", 1)])
        merged = client.sql(
            "INSERT INTO t VALUES (2, 'c', 5), (3, 'c', 5) ON CONFLICT (id) DO UPDATE "
            "SET n = t.n + excluded.n RETURNING id, old.n AS was, n"
        )
        assert (merged.tag, sorted(merged.rows())) == ("INSERT 2", [(2, 1, 6), (3, None, 5)])
        for refused, error in (
            ("INSERT INTO t VALUES (9, 'x', 1), (1, 'x', 1) RETURNING id", DuplicateKey),
            ("UPDATE t SET n = 0 RETURNING 1 / n", DataError),
        ):
            with pytest.raises(error):
                client.sql(refused)
        assert client.sql("SELECT sum(n), count(*) FROM t").rows() == [(12, 3)]
    at = ("-a", up.address)
    done = cli("sql", *at, "-c", "UPDATE t SET n = n * 2 WHERE id = 1 RETURNING id, n")
    assert (done.returncode, done.stdout) == (0, "id\tn\n1\t2\n"), done.stderr
    done = cli("sql", *at, "--json", "-c", "DELETE FROM t WHERE id > 1 RETURNING x AS gone")
    said = json.loads(done.stdout)
    assert said["tag"] == "DELETE 2"
    assert sorted(row["gone"] for row in said["rows"]) == ["b", "c"]


def test_a_table_is_made_of_a_query_and_views_of_the_table(up: Up) -> None:
    with up.ready() as client:
        client.script("""
            CREATE TABLE t (id bigint PRIMARY KEY, x text);
            INSERT INTO t SELECT i, 'x' || i % 3 FROM generate_series(1, 300) AS s(i);
        """)
        made = client.sql("CREATE TABLE counted AS SELECT x, count(*) AS n FROM t GROUP BY x")
        assert (made.tag, made.row_count) == ("SELECT 3", 3)
        client.script("""
            CREATE VIEW most AS SELECT max(n) AS most, count(*) AS rows FROM counted;
            CREATE INDEX most_kept ON most (most);
        """)
        assert client.sql("SELECT * FROM most").rows() == [(100, 3)]
        client.sql("INSERT INTO counted VALUES ('y', 101)")
        assert client.sql("SELECT * FROM most").rows() == [(101, 4)]
        explained = client.sql("EXPLAIN DELETE FROM counted WHERE n < 5").rows()
        assert "Delete from table counted" in explained[0][0]
        assert client.sql("SELECT count(*) FROM counted").scalar() == 4
    up.kill()
    up.start()
    with up.ready() as client:
        assert client.sql("SELECT * FROM most").rows() == [(101, 4)]


def test_lists_and_structs_are_keys(up: Up) -> None:
    with up.ready() as client:
        client.script("""
            CREATE TABLE routes (path text[] PRIMARY KEY, n bigint);
            CREATE FEED seen (at struct(x bigint, y bigint) PRIMARY KEY, n bigint);
            CREATE INDEX routes_by_path ON routes (path);
            CREATE INDEX seen_by_place ON seen (at);
            INSERT INTO routes VALUES (['a', 'b'], 1), (['a', NULL], 2), ([], 3);
            INSERT INTO seen VALUES ((1, 2), 1), ((1, NULL), 2), ((1, 2), 3);
        """)
        with pytest.raises(DuplicateKey):
            client.append("routes", [{"path": ["a", None], "n": 9}])
        client.append("routes", [{"path": ["c"], "n": 4}])
        changed = client.sql(
            "INSERT INTO routes VALUES (['a', NULL], 10), (['d'], 5) ON CONFLICT (path) "
            "DO UPDATE SET n = routes.n + excluded.n RETURNING *"
        )
        assert sorted(changed.rows(), key=repr) == [(["a", None], 12), (["d"], 5)]
        assert client.sql("SELECT n FROM routes WHERE path = ['a', NULL]").rows() == [(12,)]
        assert client.peek("routes_by_path", key=[(["a", "b"],), (["x"],)]).num_rows == 1
        client.delete("seen", [{"at": {"x": 1, "y": None}}])
        assert client.sql("SELECT n FROM seen WHERE at = ROW(1, 2)").rows() == [(3,)]
        assert client.sql("SELECT count(*) FROM seen").scalar() == 1
        client.sql("DELETE FROM routes WHERE path = []")
    up.kill()
    up.start()
    with up.ready() as client:
        assert client.sql("SELECT count(*), sum(n) FROM routes").rows() == [(4, 22)]
        with pytest.raises(DuplicateKey):
            client.sql("INSERT INTO routes VALUES (['c'], 1)")
