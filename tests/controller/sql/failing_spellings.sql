-- What fails for a row, where DuckDB has to be asked in other words.
select id, (mod(10, i), g) = (select max(g), max(j) from o) from r
----
select id, mod(10, i) = q.m and r.g = q.n from r, (select max(g) as m, max(j) as n from o) q

select id, (g, s::int) in (select g, j from o) from r
----
select id, (select case when bool_or(r.g = o.g and r.s::int = o.j) then true when bool_or((r.g = o.g and r.s::int = o.j) is null) then null else false end from o) from r

select id, (s::int)::text like any (array['1', s]) from r
----
select id, s::int::text like '1' or s::int::text like s from r

select id, s like any (select (r.l * 4)::text from o) from r
----
select id, s like (l * 4)::text from r, (select count(*) from o having count(*) > 0) q

select g, count(r), count(r.*) filter (where mod(10, i) >= 0) from r group by g
----
select g, count(*), count(*) filter (where mod(10, i) >= 0) from r group by g

select id, timestamp '2020-01-01' at time zone case when i = 0 then 'nowhere' else 'Asia/Kolkata' end at time zone 'UTC' from r
----
select id, case when i = 0 then make_timestamp(mod(10, i)) else timestamp '2019-12-31 18:30' end from r

select m.v, r.id from r, mod(10, r.i) as m(v)
----
select mod(10, i), id from r

select id, generate_series(1, generate_series(1, mod(10, i))) as x from r
----
select id, unnest(generate_series(1, y)) from (select id, unnest(generate_series(1, mod(10, i))) as y from r) q
