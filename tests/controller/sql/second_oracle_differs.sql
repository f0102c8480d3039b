-- USING several columns in a full join: it merges none of them.
select a, b, t.c, u.d from t full join u using (a, b);
-- SELECT * over a join with USING: the columns come in another order.
select * from vv where d = 'x';
-- EXCEPT ALL and INTERSECT ALL count no multiplicities.
select a from t except all select a from u;
select a from t intersect all select a from u;
-- NOT IN below OR: null is in no list, rather than unknown.
select a from t where a not in (select a from u) or b = 1;
-- ANY over a list: a comparison with null is false, rather than unknown.
select a, b > any (array[a, 2]) from t;
-- It calculates on with an average that it has cut off.
select carrier, sum(fare) - avg(fare), max(fare) * min(fare) from flights group by carrier;
-- Percentiles between two rows are rounded to a millionth of their distance.
select percentile_cont(0.25) within group (order by x), percentile_cont(0.9) within group (order by f desc), percentile_cont(0) within group (order by n::double precision), percentile_cont(1) within group (order by y) from r;
-- Beside other aggregates, BIT_XOR(DISTINCT) goes wrong.
select g, bit_and(y), bit_or(x), bit_xor(o), bit_xor(x) filter (where b), bit_xor(distinct y) from r group by g;
-- A window that extends a named one drops what that one says.
select id, sum(o) over (w rows between 1 preceding and current row), sum(o) over w, lag(o) over v from r window w as (partition by g order by id), v as (w), u as (partition by b);
