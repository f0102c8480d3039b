-- USING in a full join: it merges no columns.
select a, b, t.c, u.d from t full join u using (a, b);
select a, c, d from t full join u using (a);
-- SELECT * over a join with USING: the columns come in another order.
select * from vv where d = 'x';
-- EXCEPT ALL and INTERSECT ALL count no multiplicities.
select a from t except all select a from u;
select a, b from t except all select a, b from u;
select a from t intersect all select a from u;
-- NOT IN below OR: null is in no list, rather than unknown.
select a from t where a not in (select a from u) or b = 1;
-- ANY over a list: a comparison with null is false, rather than unknown.
select a, b > any (array[a, 2]) from t;
-- It calculates on with an average that it has cut off.
select carrier, sum(fare) - avg(fare), max(fare) * min(fare) from flights group by carrier;
-- Percentiles between two rows are rounded to a millionth of their distance.
select median(a), percentile_cont(0.9) within group (order by b) from t;
select percentile_cont(0.25) within group (order by x), percentile_cont(0.9) within group (order by f desc), percentile_cont(0) within group (order by n::double precision), percentile_cont(1) within group (order by y) from r;
-- Beside other aggregates, BIT_XOR(DISTINCT) goes wrong.
select g, bit_and(y), bit_or(x), bit_xor(o), bit_xor(x) filter (where b), bit_xor(distinct y) from r group by g;
-- A window that extends a named one drops what that one says.
select id, sum(o) over (w rows between 1 preceding and current row), sum(o) over w, lag(o) over v from r window w as (partition by g order by id), v as (w), u as (partition by b);
select f from r except all select h from r;
select w from r except all select w from r where g = 2;
-- Of -Infinity and NaN it takes NaN for the least.
select f, count(*), min(h), max(h), min(f), bool_or(f > h) from r group by f;
-- A date and an interval are a date.
select id, day + interval '1 month', day - interval '90 minutes' from r;
-- A timestamp as text has a T.
select id, ts::text, day::text from r;
-- A null in a list or struct is below all values.
select x.id, y.id, x.s < y.s, x.f <= y.f, x.p > y.p from r x, r y where x.g = 0 and y.g = 1;
select id, s from r order by s desc nulls last, id limit 4;
select id, m from r order by m nulls first, id limit 3 offset 1;
select id from r where a >= all (select a from r where g = 1);
select g, max(a) over (partition by g), min(s) over (order by id) from r;
select id, array_sort(a), array_reverse(a), array_sort(f), array_sort(w) from r;
select id, list_sort(a), list_sort(w), list_sort(m), list_reverse(f), list_reverse(p) from r;
select id, list_sort(list_distinct(a)), list_sort(list_distinct(f)), list_sort(list_distinct(m)) from r;
-- A field of a null struct is 0.
select s.x, count(*) from r group by s.x;
select x.id, y.id from r x join r y on x.a[1] = y.s.x;
select id, [id, g], [s.x, null, 3], [[g], a] from (select * from r where g is not null) r;
-- Rows that are spelled out are structs to it, which have an order where a value is null.
select id from r where (g, id) < (1, 5);
-- Of several equal elements it takes or replaces the first alone.
select id, array_remove(a, 1), array_replace(a, 1, 9) from r where a is not null;
-- Groups of a match that took no part are left out.
select id, regexp_match(s, '(a*)(b|1)?'), s like '%a_', s not like 'a%', s ilike '%B%', w similar to '(a|B)+' from r;
select a, b, c from t order by [a, b] desc nulls last, c limit 4;
select array_append([a], b) as l, list_sort(list_distinct([b, a, 2])) as m, array_to_string(['x', c], '-') as w from t;
-- A window in LATERAL ranks the rows of all outer rows together.
select q.origin, s.id, s.r from (select distinct origin from flights) q, lateral (select id, rank() over (order by distance, id) as r from flights f where f.origin = q.origin) s where s.r <= 2;
-- It reads the format of a time as another template.
select id, to_char(ts, 'FMMonth dd'), to_char(ts, 'Dy Mon hh12:mi:ss am'), to_char(day, 'yyyy ddd') from r;
-- A number in parentheses is a position, too.
select g, o, id from r order by (2), 3 limit 5;
