select id, lag(x ignore nulls) over (partition by g order by id), lead(x, 2 ignore nulls) over (partition by g order by id) from r;
select id, lag(s, 1, 'none' ignore nulls) over (order by id), lead(o, 1, 0 ignore nulls) over (partition by g order by id desc) from r;
select id, first_value(x ignore nulls) over (partition by g order by id), last_value(x ignore nulls) over (partition by g order by id) from r;
select id, last_value(f ignore nulls) over (order by id rows between 3 preceding and 1 preceding), first_value(s ignore nulls) over (order by id rows between 1 following and 4 following) from r;
select id, nth_value(o, 2 ignore nulls) over (order by id rows between 2 preceding and 2 following), nth_value(y, 3 ignore nulls) over (partition by g order by id) from r;
select id, first_value(o respect nulls) over (order by id rows between 2 preceding and 2 following exclude current row), last_value(o ignore nulls) over (order by id rows between 2 preceding and 2 following exclude current row) from r;
