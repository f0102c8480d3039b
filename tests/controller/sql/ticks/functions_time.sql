SELECT id, date_bin(interval '77 hours', ts, timestamp '2001-01-01 03:00:00') FROM r;
SELECT date_bin(interval '11 days', ts, timestamp '2001-01-01') AS bin, count(*), min(ts) FROM r GROUP BY bin;
SELECT id, isfinite(ts), make_timestamp(2000 + g, 1 + g, 3, 4, 5, 6.25 + g), isfinite(day) FROM r;
SELECT id, extract(epoch FROM ts), extract(isoyear FROM ts), extract(week FROM ts), extract(dow FROM ts), extract(quarter FROM ts), extract(doy FROM day) FROM r;
SELECT id, greatest(ts, day), least(f, h) FROM r;
