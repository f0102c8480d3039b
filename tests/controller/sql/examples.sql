## Joins
-- Inner, on any condition; relations are joined in an order in which each has a key, where there is one.
SELECT t.a, u.d FROM t JOIN u ON t.a = u.a AND u.b > 1;
-- Left, right and full, also on ranges and inequalities. Where no equality is, values are looked up by their order; EXPLAIN says `by ranges`, or `of all pairs` where there is nothing to look up by.
SELECT t.a, u.b FROM t LEFT JOIN u ON u.b BETWEEN t.a AND t.b;
SELECT t.a, u.b FROM t FULL JOIN u ON t.a < u.b AND t.b = u.a;
-- USING and NATURAL: one column of each name.
SELECT a, c, d FROM t FULL JOIN u USING (a);
SELECT * FROM t NATURAL JOIN u;
-- Joins in parentheses under a name of their own.
SELECT j.a, j.d FROM (t JOIN u USING (a)) AS j WHERE j.c IS NOT NULL;
-- Cross joins, commas, and a table with itself.
SELECT x.a, y.b FROM t x, t y WHERE x.b = y.a;
SELECT t.a, s.m FROM t CROSS JOIN (SELECT max(a) AS m FROM u) s;

## Subqueries
-- EXISTS and IN, negated too. NOT IN follows the rule of nulls: a null that could match hides the row.
SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND u.b <> t.b);
SELECT a FROM t WHERE a NOT IN (SELECT a FROM u);
-- Several columns at once.
SELECT a FROM t WHERE (a, b) IN (SELECT a, b FROM u);
-- ANY and ALL, with every comparison.
SELECT a FROM t WHERE b >= ALL (SELECT u.b FROM u WHERE u.a = t.a);
SELECT a, b < ANY (SELECT b FROM u) FROM t;
-- Operators of text, and rows, with ANY and ALL as well; a row and the one row of a query.
SELECT c FROM t WHERE a + b IS NOT NULL AND (a, b) > ALL (SELECT a, b FROM u WHERE a + b < 5);
-- A value, tied to the outer row by any condition; of several rows it is an error, as data, for as long as there are several.
SELECT a, (SELECT max(d) FROM u WHERE u.a = t.a AND u.b > t.b) FROM t;
SELECT a, (SELECT sum(u.b) FROM u WHERE u.a < t.a) FROM t;
SELECT a, (SELECT u.d FROM u WHERE u.a = t.a ORDER BY u.b DESC NULLS LAST, u.d LIMIT 1) FROM t;
-- In FROM, and WITH: a query that is named once and read several times is computed once.
SELECT q.a FROM (SELECT a, count(*) AS n FROM t GROUP BY a) q WHERE q.n > 2;
WITH x AS (SELECT a, b FROM t WHERE a > 1) SELECT p.a, q.b FROM x p JOIN x q ON p.a = q.b;

