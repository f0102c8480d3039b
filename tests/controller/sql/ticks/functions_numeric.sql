SELECT id, gcd(i, n), lcm(i % 1000, n % 1000), bit_count(i), factorial(g), div(d, 0.7) FROM r;
SELECT id, width_bucket(d, -10, 20.5, 7), width_bucket(d::double precision, -10, 20.5, 7) FROM r;
SELECT id, sinh(f), cosh(f), tanh(f), asinh(h), log2(abs(d) + 1) FROM r;
SELECT id, cot(d), sind(d), cosd(d), tand(d), min_scale(d) FROM r WHERE d <> 0;
SELECT num_nulls(f, d), count(*), max(gcd(i, 12)), sum(div(i, 7)) FROM r GROUP BY 1;
SELECT id FROM r WHERE width_bucket(d, -30, 30, 6) = 3 AND num_nulls(s, w) < 2;
SELECT id, asind(f / 50), acosd(h / 50), atand(f), atan2d(f, h) FROM r WHERE abs(f) < 50 AND abs(h) < 50;
