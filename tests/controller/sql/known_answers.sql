-- An expression and its answer as text, one a line.
-- Text.
initcap('hi THOMAS o''neil 2nd élan') -- Hi Thomas O'Neil 2nd Élan
initcap('') -- 
initcap(NULL) -- null
translate('12345', '143', 'ax') -- a2x5
translate('aab', 'aa', 'xy') -- xxb
translate('é😀e', '😀é', 'e') -- ee
translate('abc', '', 'x') -- abc
chr(65) -- A
chr(128512) -- 😀
chr(0) -- error: null character not permitted
chr(55296) -- error: the number of no character
encode(sha256(convert_to('abc', 'UTF8')), 'hex') -- ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
encode(sha256('\x'), 'hex') -- e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
encode(sha256(convert_to(repeat('a', 119), 'UTF8')), 'hex') -- 31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb
encode('\x00ff5c41'::bytea, 'escape') -- \000\377\\A
encode('\x123456'::bytea, 'base64') -- EjRW
encode('\x1234'::bytea, 'base64') -- EjQ=
encode('\x'::bytea, 'base64') -- 
length(encode(convert_to(repeat('x', 57), 'UTF8'), 'base64')) -- 77
length(encode(convert_to(repeat('x', 58), 'UTF8'), 'base64')) -- 81
decode(encode(convert_to(repeat('xé', 90), 'UTF8'), 'base64'), 'base64') = convert_to(repeat('xé', 90), 'UTF8') -- true
decode('EjQ=', 'base64') -- \x1234
decode('Ej_=', 'base64') -- error: invalid base64 data
decode('12 3F', 'hex') -- \x123f
decode('123', 'hex') -- error: invalid hex data
to_hex(2147483647) -- 7fffffff
to_hex(-1) -- ffffffff
to_hex(0) -- 0
to_hex((-1)::bigint) -- ffffffffffffffff
bit_length('jose') -- 32
overlay('Txxxxas' placing 'hom' from 2 for 4) -- Thomas
overlay('Txxxxas', 'hom', 2) -- Thomxas
overlay('abc' placing 'x' from 0) -- error: negative substring length not allowed
quote_literal('it''s') -- 'it''s'
quote_literal('a\b') -- E'a\\b'
quote_nullable(NULL) -- NULL
quote_literal(42.5) -- '42.5'
format('Hello %s, %1$s %L %%', 'World', NULL) -- Hello World, World NULL %
format('no directive') -- no directive
concat_ws('-', 'a', NULL, 'b') -- a-b
regexp_count('ABCABCAXYaxy', 'A.') -- 3
regexp_count('aaa', '^a') -- 1
regexp_count('hello wo', '\y') -- error: a regular expression that matches the empty text neither counts nor splits
regexp_instr('éABCDEF', 'C(.)') -- 4
regexp_instr('ABC', 'x') -- 0
regexp_substr('ABCDEF', 'C(.)') -- CD
regexp_substr('ABC', 'x') -- null
regexp_match('foobarbequebaz', '(bar)(beque)') -- {bar,beque}
regexp_match('foobarbequebaz', 'bar.*que') -- {barbeque}
regexp_match('b', '(a)?b') -- {NULL}
regexp_match('a]b(c', '[]x(](b)\((c)', 'i') -- {b,c}
regexp_match('abc', 'x') -- null
regexp_split_to_array('hello  world ', '\s+') -- {hello,world,""}
regexp_split_to_array('helLo', 'l', 'i') -- {he,"",o}
regexp_like('Hello World', 'world$', 'i') -- true
regexp_like('Hello World', 'world$') -- false
regexp_count('ABCABCAXYaxy', 'A.', 1, 'i') -- 4
regexp_count('123456789012', '\d\d\d', 2) -- 3
regexp_instr('ABCDEF', 'c(.)(..)', 1, 1, 0, 'i') -- 3
regexp_instr('ABCDEFC', 'C', 4) -- 7
regexp_instr('ABCDEF', 'CD', 1, 1, 1) -- 5
regexp_instr('ABCDEF', 'x', 2, 1, 1) -- 0
regexp_substr('ABCDEF', 'c(.)(..)', 1, 1, 'i') -- CDEF
regexp_substr('number of your street, town zip, FR', '[^,]+', 5) -- er of your street
regexp_replace('foobarbaz', 'b..', 'X') -- fooXbaz
regexp_replace('foobarbaz', 'b..', 'X', 'g') -- fooXX
regexp_replace('foobarbaz', 'b(..)', 'X\1Y', 'g') -- fooXarYXazY
regexp_replace('A PostgreSQL function', 'a|e|i|o|u', 'X', 1, 0, 'i') -- X PXstgrXSQL fXnctXXn
regexp_replace('foobarbaz', 'b..', 'X', 5) -- foobarX
regexp_replace('foobarbaz', 'B..', 'X', 1, 1, 'i') -- fooXbaz
substring('Thomas' from '...$') -- mas
substring('foobar' from 'o(.)b') -- o
substring('foobar', 'o.b') -- oob
substring('foobar' from 'x') -- null
substring('foobar', 4) -- bar
2 BETWEEN SYMMETRIC 3 AND 1 -- true
2 NOT BETWEEN SYMMETRIC 3 AND 1 -- false
NULL BETWEEN SYMMETRIC 3 AND 1 -- null
-- Numbers.
div(9, 4) -- 2
div(-9.5, 2) -- -4
div(12345678901234567890123456789012345678::numeric(38, 0), 7) -- 1763668414462081127160493827001763668
div(1, 0) -- error: division by zero
gcd(1071, 462) -- 21
gcd(0, 0) -- 0
gcd(-4, 6) -- 2
gcd('-2147483648'::int, 0) -- error: integer out of range
lcm(1071, 462) -- 23562
lcm(0, 5) -- 0
lcm(2147483647, 2147483646) -- error: integer out of range
lcm(9223372036854775807, 2) -- error: bigint out of range
factorial(5) -- 120
factorial(33) -- 8683317618811886495518194401280000000
factorial(34) -- error: numeric(38,0) out of range
factorial(-1) -- error: factorial of a negative number is undefined
width_bucket(5.35, 0.024, 10.06, 5) -- 3
width_bucket(5.35::float8, 0.024, 10.06, 5) -- 3
width_bucket(10.06, 0.024, 10.06, 5) -- 6
width_bucket(0.02, 0.024, 10.06, 5) -- 0
width_bucket(3, 10, 0, 5) -- 4
width_bucket(10.0, 10, 0, 5) -- 1
width_bucket(0, 10, 0, 5) -- 6
width_bucket(-1.0::float8, 0, -10, 4) -- 1
width_bucket('nan'::float8, 0, 10, 4) -- error: operands cannot be NaN
width_bucket(1, 0, 10, NULL::int) IS NULL -- true
width_bucket(1.0::float8, 2, 2, 4) -- error: lower bound cannot equal upper bound
width_bucket(NULL, 0, 10, 4) -- null
bit_count(255) -- 8
bit_count(-1::bigint) -- 64
scale(8.4100) -- 4
min_scale(8.4100) -- 2
min_scale(8.0) -- 0
sind(30) -- 0.5
sind(-150) -- -0.5
sind(390) -- 0.5
cosd(60) -- 0.5
cosd(120) -- -0.5
cosd(240) -- -0.5
tand(45) -- 1
tand(135) -- -1
tand(180) -- 0
cotd(45) -- 1
tand(90) -- Infinity
asind(0.5) -- 30
asind(-1) -- -90
acosd(0.5) -- 60
acosd(-0.5) -- 120
acosd(1) -- 0
atand(1) -- 45
atan2d(1, -1) -- 135
atan2d(0, -1) -- 180
asind(1.5) -- error: input is out of range
acosd('nan'::float8) -- NaN
sind('infinity') -- error: input is out of range
sinh(1000) -- Infinity
atanh(1) -- Infinity
acosh(0.5) -- error: input is out of range
cot(0) -- Infinity
log2(8) -- 3
num_nulls(1, NULL, 'a', NULL) -- 2
num_nonnulls(1, NULL, 'a') -- 2
-- Dates, times, intervals.
make_timestamp(2013, 7, 15, 8, 15, 23.5) -- 2013-07-15 08:15:23.5
make_timestamp(2013, 7, 15, 24, 0, 0) -- 2013-07-16 00:00:00
make_timestamp(2013, 7, 15, 24, 0, 1) -- error: date/time field value out of range
make_timestamp(2013, 2, 29, 0, 0, 0) -- error: date/time field value out of range
make_timestamp(1900, 1, 1, 0, 0, 60) -- 1900-01-01 00:01:00
make_timestamptz(2013, 7, 15, 8, 15, 23.5, 'America/New_York') -- 2013-07-15 12:15:23.5+00
make_interval(days => 10, secs => 1.5) -- 10 days 00:00:01.5
make_interval(1, 2, 3, 4, 5, 6, 7.8) -- 1 year 2 mons 25 days 05:06:07.8
make_interval(years => 178956971) -- error: interval out of range
make_interval() -- 00:00:00
date_bin('15 minutes', timestamp '2020-02-11 15:44:17', timestamp '2001-01-01') -- 2020-02-11 15:30:00
date_bin('15 minutes', timestamp '2020-02-11 15:44:17', timestamp '2001-01-01 00:02:30') -- 2020-02-11 15:32:30
date_bin('1 day', timestamp '1969-12-31 15:44:17', timestamp '2001-01-01 12:00') -- 1969-12-31 12:00:00
date_bin('1 month', timestamp '2020-02-11', timestamp '2001-01-01') -- error: timestamps cannot be binned into intervals containing months or years
date_bin('0 s', timestamp '2020-02-11', timestamp '2001-01-01') -- error: stride must be greater than zero
justify_days(interval '1 year 65 days') -- 1 year 2 mons 5 days
justify_hours(interval '50 hours 10 minutes') -- 2 days 02:10:00
justify_interval(interval '1 mon -1 hour') -- 29 days 23:00:00
justify_interval(interval '-1 mon 1 hour') -- -29 days -23:00:00
justify_days(interval '1 mon -1 day') -- 29 days
justify_hours(interval '1 day -1 hour') -- 23:00:00
isfinite(date '2001-02-16') -- true
timezone('America/New_York', timestamptz '2001-02-16 20:38:40+00') -- 2001-02-16 15:38:40
date_add('2021-10-31 00:00:00+02'::timestamptz, '1 day'::interval, 'Europe/Warsaw') -- 2021-10-31 23:00:00+00
date_subtract('2021-11-01 00:00:00+01'::timestamptz, '1 day'::interval, 'Europe/Warsaw') -- 2021-10-30 22:00:00+00
(DATE '2001-02-16', DATE '2001-12-21') OVERLAPS (DATE '2001-10-30', DATE '2002-10-30') -- true
(DATE '2001-02-16', INTERVAL '100 days') OVERLAPS (DATE '2001-10-30', DATE '2002-10-30') -- false
(DATE '2001-10-29', DATE '2001-10-30') OVERLAPS (DATE '2001-10-30', DATE '2001-10-31') -- false
(DATE '2001-10-30', DATE '2001-10-30') OVERLAPS (DATE '2001-10-30', DATE '2001-10-31') -- true
(DATE '2001-10-30', NULL) OVERLAPS (DATE '2001-10-29', DATE '2001-10-31') -- true
(DATE '2001-10-30', NULL) OVERLAPS (DATE '2001-11-29', DATE '2001-12-31') -- null
to_date('05 Dec 2000', 'DD Mon YYYY') -- 2000-12-05
to_date('2000-2-5 and more', 'YYYY-MM-DD') -- 2000-02-05
to_date('20000229', 'YYYYMMDD') -- 2000-02-29
to_date('march 7, 1950', 'Month DD, YYYY') -- 1950-03-07
to_date('2001-02-29', 'YYYY-MM-DD') -- error: date field value out of range
to_date('5', 'YYYY-MM-DD') -- error: invalid input syntax for type integer: "'5'"
to_date(NULL, 'YYYY') -- null
to_timestamp('2000-12-05 08:15:23.5', 'YYYY-MM-DD HH24:MI:SS.MS') -- 2000-12-05 08:15:23.5+00
to_timestamp('05/12/2000 12:30 am', 'DD/MM/YYYY HH12:MI AM') -- 2000-12-05 00:30:00+00
to_timestamp('05/12/2000 11:30 pm', 'DD/MM/YYYY HH:MI PM') -- 2000-12-05 23:30:00+00
to_timestamp('2000-12-05T25', 'YYYY-MM-DD"T"HH24') -- error: date/time field value out of range
to_timestamp(1.5) -- 1970-01-01 00:00:01.5+00
to_timestamp('2000-01-01 13', 'YYYY-MM-DD HH12') -- error: invalid input syntax for type integer: "'13'"
to_timestamp('2000-01-01 12', 'YYYY-MM-DD HH') -- 2000-01-01 00:00:00+00
to_timestamp('2000-01-01 13', 'YYYY-MM-DD HH24') -- 2000-01-01 13:00:00+00
-- Numbers and moments in a format.
to_char(1234.5, '9999.99') --  1234.50
'[' || to_char(-0.1, '99.99') || ']' -- [  -.10]
'[' || to_char(-0.1, 'FM9.99') || ']' -- [-.1]
'[' || to_char(-0.1, 'FM90.99') || ']' -- [-0.1]
'[' || to_char(0.1, '0.9') || ']' -- [ 0.1]
'[' || to_char(12, '9990999.9') || ']' -- [    0012.0]
'[' || to_char(12, 'FM9990999.9') || ']' -- [0012.]
'[' || to_char(485, '999') || ']' -- [ 485]
'[' || to_char(-485, '999') || ']' -- [-485]
'[' || to_char(485, '9 9 9') || ']' -- [ 4 8 5]
'[' || to_char(1485, '9,999') || ']' -- [ 1,485]
'[' || to_char(1485, '9G999') || ']' -- [ 1,485]
'[' || to_char(148.5, '999.999') || ']' -- [ 148.500]
'[' || to_char(148.5, 'FM999.999') || ']' -- [148.5]
'[' || to_char(148.5, 'FM999.990') || ']' -- [148.500]
'[' || to_char(148.5, '999D999') || ']' -- [ 148.500]
'[' || to_char(3148.5, '9G999D999') || ']' -- [ 3,148.500]
'[' || to_char(-485, '999S') || ']' -- [485-]
'[' || to_char(-485, '999MI') || ']' -- [485-]
'[' || to_char(485, '999MI') || ']' -- [485 ]
'[' || to_char(485, 'FM999MI') || ']' -- [485]
'[' || to_char(485, 'PL999') || ']' -- [+ 485]
'[' || to_char(485, 'SG999') || ']' -- [+485]
'[' || to_char(-485, 'SG999') || ']' -- [-485]
'[' || to_char(-485, '9SG99') || ']' -- [4-85]
'[' || to_char(-485, '999PR') || ']' -- [<485>]
'[' || to_char(485, 'RN') || ']' -- [        CDLXXXV]
'[' || to_char(485, 'FMRN') || ']' -- [CDLXXXV]
'[' || to_char(5.2, 'FMRN') || ']' -- [V]
'[' || to_char(482, '999th') || ']' -- [ 482nd]
'[' || to_char(485, '"Good number:"999') || ']' -- [Good number: 485]
'[' || to_char(485.8, '"Pre:"999" Post:" .999') || ']' -- [Pre: 485 Post: .800]
'[' || to_char(12, '99V999') || ']' -- [ 12000]
'[' || to_char(12.4, '99V999') || ']' -- [ 12400]
'[' || to_char(12.45, '99V9') || ']' -- [ 125]
'[' || to_char(125, '999') || ']' -- [ 125]
'[' || to_char(125.8::real, '999D9') || ']' -- [ 125.8]
'[' || to_char(-125.8, '999D99S') || ']' -- [125.80-]
'[' || to_char(1234567, '999,999') || ']' -- [ ###,###]
'[' || to_char(0.5, '.99') || ']' -- [ .##]
'[' || to_char(0, '9.99') || ']' -- [  .00]
'[' || to_char(0, '999') || ']' -- [   0]
'[' || to_char(100, 'FM999') || ']' -- [100]
'[' || to_char(0.125::float8, '0.99') || ']' -- [ 0.12]
'[' || to_char(2.675::float8, '0.99') || ']' -- [ 2.67]
'[' || to_char(-0.001::float8, '0.99') || ']' -- [-0.00]
'[' || to_char('NaN'::float8, '999') || ']' -- [ NaN]
'[' || to_char('NaN'::float8, '9.99') || ']' -- [ #.##]
'[' || to_char('infinity'::float8, '9999999999') || ']' -- [   Infinity]
'[' || to_char(123456789012345.67::float8, '999999999999999.99') || ']' -- [ 123456789012346]
'[' || to_char(12345678901234.67::float8, '999999999999999.99') || ']' -- [  12345678901234.7]
'[' || to_char(1e25::float8, '999999999999999.99') || ']' -- [ ###############.]
'[' || to_char(1234567.891, 'FM999,999,999.00') || ']' -- [1,234,567.89]
'[' || to_char(1234567.891, 'FM$999,999,990.00') || ']' -- [$1,234,567.89]
to_char(5, '000') --  005
to_char(null::int, '999') -- null
to_char(interval '15h 2m 12s', 'HH24:MI:SS') -- 15:02:12
to_char(timestamp '2002-04-20 17:31:12.66', 'FMDay, FMDD  HH12:MI:SS') -- Saturday, 20  05:31:12
to_char(timestamp '2002-04-20 17:31:12.66', 'FMMonth DDth, YYYY') -- April 20th, 2002
to_char(timestamp '2002-04-20 17:31:12.66', 'Y,YYY YYY Y IYY IY I BC CC J RM| rm| W WW IDDD A.M. SSSS SSSSS FF3 TZ OF TZH') -- 2,002 002 2 002 02 2 AD 21 2452385 IV  | iv  | 3 16 111 P.M. 63072 63072 660  +00 +00
to_char(timestamp '2002-04-20 17:31:12.66', 'yyyy-mm-dd hh24:mi:ss') -- 2002-04-20 17:31:12
to_char(timestamptz '2002-04-20 17:31:12.66+00', 'yyyy-mm-dd"T"hh24:mi:ss TZ OF') -- 2002-04-20T17:31:12 UTC +00
to_char(date '2002-04-20', 'dd Mon yyyy, Dy') -- 20 Apr 2002, Sat
to_char(interval '-1 year -2 mon -3 days -04:05:06.7', 'YYYY-MM-DD HH24:MI:SS.MS') -- -0001--02--3 -04:-05:-06.-700
to_char(interval '100 hours', 'HH24 HH12') -- 100 04
-- Bytes, widths of format, later matches, arrays, and other functions.
encode(sha224('abc'::bytea), 'hex') -- 23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7
encode(sha384('abc'::bytea), 'hex') -- cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7
encode(sha512('abc'::bytea), 'hex') -- ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
encode(sha512(''::bytea), 'hex') -- cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e
md5('abc'::bytea) -- 900150983cd24fb0d6963f7d28e17f72
to_bin(5) -- 101
to_bin(0) -- 0
to_bin(-1::int) -- 11111111111111111111111111111111
to_oct(-1::bigint) -- 1777777777777777777777
to_oct(2147483647) -- 17777777777
to_hex(255::smallint) -- ff
format('|%10s|', 'foo') -- |       foo|
format('|%-10s|', 'foo') -- |foo       |
format('|%*s|', 10, 'foo') -- |       foo|
format('|%*s|', -10, 'foo') -- |foo       |
format('|%-*s|', 10, 'foo') -- |foo       |
format('|%-*s|', -10, 'foo') -- |foo       |
format('Testing %3$s, %2$s, %s', 'one', 'two', 'three') -- Testing three, two, three
format('|%*2$s|', 'foo', 10, 'bar') -- |       bar|
format('|%2$*3$s|', 'foo', 'bar', 6) -- |   bar|
format('|%5L|%L', null, 'a') -- | NULL|'a'
get_byte('\x1234567890'::bytea, 4) -- 144
get_byte('\x1234567890'::bytea, 5) -- error: an index outside of the bytes
set_byte('\x1234567890'::bytea, 4, 64) -- \x1234567840
get_bit('\x1234567890'::bytea, 30) -- 1
set_bit('\x1234567890'::bytea, 30, 0) -- \x1234563890
set_bit('\x1234567890'::bytea, 30, 2) -- error: new bit must be 0 or 1
bit_count('\x1234567890'::bytea) -- 15
substring('\x1234567890'::bytea from 3 for 2) -- \x5678
substr('\x1234567890'::bytea, 3, 2) -- \x5678
position('\x5678'::bytea in '\x1234567890'::bytea) -- 3
position('\x5679'::bytea in '\x1234567890'::bytea) -- 0
overlay('\x1234567890'::bytea placing '\002\003'::bytea from 2 for 3) -- \x12020390
trim('\x9012'::bytea from '\x1234567890'::bytea) -- \x345678
btrim('\x1234567890'::bytea, '\x9012'::bytea) -- \x345678
ltrim('\x1234567890'::bytea, '\x9012'::bytea) -- \x34567890
rtrim('\x1234567890'::bytea, '\x9012'::bytea) -- \x12345678
btrim('\x1212'::bytea, '\x12'::bytea) -- \x
length('\x1234567890'::bytea) -- 5
octet_length('\x1234567890'::bytea) -- 5
bit_length('\x1234567890'::bytea) -- 40
'\x123456'::bytea || '\x789a00bcde'::bytea -- \x123456789a00bcde
'\x12'::bytea || '\x34' -- \x1234
convert_from('text_in_utf8'::bytea, 'UTF8') -- text_in_utf8
convert_from('\xff'::bytea, 'UTF8') -- error: invalid byte sequence for encoding "UTF8"
convert_from('\x4100'::bytea, 'UTF8') -- error: invalid byte sequence for encoding "UTF8"
encode('123\000\001', 'base64') -- MTIzAAE=
encode('123\000456'::bytea, 'escape') -- 123\000456
decode('123\000456', 'escape') -- \x31323300343536
decode('a\\b\134\\', 'escape') -- \x615c625c5c
decode('a\b', 'escape') -- error: invalid input syntax for type bytea
'\xDE AD BE EF'::bytea -- \xdeadbeef
'a\\b'::bytea -- \x615c62
array_lower(array[1,2], 1) -- 1
array_lower('{}'::int[], 1) -- null
array_ndims(array[1,2]) -- 1
array_dims(array[1,2]) -- [1:2]
array_dims('{}'::int[]) -- null
array_fill(11, ARRAY[3]) -- {11,11,11}
trim_array(array[1,2,3,4,5,6], 2) -- {1,2,3,4}
trim_array(array[1,2], 3) -- error: number of elements to trim must be between 0 and their number
array_position(array['sun','mon','tue','mon'], 'mon', 3) -- 4
array_position(array['sun','mon','tue','mon'], 'sun', 3) -- null
array_position(array['sun','mon','tue','mon'], 'sun', 0) -- 1
regexp_instr('number of your street, town zip, FR', '[^,]+', 1, 2) -- 23
regexp_instr('aXbXc', 'X', 1, 2, 1) -- 5
regexp_instr('aXbXc', 'X', 1, 3) -- 0
regexp_instr('aXbXc', 'X', 3, 1) -- 4
regexp_instr('aXbXcX', 'X', 3, 2) -- 6
regexp_substr('ABCDEFGHI', '(c..)(...)', 1, 1, 'i', 2) -- FGH
regexp_substr('ABCDEFGHI', '(c..)(...)', 1, 1, 'i', 3) -- null
regexp_substr('a1b2c3', '([a-z])([0-9])', 1, 3, '', 2) -- 3
regexp_replace('A PostgreSQL function', 'a|e|i|o|u', 'X', 1, 3, 'i') -- A PostgrXSQL function
regexp_replace('A PostgreSQL function', 'a|e|i|o|u', 'X', 1, 0, 'i') -- X PXstgrXSQL fXnctXXn
regexp_replace('a1b2c3', '([a-z])([0-9])', '\2\1', 1, 2) -- a12bc3
regexp_replace('a1b2c3', '([a-z])([0-9])', '\2\1', 1, 9) -- a1b2c3
normalize('äb', NFD) = normalize('äb') -- false
'äb' IS NORMALIZED -- true
'äb' IS NOT NORMALIZED -- false
normalize('ﬁ', NFKC) -- fi
|/ 25.0 -- 5
||/ 64.0 -- 4
'alphabet' ^@ 'alph' -- true
extract(timezone from timestamptz '2001-02-16 20:38:40.12-08') -- 0
extract(timezone_hour from timestamptz '2001-02-16 20:38:40.12-08') -- 0
extract(julian from date '2006-01-01') -- 2453737
date_part('julian', date '2006-01-01') -- 2453737
date_trunc('day', timestamptz '2001-02-16 20:38:40+00', 'Australia/Sydney') -- 2001-02-16 13:00:00+00
date_trunc('day', timestamp '2001-02-16 20:38:40') -- 2001-02-16 00:00:00
width_bucket(5, array[1,3,4]) -- 3
width_bucket(0.5, array[1,3,4]) -- 0
width_bucket(4, array[1,3,4]) -- 3
-- Texts read by a format.
to_number('12,454.8-', '99G999D9S') -- -12454.8
to_number('1,234.56', '9,999.99') -- 1234.56
to_number('1234.5', '9,999.99') -- 1234.50
to_number('-1,234.5', '9,999.99') -- -1234.50
to_number('$1,234.50', '"$"9,999.99') -- 1234.50
to_number('$1,234.50', '$9,999.99') -- 1234.50
to_number('<12>', '99PR') -- -12
to_number('12', '99PR') -- 12
to_number('+12', 'S99') -- 12
to_number('-12', 'MI99') -- -12
to_number('1234', '99') -- error: invalid input syntax for type numeric(2,0): "'1234'"
to_number('x', '99') -- error: invalid input syntax for type numeric(2,0): "'x'"
to_number('', '99') -- error: invalid input syntax for type numeric(2,0): ""
to_number(null, '99') -- null
to_date('31.1.24', 'DD.MM.YY') -- 2024-01-31
to_date('31.1.2024', 'DD.MM.YY') -- error: invalid input syntax for type integer: "'31.1.2024'"
to_date('240131', 'YYMMDD') -- 2024-01-31
to_date('310170', 'DDMMYY') -- 1970-01-31
to_date('2024-031', 'YYYY-DDD') -- 2024-01-31
to_date('2024-366', 'YYYY-DDD') -- 2024-12-31
to_date('2023-366', 'YYYY-DDD') -- error: date field value out of range
to_date('2023-000', 'YYYY-DDD') -- error: date field value out of range
to_date('Wed, 31 Jan 2024', 'Dy, DD Mon YYYY') -- 2024-01-31
to_date('wednesday 31 Jan 2024', 'FMDay FMDD Mon YYYY') -- 2024-01-31
to_timestamp('2024-060 13:05', 'YYYY-DDD HH24:MI') -- 2024-02-29 13:05:00+00
to_timestamp('31/01/24 13:05:06.5', 'DD/MM/YY HH24:MI:SS.MS') -- 2024-01-31 13:05:06.5+00
'abc' SIMILAR TO 'a#_c' ESCAPE '#' -- false
'a_c' SIMILAR TO 'a#_c' ESCAPE '#' -- true
'a\c' SIMILAR TO 'a\c' ESCAPE '#' -- true
'a_c' NOT SIMILAR TO 'a#_c' ESCAPE '#' -- false
'a%' LIKE 'a!%' ESCAPE '!' -- true
normalize('a', nfkd) -- a
-- Abbreviations of time zones know no summer, the zones of cities do.
timestamptz '2020-07-01 12:00+00' AT TIME ZONE 'CET' -- 2020-07-01 13:00:00
timestamptz '2020-07-01 12:00+00' AT TIME ZONE 'eet' -- 2020-07-01 14:00:00
timestamptz '2020-07-01 12:00+00' AT TIME ZONE 'Europe/Paris' -- 2020-07-01 14:00:00
timestamptz '2020-07-01 12:00+00' AT TIME ZONE lower('cet') -- 2020-07-01 13:00:00
timestamptz '2020-07-01 12:00+00' AT TIME ZONE NULL -- null
to_timestamp('2024-02-29 24:00', 'YYYY-MM-DD HH24:MI') -- error: date/time field value out of range
to_timestamp('10:11:60', 'HH24:MI:SS') -- error: date/time field value out of range
