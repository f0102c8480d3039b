SELECT id, ARRAY(SELECT y.id FROM r y WHERE y.g = r.g ORDER BY y.id) FROM r;
SELECT id, ARRAY(SELECT y.a FROM r y WHERE y.s.x = r.s.x ORDER BY y.id DESC) FROM r;
SELECT id, len(ARRAY(SELECT y.id FROM r y WHERE y.a = r.a AND y.id < r.id)) FROM r;
SELECT ARRAY(SELECT id FROM r WHERE g = 1 ORDER BY 1), list_contains(ARRAY(SELECT id FROM r), 5);
SELECT id, ARRAY(SELECT y.s.x + 1 AS k FROM r y WHERE y.g = r.g AND y.s.x IS NOT NULL ORDER BY k) FROM r;
SELECT id FROM r WHERE ARRAY(SELECT y.id FROM r y WHERE y.g = r.g ORDER BY y.id)[1] = r.id;
SELECT id, ARRAY(SELECT v FROM unnest(r.a) u(v) WHERE v > 0 ORDER BY v) FROM r;
