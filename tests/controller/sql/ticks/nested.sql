-- Equality: in DISTINCT, GROUP BY, joins, set operations.
SELECT DISTINCT a FROM r;
SELECT f, count(*), min(id) FROM r GROUP BY f;
SELECT s, count(*), sum(g) FROM r GROUP BY s;
SELECT m, p, count(*) FROM r GROUP BY m, p;
SELECT x.id, y.id FROM r x JOIN r y ON x.a = y.a;
SELECT x.id, y.id FROM r x JOIN r y ON x.f = y.f AND x.s = y.s;
SELECT x.id, y.id FROM r x LEFT JOIN r y ON x.p = y.p AND y.g = 1;
SELECT id FROM r WHERE a IN (SELECT a FROM r WHERE g = 1);
SELECT w FROM r EXCEPT ALL SELECT w FROM r WHERE g = 2;
SELECT s FROM r INTERSECT SELECT s FROM r WHERE g = 0;
SELECT count(DISTINCT a), count(a), count(DISTINCT s) FROM r;
SELECT id, a = m[1], a IS DISTINCT FROM m[1], s IS NULL FROM r;
-- Order: of lists and structs, with nulls in them.
SELECT id, a < m[1], a >= m[1], greatest(a, m[1]), least(a, m[1]) FROM r;
SELECT x.id, y.id, x.s < y.s, x.f <= y.f, x.p > y.p FROM r x, r y WHERE x.g = 0 AND y.g = 1;
SELECT id, a FROM r ORDER BY a, id LIMIT 4;
SELECT id, s FROM r ORDER BY s DESC NULLS LAST, id LIMIT 4;
SELECT id, m FROM r ORDER BY m NULLS FIRST, id LIMIT 3 OFFSET 1;
SELECT g, min(a), max(a), min(f), max(s), max(p) FROM r GROUP BY g;
SELECT id, row_number() OVER (PARTITION BY g ORDER BY a, id) FROM r;
SELECT id, rank() OVER (PARTITION BY s ORDER BY f DESC) FROM r;
SELECT id, lag(a) OVER (ORDER BY id), first_value(s) OVER (PARTITION BY g ORDER BY id) FROM r;
-- What is in them.
SELECT id, a[1], a[2], a[4], f[1], w[2], m[1][1], m[2] FROM r;
SELECT id, a[2:3], a[:1], a[2:], w[1:1], m[1:1] FROM r WHERE a IS NOT NULL;
SELECT id, s.x, (s).y, r.s.x, p[1].q, p[1].q[1], (p[1]).z FROM r;
SELECT s.x, count(*) FROM r GROUP BY s.x;
SELECT x.id, y.id FROM r x JOIN r y ON x.a[1] = y.s.x;
-- What is made of others.
SELECT id, [id, g], [s.x, NULL, 3], [[g], a] FROM (SELECT * FROM r WHERE g IS NOT NULL) r;
SELECT id, {'a': g, 'b': a}, row(g, w) FROM r;
SELECT id, {'a': g, 'b': a} = {'a': 1, 'b': [1]} FROM r;
SELECT id, a || m[1], a || [7], [8] || a FROM r WHERE a IS NOT NULL AND m[1] IS NOT NULL;
SELECT g, array_agg(a ORDER BY id), array_agg(s ORDER BY id) FROM r GROUP BY g;
SELECT id, a::bigint[], a::text[], f::real[], s::struct(x bigint, y text) FROM r;
SELECT id, CASE WHEN g = 1 THEN a ELSE [9] END, coalesce(a, m[1], [5]), nullif(a, [1]) FROM r;
-- Rows that are spelled out.
SELECT id FROM r WHERE (g, id) < (1, 5);
-- Where nothing is null: DuckDB has it above all values, PostgreSQL and we do not know.
SELECT id FROM r WHERE g IS NOT NULL AND s.x IS NOT NULL AND (g, s.x, id) >= (1, 1, 4);
SELECT id FROM r WHERE (g, s.x) IN ((1, 1), (2, 0));
SELECT id FROM r WHERE (g, a) IN (SELECT g, a FROM r WHERE s.x = 1);
-- In subqueries and recursion.
SELECT id FROM r WHERE a >= ALL (SELECT a FROM r WHERE g = 1);
SELECT id, s < ANY (SELECT s FROM r WHERE g = 2 AND s IS NOT NULL) FROM r WHERE s IS NOT NULL;
SELECT id, (SELECT max(o.id) FROM r o WHERE o.s.x = r.s.x AND o.a[1] = 1) FROM r;
SELECT id FROM r WHERE EXISTS (SELECT 1 FROM r o WHERE o.a = r.a AND o.id < r.id);
WITH RECURSIVE p(id, path) AS (
    SELECT id, [id] FROM r WHERE g = 0
    UNION ALL
    SELECT r.id, p.path || [r.id] FROM p JOIN r ON r.g = len(p.path) AND r.s.x = 1 WHERE len(p.path) < 3
) SELECT id, path FROM p;
SELECT g, max(a) OVER (PARTITION BY g), min(s) OVER (ORDER BY id) FROM r;
