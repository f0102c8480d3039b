-- q0, q1, q2: rows as they are, converted, picked.
select auction, bidder, price, date_time from bid;
select auction, bidder, 0.908 * price as price, date_time from bid;
select auction, price from bid where auction % 3 = 0;
-- q3: who sells in some states.
select p.name, p.city, p.state, a.id from auction a join person p on a.seller = p.id where a.category = 1 and p.state in ('OR', 'ID', 'CA');
-- q4: the average closing price of a category.
select category, avg(final) from (select max(b.price) as final, a.category from auction a, bid b where a.id = b.auction and b.date_time between a.date_time and a.expires group by a.id, a.category) q group by category;
-- q5: the auctions with most bids in a window.
with counted as (select auction, count(*) as num, date_trunc('minute', date_time) as starts from bid group by auction, date_trunc('minute', date_time)) select c.auction, c.num, c.starts from counted c join (select starts, max(num) as most from counted group by starts) m on c.starts = m.starts and c.num >= m.most;
-- q7: the highest bids of each window.
select b.auction, b.price, b.bidder from bid b join (select max(price) as maxprice, date_trunc('minute', date_time) as starts from bid group by date_trunc('minute', date_time)) m on b.price = m.maxprice and b.date_time >= m.starts and b.date_time < m.starts + interval '1 minute';
-- q8: who came and sold in one window.
select distinct p.id, p.name, date_trunc('minute', p.date_time) from person p join auction a on p.id = a.seller and date_trunc('minute', p.date_time) = date_trunc('minute', a.date_time);
-- q9: the winning bid of each auction.
select id, category, bidder, price from (select a.id, a.category, b.bidder, b.price, row_number() over (partition by a.id order by b.price desc, b.date_time, b.bidder, a.category) as place from auction a, bid b where a.id = b.auction and b.date_time between a.date_time and a.expires) q where place <= 1;
-- q14: a case over the hour.
select auction, case when extract(hour from date_time) between 8 and 18 then 'day' when extract(hour from date_time) <= 6 then 'night' else 'other' end from bid where 0.908 * price > 20;
-- q15, q17: statistics of a day, and of an auction and a day.
select date_trunc('day', date_time), count(*), count(*) filter (where price < 30), count(distinct bidder), count(distinct auction) filter (where price >= 30) from bid group by date_trunc('day', date_time);
select auction, date_trunc('day', date_time), count(*), min(price), max(price), avg(price), sum(price) from bid group by auction, date_trunc('day', date_time);
-- q18, q19: the last bid of each bidder on an auction, and the highest of an auction.
select auction, bidder, price from (select auction, bidder, price, row_number() over (partition by bidder, auction order by date_time desc, price desc) as place from bid) q where place <= 1;
select auction, price from (select auction, price, row_number() over (partition by auction order by price desc) as place from bid) q where place <= 3;
-- q20: bids with their auction.
select b.auction, b.bidder, b.price, a.category, a.expires from bid b join auction a on b.auction = a.id where a.category = 2;
-- q21, q22: parts of an address.
select auction, split_part(url, '/', 4), split_part(url, '/', 5), case when url like '%apple%' then 0 else length(url) end from bid;