-- LATERAL reads what stands to its left, for each row of it: the first rows, the groups, a window.
SELECT t.a, s.b FROM t, LATERAL (SELECT u.b, u.d FROM u WHERE u.a = t.a ORDER BY u.b DESC NULLS LAST, u.d LIMIT 2) s;
SELECT t.a, t.b, s.n FROM t LEFT JOIN LATERAL (SELECT count(*) AS n, max(u.b) AS m FROM u WHERE u.b > t.b) s ON s.m > t.a;
SELECT q.origin, s.id, s.r FROM (SELECT DISTINCT origin FROM flights) q, LATERAL (SELECT id, rank() OVER (ORDER BY distance, id) AS r FROM flights f WHERE f.origin = q.origin) s WHERE s.r <= 2;
-- So do subqueries in expressions, wherever they mention it: in groups, set operations, in FROM of their own.
SELECT a FROM t WHERE EXISTS (SELECT 1 FROM (SELECT DISTINCT u.b FROM u WHERE u.a = t.a) q WHERE q.b > t.b);
SELECT a, (SELECT count(*) FROM (SELECT b FROM u WHERE u.a = t.a UNION SELECT t.b) q) FROM t;
-- Where CASE or COALESCE does not need it, what a subquery makes of the row is no error.
SELECT a, CASE WHEN a <> 2 THEN (SELECT max(u.b % nullif(t.a - 2, 0)) FROM u WHERE u.b > t.a) END FROM t;
-- In ON of every join, in aggregates, in what groups go by, and as VALUES.
SELECT t.a, u.b FROM t LEFT JOIN u ON t.a = u.a AND u.b NOT IN (SELECT b FROM t WHERE b IS NOT NULL);
SELECT t.a, u.b FROM t JOIN u ON t.a < u.b AND EXISTS (SELECT 1 FROM t x WHERE x.b = t.a AND x.a = u.a);
SELECT a, sum((SELECT max(u.b) FROM u WHERE u.a = t.b)), count(*) FILTER (WHERE b IN (SELECT a FROM u)) FROM t GROUP BY a;
SELECT EXISTS (SELECT 1 FROM u WHERE u.a = t.a) AS known, count(*) FROM t GROUP BY known;
SELECT a FROM t WHERE a IN (VALUES (1), (2)) AND EXISTS (TABLE u) AND b < ANY (VALUES (3), (4));
-- WITH inside of a query reads what is around it, too.
SELECT t.a, s.n FROM t, LATERAL (WITH x AS (SELECT u.b FROM u WHERE u.a = t.a) SELECT count(*) AS n FROM x p JOIN x q ON p.b <= q.b) s;

## Functions that return sets
-- `generate_series`, `unnest` and `string_to_table`: in FROM, of columns to their left; LEFT JOIN keeps a row of which nothing comes.
SELECT t.a, s.v FROM t, generate_series(1, t.a) AS s(v);
SELECT id, s.v FROM flights LEFT JOIN LATERAL generate_series(day, date '2013-01-03', INTERVAL '12 hours') AS s(v) ON true;
-- Lists, member by member; WITH ORDINALITY counts them.
SELECT q.a, u.x, u.n FROM (SELECT a, array_agg(b ORDER BY b) AS xs FROM t GROUP BY a) q, unnest(q.xs) WITH ORDINALITY AS u(x, n);
-- In a select list, for each row or group; of sets, for each of the inner ones.
SELECT a, unnest(array_agg(DISTINCT b)) FROM t GROUP BY a;

## Set operations
-- With multiplicities: ALL counts how often a row is there.
SELECT a FROM t UNION SELECT a FROM u;
SELECT a FROM t UNION ALL SELECT a FROM u;
SELECT a, b FROM t EXCEPT ALL SELECT a, b FROM u;
SELECT a FROM t INTERSECT ALL SELECT a FROM u;
-- VALUES stands wherever a query does.
SELECT x FROM (VALUES (1), (2), (NULL)) v(x) WHERE x IN (SELECT a FROM t);

## Groups
-- By columns, positions, names of the select list, and expressions; HAVING.
SELECT a % 2 AS parity, count(*), avg(b) FROM t GROUP BY parity HAVING count(*) > 1;
-- DISTINCT and FILTER in aggregates.
SELECT count(DISTINCT b), sum(b) FILTER (WHERE a > 1), bool_or(c = 'x') FROM t;
-- Aggregates that need the rows of their group, in an order.
SELECT a, string_agg(c, ',' ORDER BY c, b) FROM t GROUP BY a;
SELECT median(a), percentile_cont(0.9) WITHIN GROUP (ORDER BY b) FROM t;
SELECT origin, percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY dep_delay) FROM flights GROUP BY origin;
-- The place that a row would have in a group.
SELECT c, rank(3) WITHIN GROUP (ORDER BY a), cume_dist(3) WITHIN GROUP (ORDER BY b) FROM t GROUP BY c;
-- Of two values: covariance, correlation, the line that fits best; from exact sums, without drift.
SELECT origin, covar_pop(dep_delay, distance), regr_count(dep_delay, distance), regr_sxy(dep_delay, distance) FROM flights GROUP BY origin;
SELECT corr(dep_delay, distance), regr_slope(dep_delay, distance), regr_intercept(dep_delay, distance), regr_r2(dep_delay, distance) FROM flights;
-- The value that stands where another is largest or least, among rows that have both; of several such values the largest or least.
SELECT origin, max_by(dest, id) AS last, min_by(hour, id) FILTER (WHERE distance > 500) AS far FROM flights GROUP BY origin;
-- Several groupings at once.
SELECT a, b, grouping(a, b), count(*) FROM t GROUP BY ROLLUP (a, b);
SELECT a, b, sum(a) FROM t GROUP BY GROUPING SETS ((a), (b), ());

