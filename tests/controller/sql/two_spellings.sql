--- Our query, a line of dashes, and the same as DuckDB has to be asked.
-- The direction of an order by its operator, numbers in other bases, the schema public.
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

-- A string goes on in another line.
select a, c from t where c = 'z'
 'z' or c = -- two
 'x'
----
select a, c from t where c = 'zz' or c = 'x'

-- Whole rows; one that an outer join fills with nulls is none.
select t.a, count(u) as n, count(u.*) as m, count(*) as k from t left join u on t.a = u.a and u.b > 1 group by t.a
----
select t.a, count(u.m) as n, count(u.m) as m, count(*) as k from t left join (select *, true as m from u) u on t.a = u.a and u.b > 1 group by t.a

select t.c, u from t full join u on t.a = u.b where t.c = 'x' or u is not null
----
select t.c, case when u.m then {'a': u.a, 'b': u.b, 'd': u.d} end from t full join (select *, true as m from u) u on t.a = u.b where t.c = 'x' or (u.a is not null and u.b is not null and u.d is not null)

select t.a, t.b from t left join u on t.a = u.a where u.* is null
----
select t.a, t.b from t left join u on t.a = u.a where u.a is null and u.b is null and u.d is null

select x.a, y.b from t x join t y on x.* = y.* or x.* < y.* and x.a = 1
----
select x.a, y.b from t x join t y on x = y or x < y and x.a = 1

select t, count(*) as n, count(distinct t) as d, row(t.*, 1) as r from t group by t, t.a, t.b, t.c
----
select {'a': a, 'b': b, 'c': c}, count(*), 1, row(a, b, c, 1) from t group by a, b, c

select a, (select max(x) from t x where x.a = t.a and x.* is distinct from t.*) as m, (t).b as z from t
----
select a, (select max({'a': x.a, 'b': x.b, 'c': x.c}) from t x where x.a = t.a and (x.a is distinct from t.a or x.b is distinct from t.b or x.c is distinct from t.c)) as m, b as z from t

select q, (q).n from (select a, count(*) as n from t group by a) q where q.* is not null
----
select {'a': a, 'n': n}, n from (select a, count(*) as n from t group by a) q where a is not null

-- A row and the one row of a query.
select a, b, (a, b) = (select u.a, max(u.b) from u where u.a = t.a group by u.a) as x from t
----
select a, b, case when exists (select 1 from u where u.a = t.a) then b = (select max(u.b) from u where u.a = t.a) end as x from t

select a, b from t where (a, b) < (select u.a, u.b from u order by a desc nulls last, b desc nulls last limit 1)
----
select t.a, t.b from t, (select u.a, u.b from u order by a desc nulls last, b desc nulls last limit 1) q where t.a < q.a or (t.a = q.a and t.b < q.b)

select a, b, (a, b) <> (select * from empty) as x, (a, b) >= (select max(a), min(b) from u) as y from t
----
select t.a, t.b, null::boolean as x, t.a > q.m or (t.a = q.m and t.b >= q.n) as y from t, (select max(a) as m, min(b) as n from u) q

-- Any of the rows, and all.
select a, b, (a, b) > any (select a, b from u) as x, (a, b) <= all (select a, b from u where u.a = t.a) as y from t
----
select a, b, (select case when bool_or(t.a > u.a or (t.a = u.a and t.b > u.b)) then true when bool_or((t.a > u.a or (t.a = u.a and t.b > u.b)) is null) then null else false end from u) as x, (select case when bool_or(not (t.a < u.a or (t.a = u.a and t.b <= u.b))) then false when bool_or((t.a < u.a or (t.a = u.a and t.b <= u.b)) is null) then null else true end from u where u.a = t.a) as y from t

select a, b, (a, b) <> any (select a, b from u where u.b > t.b) as x from t where (a, b) <> any (select 1, 2 from u) is not false
----
select a, b, (select case when bool_or(t.a <> u.a or t.b <> u.b) then true when count(*) > count(case when t.a <> u.a or t.b <> u.b is null then null else 1 end) or bool_or((t.a <> u.a or t.b <> u.b) is null) then null else false end from u where u.b > t.b) as x from t where case when exists (select 1 from u) then a <> 1 or b <> 2 else false end is not false

