-- What a name or a number in ORDER BY and DISTINCT ON means.
select distinct on (1) g, o, id from r order by 1, o desc nulls last, id;
select distinct on (o) g as o, o as g, id from r order by o, id;
select distinct on (g + 1) g, id from r order by g + 1, id desc limit 3;
select distinct on (b, g) g, id from r order by g, b, id;
select g, o, id from r order by (2), 3 limit 5;
-- QUALIFY, by what the select list calls it.
select id, g, row_number() over (partition by g order by o, id) as nth from r qualify nth <= 2 and id > 3;
select g, sum(o) as total, rank() over (order by sum(o) nulls last, g nulls last) as nth from r group by g qualify nth < 3 or total is null;
select id, o as g, rank() over (partition by o order by id) as nth from r qualify nth = 1 and g is not null;
-- Queries that are no SELECT, as subqueries.
select id from r where exists (values (1)) and o < all (values (7), (null), (3)) is not true;
select id from r where o = any (values (1), (2)) or g <> all (values (1), (2)) or o > some (values (3));
select id, exists (table r) from r where not exists (values (1), (2)) or g is not null;
-- Each row's own time zone.
select id, ts at time zone 'UTC' at time zone case when g = 1 then 'Asia/Kolkata' when g > 1 then 'America/New_York' when b then 'UTC' end as shown from r;
