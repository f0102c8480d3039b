-- What PostgreSQL says in words that DuckDB has not: our query, a line of dashes, and the same as
-- DuckDB has to be asked.
select a, b from t order by a using >, b using < nulls first limit 5
----
select a, b from t order by a desc, b nulls first limit 5

select a, b, sum(b) over (partition by c order by a using >) from t
----
select a, b, sum(b) over (partition by c order by a desc) from t

select a + 0x0F as x, b - 0b11 as y, a * 1_000 as z from t where a < 0o3 or a is null
----
select a + 15 as x, b - 3 as y, a * 1000 as z from t where a < 3 or a is null

select public.t.a, x.b from public.t join public.u as x on public.t.a = x.a
----
select t.a, x.b from t join u as x on t.a = x.a

with t as (select 1 as a) select x.a, t.a as one from public.t as x, t where exists (select 1 from public.t where public.t.b = x.a)
----
select x.a, 1 as one from t as x where exists (select 1 from t y where y.b = x.a)

select a, c from t where c = 'z'
 'z' or c = -- two
 'x'
----
select a, c from t where c = 'zz' or c = 'x'
