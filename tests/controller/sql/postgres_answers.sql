-- What PostgreSQL 15 answers, recorded: an expression and its answer as text, one a line. The
-- server was set to TimeZone 'UTC'.
1.005::float8::numeric(10,2) -- 1.01
2.675::float8::numeric(10,2) -- 2.68
0.1::float8::numeric(20,18) -- 0.100000000000000000
1e15::float8::numeric(20,2) -- 1000000000000000.00
123456789.123456789::float8::numeric(20,9) -- 123456789.123457000
1.005::float4::numeric(10,2) -- 1.01
0.1::float4::numeric(10,8) -- 0.10000000
0.1::float4::float8 -- 0.10000000149011612
16777217::int::float4 -- 1.6777216e+07
26.432::numeric(10,3)::float8 -- 26.432
0.1::numeric(10,3)::float8 -- 0.1
123456789012345678.123::numeric(30,3)::float8 -- 1.2345678901234568e+17
99999999999999999999999999.999999::numeric(38,6)::float8 -- 1e+26
26.432::numeric(10,3)::float4 -- 26.432
0.000000000000000001::numeric(30,18)::float8 -- 1e-18
round(2.5::float8) -- 2
round(-2.5::float8) -- -2
round(0.5::float8) -- 0
round(2.5::numeric) -- 3
round(-2.5::numeric) -- -3
round(1234.567, -2) -- 1200
round(1250, -2) -- 1300
round(1.005::numeric, 2) -- 1.01
round(15.5::int) -- 16
2.5::float8::int -- 2
3.5::float8::int -- 4
-2.5::float8::int -- -2
2.5::numeric::int -- 3
-2.5::numeric::int -- -3
'2.5'::numeric(3,0) -- 3
'0.5'::numeric::int -- 1
1e10::float8::text -- 10000000000
1e15::float8::text -- 1e+15
1e16::float8::text -- 1e+16
123456789012345680::float8::text -- 1.2345678901234568e+17
1e-4::float8::text -- 0.0001
1e-5::float8::text -- 1e-05
1.0::float8::text -- 1
1e20::float4::text -- 1e+20
3.4028235e38::float4::text -- 3.4028235e+38
1e-45::float4::text -- 1e-45
'NaN'::float8::text -- NaN
'-Infinity'::float8::text -- -Infinity
'inf'::float8::text -- Infinity
1e-308::float8 / 1e10::float8 -- 1e-318
5 / 2 -- 2
-5 / 2 -- -2
-5 % 2 -- -1
5 % -2 -- 1
-5.5 % 2 -- -1.5
5.5::float8 -- 5.5
mod(-5, 3) -- -2
div(-7.5, 2) -- -3
7.0 / 2 -- 3.5000000000000000
10.00 * 10.00 -- 100.0000
1.10 + 1.1 -- 2.20
1.5 * 2 -- 3.0
power(2, 10) -- 1024
power(2, -1) -- 0.5
power(0, 0) -- 1
sqrt(2) -- 1.4142135623730951
ln(2.0) -- 0.6931471805599453
log(100) -- 2
exp(1) -- 2.718281828459045
cbrt(27) -- 3.0000000000000004
2147483647::bigint + 1 -- 2147483648
(-2147483648)::int % (-1) -- 0
'NaN'::float8 = 'NaN'::float8 -- true
'NaN'::float8 > 'Infinity'::float8 -- true
sign(-0.5) -- -1
ceil(-0.5) -- 0
floor(-0.5) -- -1
trunc(-1.7) -- -1
trunc(1.789, 2) -- 1.78
trunc(1789, -2) -- 1700
ceil(1.2::float8) -- 2
width_bucket(-1, 0, 10, 5) -- 0
width_bucket(10, 0, 10, 5) -- 6
width_bucket(5.0, 10.0, 0.0, 5) -- 3
lcm(4, 6) -- 12
degrees(1.0) -- 57.29577951308232
radians(180) -- 3.141592653589793
atan2(-1, -1) -- -2.356194490192345
sin(1) -- 0.8414709848078965
greatest(1, NULL, 3) -- 3
least(NULL, NULL) -- null
1 IS DISTINCT FROM NULL -- true
NULL AND false -- false
NULL OR true -- true
NOT NULL::boolean -- null
true > false -- true
'yes'::boolean -- true
'on'::boolean -- true
'tr'::boolean -- true
't'::boolean::text -- true
1::boolean -- true
0::boolean::int -- 0
true::text -- true
' 12 '::int -- 12
'+5'::int -- 5
'  1.5  '::float8 -- 1.5
'abc'::text < 'abd' -- true
'a' < 'B' -- false
'é' > 'z' -- true
'' IS NULL -- false
length('é😀') -- 2
octet_length('é😀') -- 6
lower('İ') -- i
upper('ŉ') -- ŉ
initcap('hello wORLD foo-bar') -- Hello World Foo-Bar
lpad('hi', 5, 'xy') -- xyxhi
lpad('hello', 2) -- he
lpad('hi', 5, '') -- hi
rpad('hi', -1) -- 
left('hello', -2) -- hel
right('hello', -2) -- llo
left('hello', 10) -- hello
substr('hello', 0, 3) -- he
substr('hello', -1, 3) -- h
substr('hello', 2) -- ello
substring('hello' from 10) -- 
position('' in 'abc') -- 1
strpos('hello', 'l') -- 3
split_part('a,b,c', ',', 2) -- b
split_part('a,b,c', ',', -1) -- c
split_part('a,b,c', '', 1) -- a,b,c
split_part('a,b,c', ',', 9) -- 
replace('aaa', 'aa', 'b') -- ba
replace('abc', '', 'x') -- abc
translate('abc', 'abc', 'x') -- x
repeat('ab', 0) -- 
repeat('ab', -1) -- 
reverse('é😀') -- 😀é
trim('  x ') -- x
trim(both 'xy' from 'xyaxy') -- a
ltrim('xxa', 'x') -- a
btrim('  a') -- a
ascii('é') -- 233
ascii('') -- 0
chr(233) -- é
concat_ws(',', 'a', NULL, '') -- a,
concat_ws(NULL, 'a') -- null
'a' || 1 -- a1
'a' || NULL -- null
'abc' LIKE 'a%' -- true
'abc' LIKE '_b_' -- true
'a%c' LIKE 'a\%c' -- true
'a\c' LIKE 'a\\c' -- true
'abc' LIKE 'abc%' -- true
'' LIKE '' -- true
'' LIKE '%' -- true
'abc' ILIKE 'AB%' -- true
'é' LIKE '_' -- true
'abc' ~ 'b' -- true
'abc' ~ '^b' -- false
'ABC' ~* 'b' -- true
'abc' !~ 'x' -- true
'abc' SIMILAR TO 'a(b|x)c' -- true
'abc' SIMILAR TO 'b' -- false
regexp_replace('abcabc', 'b', 'X') -- aXcabc
regexp_replace('abcabc', 'b', 'X', 'g') -- aXcaXc
regexp_replace('abc', '(a)(b)', '\2\1') -- bac
regexp_replace('abc', 'B', 'X', 'i') -- aXc
regexp_replace('abc', 'b', '&\\') -- a&\c
regexp_match('foobar', '(o)(b)') -- {o,b}
substring('foobar' from 'o.b') -- oob
md5('hello') -- 5d41402abc4b2a76b9719d911017c592
to_hex(255) -- ff
encode('abc'::bytea, 'hex') -- 616263
'\x616263'::bytea -- \x616263
'abc'::bytea -- \x616263
starts_with('abc', 'ab') -- true
format('%s-%s', 'a', 1) -- a-1
overlay('abcdef' placing 'XX' from 2 for 3) -- aXXef
date '2024-02-29' + 1 -- 2024-03-01
date '2024-03-01' - date '2024-02-01' -- 29
date '2024-01-31' + interval '1 month' -- 2024-02-29 00:00:00
timestamp '2024-01-31 10:00' + interval '1 month' -- 2024-02-29 10:00:00
timestamp '2024-03-31' - interval '1 month' -- 2024-02-29 00:00:00
timestamp '2024-03-01' - timestamp '2024-02-01 12:30' -- 28 days 11:30:00
age(timestamp '2024-03-01', timestamp '2024-01-31') -- 1 mon 1 day
age(date '2000-02-29', date '2024-02-28') -- -23 years -11 mons -28 days
date_trunc('week', timestamp '2024-01-03 10:00') -- 2024-01-01 00:00:00
date_trunc('quarter', timestamp '2024-05-03') -- 2024-04-01 00:00:00
date_trunc('decade', timestamp '2024-05-03') -- 2020-01-01 00:00:00
date_trunc('century', timestamp '2000-05-03') -- 1901-01-01 00:00:00
date_trunc('millennium', timestamp '2001-05-03') -- 2001-01-01 00:00:00
date_trunc('hour', interval '1 day 10:35:20') -- 1 day 10:00:00
extract(epoch from timestamp '2024-01-01') -- 1704067200.000000
extract(epoch from interval '1 month 2 days 3.5 seconds') -- 2764803.500000
extract(epoch from interval '1 year') -- 31557600.000000
extract(week from date '2024-12-30') -- 1
extract(isoyear from date '2024-12-30') -- 2025
extract(dow from date '2024-12-29') -- 0
extract(isodow from date '2024-12-29') -- 7
extract(doy from date '2024-12-31') -- 366
extract(century from date '2000-01-01') -- 20
extract(millennium from date '2001-01-01') -- 3
extract(decade from date '1999-01-01') -- 199
extract(quarter from date '2024-05-01') -- 2
extract(seconds from timestamp '2024-01-01 10:00:05.25') -- 5.250000
extract(milliseconds from timestamp '2024-01-01 10:00:05.25') -- 5250.000
extract(microseconds from timestamp '2024-01-01 10:00:05.25') -- 5250000
extract(hour from interval '30 hours') -- 30
extract(day from interval '40 days') -- 40
extract(month from interval '15 months') -- 3
extract(year from interval '15 months') -- 1
date_part('year', date '2024-01-01') -- 2024
interval '1 day' + interval '25 hours' -- 1 day 25:00:00
interval '1 month' * 1.5 -- 1 mon 15 days
interval '1 day' / 3 -- 08:00:00
interval '1 month' / 2 -- 15 days
interval '1 year 2 months 3 days 04:05:06.789' -- 1 year 2 mons 3 days 04:05:06.789
interval '-1 day +2 hours' -- -1 days +02:00:00
interval '1.5 days' -- 1 day 12:00:00
interval '1.5 months' -- 1 mon 15 days
interval '1 week' -- 7 days
interval '90 minutes' -- 01:30:00
- interval '1 day 2 hours' -- -1 days -02:00:00
interval '1 day' = interval '24 hours' -- true
interval '1 month' = interval '30 days' -- true
interval '1 month' > interval '29 days' -- true
justify_days(interval '35 days') -- 1 mon 5 days
justify_hours(interval '27 hours') -- 1 day 03:00:00
make_date(-44, 3, 15) -- 0044-03-15 BC
make_timestamp(2024, 1, 1, 10, 0, 5.5) -- 2024-01-01 10:00:05.5
make_interval(0, 1, 0, 10) -- 1 mon 10 days
make_interval(days => 10) -- 10 days
to_char(timestamp '2024-01-05 15:04:05.123', 'YYYY-MM-DD HH24:MI:SS.MS') -- 2024-01-05 15:04:05.123
to_char(timestamp '2024-01-05 15:04:05', 'Day, DD Month YYYY HH12:MI AM') -- Friday   , 05 January   2024 03:04 PM
to_char(timestamp '2024-01-05', 'FMDay FMMonth FMDD') -- Friday January 5
to_char(date '2024-01-05', 'Dy Mon DDth Q WW IW J') -- Fri Jan 05th 1 01 01 2460315
to_date('20240105', 'YYYYMMDD') -- 2024-01-05
to_timestamp('05 Dec 2000 10:11', 'DD Mon YYYY HH24:MI') -- 2000-12-05 10:11:00+00
to_timestamp(1284352323.5) -- 2010-09-13 04:32:03.5+00
timestamp '2024-01-01' at time zone 'America/New_York' -- 2024-01-01 05:00:00+00
timestamptz '2024-01-01 00:00+00' at time zone 'Asia/Tokyo' -- 2024-01-01 09:00:00
timestamptz '2024-07-01 00:00+02' -- 2024-06-30 22:00:00+00
'2024-01-01'::date::text -- 2024-01-01
'0001-01-01'::date -- 0001-01-01
'10:00'::text -- 10:00
'2024-01-01T10:00:00Z'::timestamptz -- 2024-01-01 10:00:00+00
'2024-01-01 10:00:00.1234567'::timestamp -- 2024-01-01 10:00:00.123457
date '2024-01-01' < timestamp '2024-01-01 00:00:01' -- true
(date '2024-01-01', date '2024-02-01') OVERLAPS (date '2024-01-15', date '2024-03-01') -- true
isfinite(date '2024-01-01') -- true
ARRAY[1,2,3] -- {1,2,3}
ARRAY[1,NULL] -- {1,NULL}
ARRAY['a b','c"d',NULL,'NULL',''] -- {"a b","c\"d",NULL,"NULL",""}
ARRAY[[1,2],[3,4]] -- {{1,2},{3,4}}
ARRAY[1,2] || 3 -- {1,2,3}
0 || ARRAY[1,2] -- {0,1,2}
ARRAY[1,2] || ARRAY[3] -- {1,2,3}
ARRAY[1,2] = ARRAY[1,2] -- true
ARRAY[1,2] < ARRAY[1,3] -- true
ARRAY[1,2] @> ARRAY[1] -- true
ARRAY[1,2] && ARRAY[2,3] -- true
array_length(ARRAY[1,2,3], 1) -- 3
array_length(ARRAY[]::int[], 1) -- null
cardinality(ARRAY[1,2]) -- 2
array_position(ARRAY['a','b'], 'b') -- 2
array_remove(ARRAY[1,2,1], 1) -- {2}
array_replace(ARRAY[1,2,1], 1, 9) -- {9,2,9}
array_to_string(ARRAY[1,NULL,3], ',', '*') -- 1,*,3
string_to_array('a,b,,c', ',') -- {a,b,"",c}
string_to_array('a,b,,c', ',', '') -- {a,b,NULL,c}
string_to_array('abc', NULL) -- {a,b,c}
string_to_array('', ',') -- {}
2 = ANY(ARRAY[1,2]) -- true
2 > ALL(ARRAY[1,NULL]) -- null
'{1,2,3}'::int[] -- {1,2,3}
'{a,"b c",NULL}'::text[] -- {a,"b c",NULL}
ROW(1,'a',NULL) -- (1,a,)
ROW(1,2) < ROW(1,3) -- true
ROW(1,NULL) = ROW(1,NULL) -- null
ROW(1,NULL) IS NULL -- false
ROW(NULL,NULL) IS NULL -- true
ROW(1,NULL) IS NOT NULL -- false
(1,2) IN ((1,2),(3,4)) -- true
(1,NULL) IN ((1,2)) -- null
(1,NULL) IN ((2,2)) -- false
1 IN (2, NULL) -- null
1 NOT IN (2, NULL) -- null
1 BETWEEN 2 AND NULL -- false
1 BETWEEN SYMMETRIC 3 AND 0 -- true
nullif(1, 1) -- null
CASE 1 WHEN 1 THEN 'a' ELSE 'b' END -- a
CASE WHEN NULL THEN 1 END -- null
num_nulls(1, NULL, 2) -- 1
uuid 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' -- a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11
'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid -- a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11
'{a0eebc999c0b4ef8bb6d6bb9bd380a11}'::uuid -- a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11
5 & 3 -- 1
5 | 3 -- 7
5 # 3 -- 6
~5 -- -6
1 << 3 -- 8
-8 >> 1 -- -4
1 << 33 -- 2
2 ^ 3 -- 8
'a' || true -- atrue
true || 'a' -- truea
ARRAY[true,false]::text -- {t,f}
(ARRAY[true])::text || 'x' -- {t}x
array_to_string(ARRAY[true,false], ',') -- t,f
ROW(true, false)::text -- (t,f)
string_to_array('t,f', ',')::boolean[] -- {t,f}
concat(1.50, 2.0::float8, date '2024-01-01') -- 1.5022024-01-01
concat(timestamp '2024-01-01 00:00:00') -- 2024-01-01 00:00:00
concat(interval '-1 day +2 hours') -- -1 days +02:00:00
interval '-1 day 2 hours' -- -1 days +02:00:00
interval '1 day -2 hours' -- 1 day -02:00:00
interval '-1 month +2 days' -- -1 mons +2 days
interval '-1 month 2 days' -- -1 mons +2 days
interval '1 month -2 days' -- 1 mon -2 days
interval '-1 year -2 months 3 days 01:00' -- -1 years -2 mons +3 days 01:00:00
interval '-1 day -01:00' -- -1 days -01:00:00
interval '2 months -1 day +01:00:00.5' -- 2 mons -1 days +01:00:00.5
interval '-0.5 seconds' -- -00:00:00.5
interval '-1 month -0.5 seconds' -- -1 mons -00:00:00.5
interval '0' -- 00:00:00
make_interval(years => -1, days => 3) -- -1 years +3 days
make_interval(days => -3, hours => 5) -- -3 days +05:00:00
make_interval(months => -3, secs => 5.25) -- -3 mons +00:00:05.25
make_date(-1, 1, 1) -- 0001-01-01 BC
make_date(1, 1, 1) - 1 -- 0001-12-31 BC
make_timestamp(-44, 3, 15, 1, 2, 3.5) -- 0044-03-15 01:02:03.5 BC
make_date(12345, 1, 1) -- 12345-01-01
extract(year from make_date(-44, 3, 15)) -- -44
extract(century from make_date(-44, 3, 15)) -- -1
extract(decade from make_date(-44, 3, 15)) -- -5
extract(millennium from make_date(-44, 3, 15)) -- -1
date_trunc('century', make_timestamp(-44, 3, 15, 1, 2, 3.5)) -- 0100-01-01 00:00:00 BC
date_trunc('year', make_timestamp(-44, 3, 15, 1, 2, 3.5)) -- 0044-01-01 00:00:00 BC
date_trunc('decade', make_timestamp(-44, 3, 15, 1, 2, 3.5)) -- 0051-01-01 00:00:00 BC
date_trunc('millennium', make_timestamp(-44, 3, 15, 1, 2, 3.5)) -- 1000-01-01 00:00:00 BC
to_char(make_date(-44, 3, 15), 'YYYY BC') -- 0044 BC
to_char(make_date(-44, 3, 15), 'YYYY') -- 0044
date '2024-01-01' + interval '1.5 hours' -- 2024-01-01 01:30:00
timestamp '2024-01-01 00:00:00.0000005' -- 2024-01-01 00:00:00
timestamp '2024-01-01 23:59:59.9999999' -- 2024-01-02 00:00:00
timestamptz '2024-01-01 23:59:59.9999999+00' -- 2024-01-02 00:00:00+00
('2024-01-01 23:59:59.' || '9999999')::timestamp -- 2024-01-02 00:00:00
('2024-01-01 10:00:00.123456' || '7+02')::timestamptz -- 2024-01-01 08:00:00.123457+00
'24:00:00'::interval -- 24:00:00
('2024-01-01 24:00' || ':00')::timestamp -- 2024-01-02 00:00:00
timestamp '2024-01-01 24:00:00' -- 2024-01-02 00:00:00
timestamp '2024-01-01 23:59:60' -- 2024-01-02 00:00:00
'2024-1-5'::date -- 2024-01-05
('2024-1-' || '5')::date -- 2024-01-05
'2024-01-05 10:00'::date -- 2024-01-05
'2024-01-05 1:2:3'::timestamp -- 2024-01-05 01:02:03
'2024-01-01 10:00:00+5'::timestamptz -- 2024-01-01 05:00:00+00
'2024-01-01 10:00:00-05:30'::timestamptz -- 2024-01-01 15:30:00+00
'2024-01-01 10:00:00Z'::timestamp -- 2024-01-01 10:00:00
'2024-01-01 10:00:00+02'::timestamp -- 2024-01-01 10:00:00
'1e-320'::float8 -- 1e-320
sign(0.00) -- 0
sign(123.45::numeric(5,2)) -- 1
sign(2::smallint) -- 1
abs(-0.5) -- 0.5
ceil(-0.5::numeric(2,1)) -- 0
floor(0.99::numeric(2,2)) -- 0
round(0.99::numeric(2,2)) -- 1
round(0.99::numeric(2,2), 1) -- 1.0
trunc(0.99::numeric(2,2)) -- 0
0.5 % 0.3 -- 0.2
-0.5 % 0.3 -- -0.2
0.5 / 0.3 -- 1.6666666666666667
power(2, 100) -- 1.2676506002282294e+30
power(2::float8, 100) -- 1.2676506002282294e+30
1.5::numeric(2,1) * 1000000 -- 1500000.0
mod(0.5, 0.3) -- 0.2
div(0.5, 0.3) -- 1
least(0.5, 100) -- 0.5
coalesce(0.5, 100) -- 0.5
nullif(0.5, 100) -- 0.5
0.5 = 0.50 -- true
0.5 IN (1, 0.50) -- true
round(123.456, 1) -- 123.5
round(-0.05, 1) -- -0.1
round(99.95, 1) -- 100.0
round(12345.678, -3) -- 12000
round(0.5) -- 1
round(1.5) -- 2
trunc(-0.99) -- 0
-(0.5) -- -0.5
-(-0.5) -- 0.5
1 - 0.5 -- 0.5
100 * 0.01 -- 1.00
0.1 + 0.2 -- 0.3
0.1::float8 + 0.2::float8 -- 0.30000000000000004
0.1::float4 + 0.2::float4 -- 0.3
1::float4 / 3 -- 0.3333333333333333
1::float8 / 3 -- 0.3333333333333333
16777216::float4 + 1::float4 -- 1.6777216e+07
sqrt(2::float4) -- 1.4142135623730951
0.1::float4 = 0.1 -- false
0.1::float4 = 0.1::float8 -- false
0.1::float8 = 0.1 -- true
5e-324::float8 -- 5e-324
1.7976931348623157e308::float8 -- 1.7976931348623157e+308
123456789::float4 -- 1.2345679e+08
0.00001::float4 -- 1e-05
1234567.0::float4 -- 1.234567e+06
1e6::float4 -- 1e+06
1e7::float8 -- 10000000
(2^53)::bigint -- 9007199254740992
9007199254740993::bigint::float8 -- 9.007199254740992e+15
9007199254740993 = 9007199254740992::float8 -- true
concat(true, false, NULL) -- tf
concat(NULL::boolean, 'x') -- x
concat_ws(',', true, 1) -- t,1
format('%s', true) -- t
format('%L', true) -- 't'
E'a\nb' ~ 'a.b' -- true
E'A\nb' ~* 'a.b' -- true
E'a\nb' ~ '^b' -- false
E'a\nb' ~ 'a$' -- false
'foo bar' ~ '\ybar\y' -- true
'foobar' ~ '\ybar\y' -- false
'foobar' ~ '\Ybar' -- true
'foo' ~ 'o\Z' -- true
'foo' ~ '\Afo' -- true
E'a\nb' !~ 'a.b' -- false
regexp_replace(E'a\nb', '.', 'x', 'g') -- xxx
regexp_count(E'a\nb', '.') -- 3
regexp_split_to_array(E'a\nb', '.') -- {"","","",""}
regexp_replace('a.b', '[.]', '-') -- a-b
regexp_replace('foo bar', '\y', '|') -- |foo bar
regexp_like(E'a\nb', 'A.B', 'i') -- true
regexp_match('abc', '(?i)B') -- {b}
'a[b' ~ 'a\[b' -- true
'a]b' ~ '[]]' -- true
'xy' ~ '[[:alpha:]]{2}' -- true
'a\b' ~ 'a\\b' -- true
regexp_replace('abc', 'x*', '|') -- |abc
regexp_replace('abc', '^', '|') -- |abc
regexp_replace('abc', '$', '|') -- abc|
regexp_replace('abc', '', '|') -- |abc
regexp_replace('abc', '$', '|', 'g') -- abc|
regexp_replace('abc', '^', '|', 'g') -- |abc
regexp_replace('', 'x*', '|') -- |
regexp_replace('foo bar', '\y', '|', 'g') -- |foo| |bar|
regexp_replace('foobar', '\Yo', 'X') -- fXobar
regexp_replace('abc', 'b', '\1') -- ac
regexp_replace('abc', 'b', '[\&]') -- a[b]c
regexp_replace('abc', 'b', 'x\') -- ax\c
regexp_replace('abc', 'b', '\\') -- a\c
regexp_replace('abc', 'b', '\q') -- a\qc
regexp_replace('abc', '(b)', '\1\1') -- abbc
regexp_replace('abc', '(b)', '\2\1', 'g') -- abc
regexp_replace('abcb', 'b', '\&\&', 'g') -- abbcbb
regexp_replace('aBc', 'b', 'x', 'i') -- axc
regexp_replace('abc', '(x)?b', '<\1>') -- a<>c
regexp_replace('a(c', '[[:alpha:](]', 'X') -- X(c
regexp_match('a(c', '([[:alpha:](]+)') -- {a(c}
regexp_replace('a.b.c', '.', '-', 'g') -- -----
regexp_replace('a.b.c', '\.', '-', 'g') -- a-b-c
regexp_replace(E'x\ny', 'x.y', 'q') -- q
regexp_replace('aaa', 'a*?', 'X') -- Xaaa
regexp_replace('héllo', 'l+', 'é\&é') -- héélléo
regexp_replace(NULL, 'a', 'b') -- null
regexp_replace('abc', NULL, 'b') -- null
regexp_replace('abc', 'b', NULL) -- null
to_char(485, '999') --  485
to_char(-485, '999') -- -485
to_char(485, '9 9 9') --  4 8 5
to_char(1485, '9,999') --  1,485
to_char(1485, '9G999') --  1,485
to_char(148.5, '999.999') --  148.500
to_char(148.5, 'FM999.999') -- 148.5
to_char(148.5, 'FM999.990') -- 148.500
to_char(148.5, '999D999') --  148.500
to_char(3148.5, '9G999D999') --  3,148.500
to_char(-485, '999S') -- 485-
to_char(-485, '999MI') -- 485-
to_char(485, '999MI') -- 485 
to_char(485, 'FM999MI') -- 485
to_char(485, 'PL999') -- + 485
to_char(485, 'SG999') -- +485
to_char(-485, 'SG999') -- -485
to_char(-485, '9SG99') -- 4-85
to_char(-485, '999PR') -- <485>
to_char(485, 'RN') --         CDLXXXV
to_char(485, 'FMRN') -- CDLXXXV
to_char(5.2, 'FMRN') -- V
to_char(482, '999th') --  482nd
to_char(485, '"Good number:"999') -- Good number: 485
to_char(485.8, '"Pre:"999" Post:" .999') -- Pre: 485 Post: .800
to_char(12, '99V999') --  12000
to_char(12.4, '99V999') --  12400
to_char(12.45, '99V9') --  125
to_char(-0.1, '99.99') --   -.10
to_char(-0.1, 'FM9.99') -- -.1
to_char(-0.1, 'FM90.99') -- -0.1
to_char(0.1, '0.9') --  0.1
to_char(12, '9990999.9') --     0012.0
to_char(12, 'FM9990999.9') -- 0012.
to_char(1234567, '999') --  ###
to_char(12345.678, '99,999.9') --  12,345.7
to_char(0, '999') --    0
to_char(0, 'FM999') -- 0
to_char(0.5, '999.99') --     .50
to_char(1.5, '0000.00') --  0001.50
to_char(-1.5, '0000.00') -- -0001.50
to_char(123.456::float8, '999.99') --  123.46
to_char(123.456::float4, '999.99') --  123.46
to_char(1e10::float8, '999.99') --  ###.##
to_char('NaN'::float8, '999.99') --  NaN
to_char(NULL::int, '999') -- null
to_char(1234.5, 'FM9,999,999.00') -- 1,234.50
to_char(0.123, 'FM0.00') -- 0.12
to_char(99.995, 'FM999.00') -- 100.00
to_char(-99.995, '999.00') -- -100.00
to_char(5, '00000') --  00005
to_char(5, 'FM00000') -- 00005
to_char(interval '40 days 30 hours', 'DD HH24') -- 40 30
to_char(interval '1 year 2 months', 'YYYY MM') -- 0001 02
to_char(interval '-2 hours', 'HH24:MI') -- -02:00
to_number('12,454.8', '99G999D9') -- 12454.8
to_number('-12', 'S99') -- -12
to_number('1485', '9,999') -- 1485
to_number('0.5', '9.9') -- 0.5
to_char(timestamp '2024-01-05 15:04:05.123456', 'HH:MI:SS.US') -- 03:04:05.123456
to_char(timestamp '2024-01-05 15:04:05', 'HH12 am') -- 03 pm
to_char(timestamp '2024-01-05 00:04:05', 'HH12 A.M.') -- 12 A.M.
to_char(timestamp '2024-01-05 15:04:05', 'SSSS') -- 54245
to_char(timestamp '2024-01-05 15:04:05', 'Y,YYY') -- 2,024
to_char(timestamp '2024-01-05 15:04:05', 'YYY YY Y IYYY IYY IY I') -- 024 24 4 2024 024 24 4
to_char(timestamp '2024-01-05 15:04:05', 'MONTH Month month MON Mon mon') -- JANUARY   January   january   JAN Jan jan
to_char(timestamp '2024-01-05 15:04:05', 'DAY Day day DY Dy dy') -- FRIDAY    Friday    friday    FRI Fri fri
to_char(timestamp '2024-01-05 15:04:05', 'DDD IDDD DD D ID') -- 005 005 05 6 5
to_char(timestamp '2024-01-05 15:04:05', 'W WW IW CC J Q RM rm') -- 1 01 01 21 2460315 1 I    i   
to_char(timestamp '2024-01-05 15:04:05', 'FMMonth FMDDth, YYYY') -- January 5th, 2024
to_char(timestamp '2024-01-22 15:04:05', 'DDth DDTH') -- 22nd 22ND
to_char(timestamp '2024-01-11 15:04:05', 'DDth') -- 11th
to_char(timestamp '2024-01-05 15:04:05', '"Year:" YYYY') -- Year: 2024
to_char(timestamp '2024-01-05 15:04:05', 'FF1 FF3 FF6') -- 0 000 000000
to_char(timestamp '2024-01-05 15:04:05.987', 'FF1 FF3 FF6') -- 9 987 987000
to_char(timestamptz '2024-01-05 15:04:05+00', 'TZ OF') -- UTC +00
to_char(timestamp '2024-01-05 15:04:05', 'BC AD bc a.d.') -- AD AD ad a.d.
to_char(timestamp '2024-01-05 15:04:05', 'FMHH24:FMMI:FMSS') -- 15:4:5
to_date('2024 1 5', 'YYYY MM DD') -- 2024-01-05
to_date('Jan 5 2024', 'Mon DD YYYY') -- 2024-01-05
to_date('January 5, 2024', 'Month DD, YYYY') -- 2024-01-05
to_date('24', 'YY') -- 2024-01-01
to_date('99', 'YY') -- 1999-01-01
to_timestamp('2024-01-05 15:04:05.123', 'YYYY-MM-DD HH24:MI:SS.MS') -- 2024-01-05 15:04:05.123+00
to_timestamp('15:04 2024-01-05', 'HH24:MI YYYY-MM-DD') -- 2024-01-05 15:04:00+00
to_timestamp('3:04 PM 2024-01-05', 'HH12:MI AM YYYY-MM-DD') -- 2024-01-05 15:04:00+00
format('%L', 'it''s') -- 'it''s'
format('%L', NULL) -- NULL
format('%10s|', 'a') --          a|
format('%-10s|', 'a') -- a         |
format('%*s|', 5, 'a') --     a|
format('%2$s %1$s', 'a', 'b') -- b a
format('%s', NULL) -- 
format('%%') -- %
format('%1$*2$s|', 'a', 5) --     a|
sha224('abc'::bytea) -- \x23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7
sha384('abc'::bytea) -- \xcb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7
sha512('abc'::bytea) -- \xddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
get_byte('\x1234'::bytea, 1) -- 52
set_byte('\x1234'::bytea, 1, 255) -- \x12ff
get_bit('\x1234'::bytea, 3) -- 0
set_bit('\x1234'::bytea, 3, 1) -- \x1a34
substring('\x123456'::bytea from 2 for 1) -- \x34
position('\x34'::bytea in '\x123456'::bytea) -- 2
overlay('\x123456'::bytea placing '\xff'::bytea from 2) -- \x12ff56
btrim('\x001200'::bytea, '\x00'::bytea) -- \x12
length('\x1234'::bytea) -- 2
'\x12'::bytea || '\x34'::bytea -- \x1234
encode('\x1234'::bytea, 'escape') -- 4
decode('a\\001', 'escape') -- \x615c303031
convert_from('\xc3a9'::bytea, 'UTF8') -- é
bit_count('\x1234'::bytea) -- 5
array_lower(ARRAY[1,2], 1) -- 1
array_upper(ARRAY[1,2], 1) -- 2
array_dims(ARRAY[1,2,3]) -- [1:3]
array_fill(7, ARRAY[3]) -- {7,7,7}
trim_array(ARRAY[1,2,3], 2) -- {1}
array_positions(ARRAY[1,2,1], 1) -- {1,3}
array_cat(ARRAY[1], ARRAY[2]) -- {1,2}
array_append(NULL::int[], 1) -- {1}
array_prepend(1, NULL::int[]) -- {1}
regexp_split_to_array('a1b2c', '\d') -- {a,b,c}
regexp_count('abcabc', 'b') -- 2
regexp_instr('abcabc', 'b', 1, 2) -- 5
regexp_substr('abcabc', 'b.', 1, 2) -- bc
regexp_replace('abcabc', 'b', 'X', 1, 2) -- abcaXc
regexp_like('abc', 'B', 'i') -- true
normalize('e' || chr(769), NFC) -- é
'e' IS NORMALIZED -- true
justify_interval(interval '1 mon 33 days') -- 2 mons 3 days
isfinite(timestamp '2024-01-01') -- true
isfinite(interval '1 day') -- true
date_bin('1 hour', timestamp '2020-02-11 15:44:17', timestamp '2001-01-01 02:30') -- 2020-02-11 15:30:00
cot(1) -- 0.6420926159343306
log10(100) -- 2
ln(exp(1)) -- 1
bool 'true' -- true
width_bucket(5, ARRAY[1, 3, 4, 10]) -- 3
num_nonnulls(1, NULL) -- 1
left('abc', 0) -- 
'a' SIMILAR TO 'a|b' -- true
'abc' SIMILAR TO 'a_c' -- true
'abc' SIMILAR TO '%(b|d)%' -- true
'a+b' SIMILAR TO 'a\+b' -- true
'aab' SIMILAR TO 'a{2}b' -- true
'ABC' ~ '(?i)abc' -- true
'a.b' ~ 'a\.b' -- true
'abc' ~ '[[:alpha:]]+' -- true
'abc' ~ '\d' -- false
~ 5 + 1 -- -7
~ 5 * 2 -- -11
~ 5 | 1 -- -5
|/ 4 + 5 -- 3
||/ 20 + 7 - 0 -- 3.0000000000000004
@ 3 - 10 -- 7
2 * @ -4 -- 8
'ab' ~ 'a' || 'b' -- trueb
'ab' !~ 'x' || 'b' -- trueb
'ab' ~~ 'a%' || 'b' -- trueb
ARRAY[1,2] || 3 @> ARRAY[3] -- true
1 | 2 = 3 -- true
'1' SIMILAR TO '\d' -- true
'ab' SIMILAR TO 'a\"b' -- true
'a.b' SIMILAR TO 'a\.b' -- true
substring('Thomas' from '%#"o_a#"_' for '#') -- oma
substring('abcabc' similar 'a#"%#"c' escape '#') -- bcab
substring('aaab' similar 'a*#"a*#"b' escape '#') -- aaa
substring('abcd' similar '%' escape '#') -- abcd
substring('abcd' similar 'x%' escape '#') -- null
substring('abc', 'a#"(b|x)#"c', '#') -- b
'é' ~ '\w' -- true
'é' ~ '\W' -- false
'É' ~ '^[[:upper:]]$' -- true
'é1_' ~ '^[[:alnum:]_]+$' -- true
'é' ~ '[[:lower:]]' -- true
regexp_replace('Ünïcode-ß', '[[:alpha:]]', 'x', 'g') -- xxxxxxx-x
regexp_count('été à', '\w') -- 4
chr(11) ~ '\s' -- true
'A' ~ '\x0041' -- true
'A' ~ '^\u0041$' -- true
'A' ~ '[\u0041]' -- true
regexp_replace('axb', 'x*', '', 'g') -- ab
to_date('29', 'DD') -- 0001-01-29 BC
to_timestamp('10:11', 'HH24:MI') -- 0001-01-01 10:11:00+00 BC
date_part('quarter', interval '-1 month') -- 1
extract(quarter from interval '-7 months') -- -1
extract(quarter from interval '14 months') -- 1
interval '1.23456 years' -- 1 year 3 mons
interval '1.5 decades' -- 15 years
interval '1 year -1.5 month' -- 11 mons -15 days
interval '0.0000005 s' -- 00:00:00
interval '1.0000015 s' -- 00:00:01.000001
interval '-0.7 weeks' -- -4 days -21:36:00
interval '1.7 months 1.5 days' -- 1 mon 22 days 12:00:00
interval '3 4:05:06' -- 3 days 04:05:06
interval '-3 4:05:06' -- -3 days +04:05:06
interval '1 mil 2 cent 3 decs' -- 1230 years
('3 4:05:06' || '')::interval -- 3 days 04:05:06
('1.23456 years' || '')::interval -- 1 year 3 mons
('1 year -1.5 month' || '')::interval -- 11 mons -15 days
('0.0000005 s' || '')::interval -- 00:00:00
('-0.7 weeks' || '')::interval -- -4 days -21:36:00
('1.7 months 1.5 days' || '')::interval -- 1 mon 22 days 12:00:00
('1 hour 30.5 sec' || '')::interval -- 01:00:30.5
('4 hours 5' || '')::interval -- 04:00:05
interval '4 hours 5' -- 04:00:05
E' a\n'::bytea -- \x20610a
'a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11'::uuid -- a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11
('a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11' || '')::uuid -- a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11
to_char(date '2024-02-29', 'TZ OF') -- UTC +00
E'a\vb' -- avb
E'a\ab' -- aab
E'a\eb' -- aeb
E'a\qb' -- aqb
E'a\x41b' -- aAb
E'a\101b' -- aAb
E'a\u0061b' -- aab
E'a\U00000061b' -- aab
E'a\\b' -- a\b
E'a\'b' -- a'b
E'a\bb' = 'a' || chr(8) || 'b' -- true
E'a\fb' = 'a' || chr(12) || 'b' -- true
E'a\0101b' -- a1b
E'a\x4' -- a
chr(11) ~ '\s' -- true
to_timestamp(NULL, 'HH24:SS') -- null