select a, (a > 2) = any (select b > 2 from u) as x, (a > 2) < all (select b > 2 from u where b is not null) as y from t
----
select a, (a > 2) in (select b > 2 from u) as x, not coalesce(exists (select 1 from u where b is not null and not ((t.a > 2)::int < (b > 2)::int)), false) and (a is not null or not exists (select 1 from u where b is not null)) or case when a is null and exists (select 1 from u where b is not null) then null::boolean else false end as y from t

-- Operators of text with ANY and ALL, of queries and lists.
select c, c like any (select d || '%' from u) as x, c not like all (select d from u where u.a = t.a) as y from t
----
select c, (select case when bool_or(t.c like d || '%') then true when bool_or((t.c like d || '%') is null) then null else false end from u) as x, (select case when bool_or(t.c like d) then false when bool_or((t.c like d) is null) then null else true end from u where u.a = t.a) as y from t

select c, c like any (array['x%', 'y%', null]) as x, c not like all ('{x%,z_}') as y, c ilike any (array['X']) as z, c like all (array[]::text[]) as e from t
----
select c, c like 'x%' or c like 'y%' or null as x, not (c like 'x%') and not (c like 'z_') as y, c ilike 'X' as z, true as e from t

select c, c ~ any (select '^' || d from u where d is not null) as x, c !~ all (array['x', 'y']) as y, c !~ any (array['x', '^z']) as z from t
----
select c, (select case when bool_or(regexp_matches(t.c, '^' || d)) then true when bool_or(regexp_matches(t.c, '^' || d) is null) then null else false end from u where d is not null) as x, not regexp_matches(c, 'x') and not regexp_matches(c, 'y') as y, not regexp_matches(c, 'x') or not regexp_matches(c, '^z') as z from t

select c, d, c like any (string_to_array(d, 'w')) as x, c like all (array[d, c]) as y from t, u
----
select c, d, list_bool_or(list_transform(string_split(d, 'w'), lambda p: c like p)) as x, c like d and c like c as y from t, u

-- Patterns of each row, with a character of their own to escape with.
select c, d, c like d || '!%' escape '!' as x, c not like '_!' || d escape '!' as y, c ilike d escape '' as z from t, u
----
-- Patterns of each row, with a character of their own to escape with.
select c, d, c like d || '!%' escape '!' as x, c not like '_!' || d escape '!' as y, c ilike d as z from t, u

-- Functions in FROM: a value is a set of one.
select t.a, l, m.n from t, lower(t.c) as l, mod(10, coalesce(t.a, 0) + 1) with ordinality as m(v, n) where m.v < 3
----
select t.a, lower(t.c), 1 from t where 10 % (coalesce(t.a, 0) + 1) < 3

select t.a, l from t left join lateral upper(t.c) as l on l > 'X' and t.b > 1
----
select t.a, case when upper(t.c) > 'X' and t.b > 1 then upper(t.c) end from t

select t.a, s.x, s.y from t, rows from (generate_series(1, t.a), lower(t.c)) as s(x, y)
----
select t.a, s.x, case when s.x = 1 or s.x is null then lower(t.c) end from t, (select a, b, c, unnest(case when coalesce(a, 0) < 1 then [null] else generate_series(1, a) end) as x from (select distinct a, b, c from t)) s where s.a is not distinct from t.a and s.b is not distinct from t.b and s.c is not distinct from t.c

-- Sets of sets: for each of the inner ones.
select a, generate_series(1, generate_series(1, a)) as x from t where b > 1
----
select a, unnest(generate_series(1, x)) from (select a, unnest(generate_series(1, a)) as x from t where b > 1) q

select a, generate_series(1, 2) as x, unnest(array[generate_series(1, a), b]) as y from t
----
select a, x, unnest([y, b]) from (select a, b, unnest(generate_series(1, 2)) as x, unnest(generate_series(1, a)) as y from t) q
