-- What fails for a row, written so that it is plain which rows are asked: below LIMIT and beside a
-- join's key engines differ, and PostgreSQL itself by its plan.
select id, mod(10, i) as x from r;
select id from r where mod(10, i) >= 0;
select id, s::int + 1 from r;
select id, l * 4 from r;
select id, (i * 20000)::smallint from r;
select id, case when i > 0 then mod(10, i) end from r;
select id, coalesce(g, s::int) from r where g is null;
select distinct mod(10, i) from r;
select id, x + 1 from (select id, mod(10, i) as x from r) q where x < 3;
-- Of groups: of a row of theirs, of what they come to, of no rows at all.
select s::int as k, count(*), sum(i) from r group by s::int;
select g, sum(mod(10, i)), count(*) from r group by g;
select g, min(s::int), max(l * 4) from r group by g;
select g, count(distinct mod(10, i)), string_agg(s::int::text, ',' order by id) from r group by g;
select g, count(*) filter (where mod(10, i) > 0) from r group by g;
select g, array_agg(mod(10, i) order by id), median(s::int) from r group by g;
select g, mod(10, sum(i) - 5) from r group by g;
select mod(10, count(*) - 4) from r;
select mod(10, count(*)), sum(i) from r;
select g, (sum(l) * 3)::bigint from r group by g;
select g, (sum(i) * 5000)::int::smallint from r group by g;
select g, count(*) from r group by g having mod(10, count(*) - 2) >= 0;
select g, i, sum(s::int) from r group by rollup (g, i);
select g, mod(10, max(i) - min(i)) from r group by g;
-- Joins.
select r.id, o.j from r join o on s::int = o.j;
select r.id, o.j from r left join o on mod(10, i) = o.j;
select r.id, o.j from o left join r on s::int = o.j;
select r.id, o.j from r full join o on s::int = o.j;
select r.id, o.j, mod(10, r.i + o.j - 2) from r join o on r.g = o.g;
select r.id, o.j, mod(10, o.j - 1) from r left join o on r.g = o.g;
select r.id, o.j, mod(10, r.i + o.j - 2) from r full join o on r.g = o.g;
select x.id, y.id from (select id, mod(10, i) as m from r) x join (select id, s::int as m from r) y on x.m = y.m;
select x.id, y.id from r x join r y on x.i < y.i and x.g = y.g where mod(10, y.i - x.i - 2) >= 0;
select r.id, o.j from r join o on r.i < o.j where mod(10, o.j - r.i - 3) >= 0;
select q.g, q.n, o.j from (select g, mod(10, count(*) - 2) as n from r group by g) q left join o on q.g = o.g;
-- Set operations.
select mod(10, i) from r union select j from o;
select j from o union all select mod(10, i) from r;
select j from o except select s::int from r;
select s::int from r except all select j from o;
select j from o intersect all select s::int from r;
select g from o intersect select mod(10, i) from r;
-- Subqueries.
select j from o where j in (select s::int from r);
select j from o where j not in (select s::int from r where s is not null);
select j from o where exists (select 1 from r where r.g = o.g and mod(10, i) = 1);
select j, (select sum(mod(10, i)) from r where r.g = o.g) from o;
select j, (select max(s::int) from r) from o;
select j from o where j > all (select mod(10, i) from r);
select j, (select mod(10, count(*) - 1) from r where r.g = o.g) from o;
select o.j, q.x from o, lateral (select s::int as x from r where r.g = o.g order by id limit 1) q;
-- Windows, first rows, recursion, rows out of rows.
select id, row_number() over (partition by g order by mod(10, i), id) from r;
select id, sum(s::int) over (order by id) from r;
select id, lag(mod(10, i)) over (partition by g order by id) from r;
select id, max(i) over (partition by s::int) from r;
select id, mod(10, row_number() over (order by id) - 7) from r;
select id, mod(10, sum(i) over (partition by g order by id) - 4) from r;
select id, mod(10, i) from (select id, i from r order by id limit 3) q;
select id from r order by s::int, id limit 2;
select mod(10, i) from (select i from r order by i, id limit 2) q;
select distinct on (g) g, id from r order by g, mod(10, i), id;
select mod(10, n) from (select g, i as n from (select g, i, row_number() over (partition by g order by i, id) as k from r) q where k = 1) p;
with recursive w(n) as (select i from r union select mod(3, n) from w) select n from w;
with recursive w(n) as (select s::int from r union select n + 1 from w where n < 4) select n from w;
with recursive w(a, b) as (select g, i from r union select w.a, r.i from w join r on r.g = w.b) select a, mod(10, b) from w;
select id, v from r, generate_series(1, s::int) as q(v);
select id, mod(10, v - 3) from r, generate_series(1, i) as q(v);
with q as (select id, g, mod(10, i) as x from r) select a.id, b.x from q a join q b on a.g = b.g where a.id <= b.id;
-- Every window function and frame: of a value that fails, in an order that fails, of what comes out.
select id, rank() over (partition by g order by mod(10, i)), dense_rank() over (order by s::int) from r;
select id, percent_rank() over (order by mod(10, i)), cume_dist() over (partition by g order by s::int) from r;
select id, ntile(2) over (partition by g order by s::int, id) from r;
select id, lead(mod(10, i)) over (order by id) from r;
select id, first_value(s::int) over w, last_value(mod(10, i)) over w, nth_value(l * 4, 2) over w from r window w as (partition by g order by id);
select id, mod(10, rank() over (order by g) - 3), mod(10, dense_rank() over (order by g) - 2) from r;
select id, mod(10, ntile(2) over (order by id) - 2) from r;
select id, mod(10, lead(i, 1, 0) over (order by id)) from r;
select id, mod(10, coalesce(nth_value(i, 2) over (order by id rows between 1 preceding and 1 following), 1)) from r;
select id, (first_value(l) over w * 4), (last_value(l) over w * 4) from r window w as (partition by g order by id rows between current row and 1 following);
select id, (cume_dist() over (order by id) * 40000)::smallint, (percent_rank() over (partition by g order by id) * 40000)::smallint from r;
select id, sum(s::int) over (partition by g order by id rows between 1 preceding and 1 following), min(mod(10, i)) over (order by id rows 2 preceding) from r;
select id, sum(mod(10, i)) over (order by g range between 1 preceding and current row), count(*) over (order by s::int range between 1 preceding and 1 following) from r;
select id, max(s::int) over (order by g groups between 1 preceding and current row), avg(mod(10, i)) over (order by mod(10, i) groups 1 preceding) from r;
select id, sum(mod(10, i)) over (order by id rows between 1 preceding and 1 following exclude current row) from r;
select id, max(s::int) over (order by g groups between 1 preceding and 1 following exclude group), count(mod(10, i)) over (order by g groups between 1 preceding and 1 following exclude ties) from r;
select id, mod(10, count(*) over (order by id rows between 1 preceding and 1 following exclude current row) - 1) from r;
select id, mod(10, count(*) over (order by g groups between 1 preceding and 1 following exclude group) - 2), mod(10, count(*) over (partition by g order by i range between 1 preceding and 1 following exclude ties) - 2) from r;
select id, (sum(l) over (partition by g order by id rows 1 preceding) * 3)::bigint from r;
select id, count(distinct mod(10, i)) over (partition by g order by id), array_agg(s::int) over (partition by g order by id rows 1 preceding) from r;
select id, sum(i) filter (where mod(10, i) > 2) over (partition by g order by id) from r;
-- Every aggregate.
select g, avg(mod(10, i)), bool_and(mod(10, i) > 1), bool_or(s::int > 1) from r group by g;
select g, stddev(mod(10, i)), stddev_pop(s::int), var_samp(s::int), var_pop(mod(10, i)) from r group by g;
select avg(s::int), variance(mod(10, i)), bool_or(mod(10, i) = 1) from r;
select g, bit_and(mod(10, i)), bit_or(s::int), bit_xor(mod(10, i)) from r group by g;
select g, percentile_cont(0.5) within group (order by s::int), percentile_disc(0.5) within group (order by mod(10, i)) from r group by g;
select g, mode() within group (order by case when i = 1 then 1 else mod(10, i) + 10 end * 0) from r group by g;
select g, covar_pop(mod(10, i), id), covar_samp(s::int, id) from r group by g;
select covar_pop(id, s::int), regr_sxx(id, mod(10, i)), regr_count(s::int, mod(10, i)) from r;
select g, (avg(i) * 20000)::smallint, (stddev_pop(i) * 40000)::smallint, (var_pop(i) * 40000)::smallint from r group by g;
select g, mod(10, bit_and(i)), mod(10, bit_xor(i) - 1), mod(10, bit_or(i) - 3) from r group by g;
select g, mod(10, percentile_disc(0.5) within group (order by i) - 1), (median(i) * 20000)::smallint from r group by g;
select g, max_by(mod(10, i), id), min_by(s::int, id) from r group by g;
select g, i, avg(mod(10, i)), count(distinct s::int) from r group by grouping sets ((g), (i), ());
select g, mod(10, count(*) - 2) from r group by cube (g, i);
-- Joins of every kind whose condition fails beside keys, and none of whose keys is an equality.
select r.id, o.j from r right join o on r.g = o.g and s::int = o.j;
select r.id, o.j from r left join o on mod(10, i) < o.j;
select r.id, o.j from o left join r on o.j >= s::int;
select x.id, y.id from r x full join r y on x.id = y.id and mod(10, x.i) = mod(10, y.i);
select id from r where g in (select g from o where j is not null) and mod(10, i) >= 0;
-- Rows of lists.
select id, v from r, unnest(array[mod(10, i), 1]) as q(v);
select id, mod(10, v) from r left join lateral unnest(array[i, id]) as q(v) on true;
-- Always, or never.
select id, mod(10, 0) from r;
select id from r where 1 = mod(1, 0);
select j from o union all select mod(1, 0);
select id from r where false and mod(10, i) = 1;
select id from r where i > 0 and g is null and mod(10, i) = 1;
