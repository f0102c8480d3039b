select id, b is true, b is not true, b is false, b is not false, b is unknown from r;
select id from r where (x > 2) is not true and (s = 'a' or o > 3) is not false;
select id, s like '%b', s like 'a%', s like '%a%', s not like '%z' from r;
select id, (select q.s from r q where q.id = r.id and q.o > 2) from r;
select id, case when (select q.y from r q where q.id = r.id + 1) > 0 then 'up' else 'down' end from r;
select r.id, q.id from r right join r q on r.o = q.g and r.b where q.x is not null or q.x is null;
select id, o > all (array[g, 1]), o <= all (array[2, g]), o = all (array[1, 1]) from r where g is not null;
