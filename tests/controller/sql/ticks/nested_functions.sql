-- Where DuckDB goes by PostgreSQL's rules; where it does not, the examples of the functions decide.
SELECT id, len(a), len(m), len(w), nullif(len(a), 0) FROM r;
SELECT id, list_position(a, 1), list_position(w, 'a'), list_contains(a, 2), list_contains(f, 0.0) FROM r WHERE g IS NOT NULL;
SELECT id, list_contains(f, 'nan'), list_contains(m, [1]), list_position(m, a) FROM r;
SELECT id, a @> m[1], a <@ m[1], a && m[1] FROM r WHERE a IS NOT NULL AND m[1] IS NOT NULL AND list_position(a || m[1], NULL) IS NULL;
SELECT id, list_append(a, 7), list_prepend(8, a) FROM r WHERE a IS NOT NULL;
SELECT id, list_sort(a), list_sort(w), list_sort(m), list_reverse(f), list_reverse(p) FROM r;
SELECT id, list_sort(list_distinct(a)), list_sort(list_distinct(f)), list_sort(list_distinct(m)) FROM r;
SELECT id, list_min(a), list_max(a), list_min(f), list_max(f), list_max(w), list_sum(a), list_min(m) FROM r;
SELECT id, array_to_string(a || [7], '-'), array_to_string(w || ['z'], ',') FROM r WHERE a IS NOT NULL AND w IS NOT NULL;
SELECT id, g = ANY(a), g <> ALL(a), g < ANY(a), g >= ALL(a) FROM r WHERE g IS NOT NULL AND len(a) > 0 AND list_position(a, NULL) IS NULL;
SELECT id FROM r WHERE 1 = ANY(a);
SELECT id FROM r WHERE s.x = ANY(a) AND NOT 2 = ANY(a);
SELECT len(a), count(*), min(list_sum(a)) FROM r GROUP BY len(a);
SELECT x.id, y.id FROM r x JOIN r y ON list_sort(x.a) = list_sort(y.a) AND x.id < y.id;
SELECT id, g <> ANY(a), g <= ANY(a), g > ANY(a), g >= ANY(a), g = ALL(a), g < ALL(a), g <= ALL(a), g > ALL(a) FROM r WHERE g IS NOT NULL AND len(a) > 0 AND list_position(a, NULL) IS NULL;
