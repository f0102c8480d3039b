select g, covar_pop(x, y) + 1, covar_samp(f, y) + 1, covar_pop(n, o) + 1, covar_samp(x, n) + 1 from r group by g;
select corr(x, y) + 2, corr(o, f) + 2, regr_slope(y, o) + 1, regr_intercept(y, o), regr_r2(y, f) from r where o > 0;
select g, regr_count(y, f), regr_avgx(y, f), regr_avgy(y, f), regr_sxx(y, f), regr_syy(y, f), regr_sxy(y, f) + 1 from r group by g;
select g, covar_pop(x, y) filter (where b) + 1, regr_count(x, y) filter (where o > 2) from r group by g;
select id, covar_pop(o, y) over (partition by g order by id rows between 3 preceding and current row) + 1 from r;
select id, covar_samp(o, f) over (partition by g order by id) + 1, regr_count(y, o) over (partition by g) from r;
