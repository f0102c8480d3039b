SELECT id, cardinality(a), array_length(a, 1), array_upper(a, 1) FROM r;
SELECT id, array_contains(a, 1), array_positions(a, 1), array_position(a, 2) FROM r WHERE a IS NOT NULL;
SELECT id, array_prepend(g, a), array_append(a, g), array_cat(a, [1]), list_concat(a, m[1]) FROM r WHERE a IS NOT NULL AND m[1] IS NOT NULL;
SELECT id, array_remove(a, 1), array_replace(a, 1, 9) FROM r WHERE a IS NOT NULL;
SELECT id, array_sort(a), array_reverse(a), array_sort(f), array_sort(w) FROM r;
SELECT id, array_dims(a), array_lower(a, 1), array_fill(g, ARRAY[2]), trim_array(a, 0) FROM r;
