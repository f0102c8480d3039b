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
make_date(-44, 3, 15) -- 0044-03-15 BC
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
sign(-0.5) -- -1
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