-- By all that is no aggregate.
SELECT a % 2 AS parity, c, count(*) FROM t GROUP BY ALL;

## Window functions
SELECT id, rank() OVER (PARTITION BY origin ORDER BY distance DESC NULLS LAST, id) FROM flights;
SELECT id, distance - lag(distance) OVER (PARTITION BY carrier ORDER BY hour, id) FROM flights;
SELECT id, sum(distance) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM flights;
-- Lists in the order of the window, and what counts each value of a frame once.
SELECT id, array_agg(dest) OVER (PARTITION BY origin ORDER BY id ROWS 2 PRECEDING), string_agg(dest, '-') OVER (PARTITION BY carrier ORDER BY id) FROM flights;
SELECT id, count(DISTINCT dest) OVER (PARTITION BY origin ORDER BY id), sum(DISTINCT distance) OVER (ORDER BY id ROWS 9 PRECEDING), median(dep_delay) OVER (PARTITION BY carrier) FROM flights;
-- RANGE: by how far values are apart.
SELECT id, count(*) OVER (PARTITION BY origin ORDER BY hour RANGE BETWEEN INTERVAL '1 day -6 hours' PRECEDING AND CURRENT ROW) FROM flights;
-- IGNORE NULLS: among the rows that have a value.
SELECT id, lag(dep_delay IGNORE NULLS) OVER (PARTITION BY origin ORDER BY id), last_value(dep_delay IGNORE NULLS) OVER (ORDER BY id) FROM flights;
-- The first rows of each group: only these are kept sorted.
SELECT a, b FROM (SELECT a, b, row_number() OVER (PARTITION BY a ORDER BY b, c) AS n FROM t) q WHERE n <= 2;

-- QUALIFY chooses among the rows by what the windows say; it may name what the select list names.
SELECT id, origin, rank() OVER (PARTITION BY origin ORDER BY distance DESC NULLS LAST, id) AS place FROM flights QUALIFY place <= 2;
## Order, limits, distinct rows
-- ORDER BY with LIMIT and OFFSET is part of a view; an order without a limit is the reader's.
SELECT a, b, c FROM t ORDER BY a DESC NULLS LAST, b, c LIMIT 5 OFFSET 2;
SELECT DISTINCT a, b FROM t;
-- The first row of each group, in the order given.
SELECT DISTINCT ON (origin) origin, id FROM flights ORDER BY origin, dep_delay DESC NULLS LAST, id;

-- Names and numbers in it mean columns of the select list, as in ORDER BY, which begins with them.
SELECT DISTINCT ON (1) a + b AS a, c FROM t ORDER BY a, c;
-- By all columns, from the left.
SELECT a, b FROM t ORDER BY ALL LIMIT 4;
-- All columns but some, some of them changed; and FROM first, as in DuckDB.
SELECT * EXCLUDE (c) REPLACE (a + 1 AS a) FROM t;
FROM t SELECT a, count(*) GROUP BY a;
## Recursion
-- Monotone queries: reachability and its kin, through inserts and deletes.
WITH RECURSIVE reach(x, y) AS (
    SELECT a, b FROM t
    UNION
    SELECT reach.x, t.b FROM reach JOIN t ON t.a = reach.y
) SELECT x, y FROM reach;

