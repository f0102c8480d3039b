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
