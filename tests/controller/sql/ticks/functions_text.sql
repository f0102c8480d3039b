SELECT id, initcap(s), translate(s, 'aé1', 'eE'), overlay(s, w, 2, 1), bit_length(w) FROM r;
SELECT id, encode(convert_to(s, 'UTF8'), 'base64'), encode(sha256(convert_to(s, 'UTF8')), 'hex') FROM r;
SELECT g, max(initcap(w)), count(DISTINCT encode(sha256(convert_to(s, 'UTF8')), 'hex')) FROM r GROUP BY g;
SELECT id, to_hex(i), quote_literal(s), concat_ws(w, s, i, NULL, g) FROM r;
SELECT id, format('%s: %s%%', s, w), chr(abs(g) + 233) FROM r WHERE s || w IS NOT NULL;
SELECT id, regexp_count(s, 'a'), regexp_instr(w, 'Ж'), regexp_count(s, w) FROM r WHERE w = 'ab';
SELECT id, regexp_substr(s, '[^a-z]+'), regexp_split_to_array(s, '[ -]') FROM r WHERE s ~ '[^a-z]';
SELECT id, s FROM r WHERE g BETWEEN SYMMETRIC i AND n;