## The clock
-- Rows of a view come and go by themselves; between writes the time passes once a second.
SELECT id, hour FROM flights WHERE hour > now() - INTERVAL '5 minutes';
SELECT id FROM flights WHERE now() <= hour + INTERVAL '1 hour';
-- By whole days, weeks, months: this month's, today's, those of the last month.
SELECT id, hour FROM flights WHERE date_trunc('month', hour) = date_trunc('month', now());
SELECT carrier, count(*) FROM flights WHERE day >= current_date - INTERVAL '1 month' GROUP BY carrier;

## Expressions
SELECT CASE WHEN a > 2 THEN 'many' WHEN a IS NULL THEN 'unknown' ELSE 'few' END FROM t;
SELECT coalesce(c, 'none'), nullif(a, 0), greatest(a, b), least(a, 3) FROM t;
SELECT a::text, cast(b AS numeric(10,2)), '2024-01-31'::date, a IS DISTINCT FROM b FROM t;
SELECT id FROM flights WHERE dest LIKE '_A%' AND origin ~ '^[JE]';
SELECT upper(dest) || '-' || lpad(origin, 5, '*'), split_part('a-b', '-', 2) FROM flights;
-- Text: its words, characters and parts.
SELECT initcap(d), translate(d, 'xz', 'ab'), overlay(d PLACING '-' FROM 2 FOR 1) FROM u;
SELECT concat_ws('-', c, a, b), format('%s of %s', c, c), quote_literal(c), chr(65 + a) FROM t WHERE c IS NOT NULL;
SELECT encode(sha256(convert_to(dest, 'UTF8')), 'hex'), to_hex(id::int) FROM flights;
-- Regular expressions, of RE2: how often, which text, which groups, what lies between.
SELECT regexp_count(dest, 'A'), regexp_substr(dest, '[A-M]'), regexp_split_to_array(dest, '[AO]') FROM flights WHERE dest ~ '[A-M]';
SELECT regexp_replace(dest, '[aeiou]', '*', 'gi') FROM flights;
SELECT f.id, s.v FROM flights f, regexp_split_to_table(f.dest, 'A') AS s(v);
SELECT regexp_substr(dest, '[A-M]', 1, 2) FROM flights;
SELECT f.id, s.v FROM flights f, regexp_matches(f.dest, '[A-M]', 'g') AS s(v);
-- Bytes: parts, digests, and the text that they are.
SELECT length(convert_to(dest, 'UTF8')), encode(sha512(convert_to(dest, 'UTF8')), 'hex'), convert_from(convert_to(dest, 'UTF8'), 'UTF8') FROM flights;
-- BETWEEN SYMMETRIC: bounds in any order.
SELECT a FROM t WHERE a BETWEEN SYMMETRIC b AND 3;
-- Decimals are exact, in up to 38 digits: quotients and averages have 16 after the point, products up to 20. Powers, roots, logarithms and deviations of decimals are double precision.
SELECT sum(fare), avg(fare)::numeric(10,2), round(max(fare), 1) FROM flights;
-- Numbers: whole quotients, divisors, buckets, angles in degrees.
SELECT div(fare, 7), width_bucket(fare, 0, 1000, 10), gcd(distance, 60) FROM flights WHERE fare > 0;
SELECT tanh(a), cosd(a * 60), factorial(a), bit_count(a), num_nulls(a, b) FROM t;
-- A division by zero is data: reads say so as long as the row is there.
SELECT a / nullif(b, 0) AS whole, a % nullif(b, 0) AS rest FROM t;
-- Dates, times and intervals.
SELECT date_trunc('day', hour), extract(dow FROM day), hour + INTERVAL '1 month 2 days' FROM flights;
SELECT day - date '2013-01-01', make_date(2024, 2, 29), age(hour, timestamp '2012-01-01') FROM flights;
-- Times made of numbers, and put into bins of any width that begin where is said.
SELECT date_bin(interval '36 hours', hour, timestamp '2013-01-01') AS bin, count(*) FROM flights GROUP BY bin;
SELECT make_timestamp(2013, 1, 1 + a, 12, 0, 1.5), isfinite(make_date(2013, 1, 1 + a)) FROM t;
-- Text read by a template: what does not follow it is an error.
SELECT to_date('2013-01-' || (a + 10), 'YYYY-MM-DD') FROM t;
-- Numbers, times and intervals in a format: PostgreSQL's patterns but L, EEEE and TM.
SELECT to_char(distance, 'FM999,990') AS miles, to_char(make_interval(mins => distance), 'HH24:MI') AS shown FROM flights;
-- Time zones by name, each row's own if need be; a time that clocks skip or show twice is read as PostgreSQL does.
SELECT id, hour AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York' AS shown FROM flights;
SELECT id, hour AT TIME ZONE 'UTC' AT TIME ZONE CASE WHEN origin = 'JFK' THEN 'America/New_York' ELSE 'Europe/Berlin' END AS shown FROM flights;

