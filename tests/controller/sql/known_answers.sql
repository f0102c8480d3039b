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
length(encode(convert_to(repeat('x', 57), 'UTF8'), 'base64')) -- 76
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
regexp_count('hello wo', '\b') -- error: a regular expression that matches the empty text neither counts nor splits
regexp_instr('éABCDEF', 'C(.)') -- 4
regexp_instr('ABC', 'x') -- 0
regexp_substr('ABCDEF', 'C(.)') -- CD
regexp_substr('ABC', 'x') -- null
regexp_match('foobarbequebaz', '(bar)(beque)') -- {bar,beque}
regexp_match('foobarbequebaz', 'bar.*que') -- {barbeque}
regexp_match('b', '(a)?b') -- {NULL}
regexp_match('a]b(c', '[]x(](b)\((c)', 'i') -- {b,c}
regexp_match('abc', 'x') -- null
regexp_match('abc', '(') -- error: invalid regular expression
regexp_split_to_array('hello  world ', '\s+') -- {hello,world,""}
regexp_split_to_array('helLo', 'l', 'i') -- {he,"",o}
2 BETWEEN SYMMETRIC 3 AND 1 -- true
2 NOT BETWEEN SYMMETRIC 3 AND 1 -- false
NULL BETWEEN SYMMETRIC 3 AND 1 -- null