## Lists and structs
-- Of any type, of each other too. Elements count from 1; a place where there is none is null, a slice is as long as it can be.
SELECT ARRAY[a, b] AS l, [a, b][1] AS first, ([a, b, 3])[2:3] AS part, [[a], [b, 2]][2][1] AS inner, [a] || [b] AS both FROM t;
SELECT {'n': a, 'w': c}, ROW(a, c), s.n, (s).w FROM (SELECT a, c, {'n': a, 'w': c} AS s FROM t) q;
SELECT [a, b]::text[] AS l, ROW(a, c)::struct(n bigint, w text) AS s FROM t;
-- They are equal and ordered by what is in them, a null above all values; so they may be grouped, joined and sorted by.
SELECT x.s, y.b FROM (SELECT [a, b] AS s FROM t) x JOIN u y ON x.s = [y.a, 2];
SELECT s, count(*) FROM (SELECT {'n': a, 'm': b % 2} AS s FROM t) q GROUP BY s;
SELECT a, b, c FROM t ORDER BY [a, b] DESC NULLS LAST, c LIMIT 4;
SELECT a, array_agg([b, a] ORDER BY b, c), max([b, a]) FROM t GROUP BY a;
-- The rows of a subquery as a list, in their order.
SELECT a, ARRAY(SELECT u.b FROM u WHERE u.a = t.a ORDER BY u.b, u.d) AS l FROM t;
SELECT a, ARRAY(SELECT DISTINCT u.b FROM u WHERE u.b > t.a ORDER BY b DESC LIMIT 2) AS l FROM t;
-- Lists grow through recursion.
WITH RECURSIVE walk(here, path) AS (
    SELECT a, [a] FROM t WHERE a IS NOT NULL
    UNION
    SELECT t.b, path || [t.b] FROM walk JOIN t ON t.a = walk.here WHERE len(path) < 3
) SELECT path FROM walk;
-- A value and a list: with ANY and ALL unknown where a null could decide; `@>`, `<@` and `&&` of two lists.
SELECT a FROM t WHERE 2 = ANY([a, b]) OR b <> ALL([a, 3]);
SELECT a, b FROM t WHERE a IS NOT NULL AND b IS NOT NULL AND [a, b, 2] @> [3] AND [a, b] && [1, 2];
-- Functions of lists: PostgreSQL's, and DuckDB's where it has none (len, list_distinct, list_min, list_max, list_sum).
SELECT len([a, b]) AS n, array_position([a, b, 3], 3) AS place, list_max([a, b]) AS most, list_sum([a, b]) AS total FROM t;
SELECT array_append([a], b) AS l, list_sort(list_distinct([b, a, 2])) AS m, array_to_string(['x', c], '-') AS w FROM t;
SELECT string_to_array(dest || '-' || origin, '-') AS parts, len(string_to_array(dest, 'A')) AS n FROM flights;
-- Rows that are spelled out are compared value by value; a null makes unknown what depends on it.
SELECT a FROM t WHERE (a, b) IN ((1, 2), (2, 3)) OR (a, b) = (3, 3);
SELECT a FROM t WHERE a IS NOT NULL AND b IS NOT NULL AND (a, b) < (2, 3);
