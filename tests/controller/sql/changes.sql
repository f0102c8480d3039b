## Tables and changes
-- A column that is not given has its default, or is null.
CREATE TABLE stock (id int PRIMARY KEY, kind text DEFAULT 'new', n int DEFAULT 0 NOT NULL);
INSERT INTO stock (id) VALUES (1), (2);
INSERT INTO stock VALUES (3, 'old', 5), (4, DEFAULT, 1), (5, NULL, 2);
CREATE TABLE moved (id int, n int);
INSERT INTO moved SELECT id, n FROM stock WHERE n > 0;
-- Of a row whose key is taken: leave what is there, or change it; `excluded` is the row that came.
INSERT INTO stock VALUES (1, 'other', 9), (6, 'other', 9) ON CONFLICT DO NOTHING;
INSERT INTO stock AS s VALUES (1, 'third', 4), (7, 'third', 4) ON CONFLICT (id) DO UPDATE SET n = s.n + excluded.n WHERE s.n < 100;
-- Changed by what stands in other tables. Of several new rows for one row the least is taken.
UPDATE stock SET n = stock.n + m.n, kind = 'moved' FROM moved m WHERE m.id = stock.id AND m.n > 1;
UPDATE stock SET kind = DEFAULT WHERE id IN (SELECT max(id) FROM stock);
DELETE FROM stock USING moved m WHERE m.id = stock.id AND m.n = 1;
-- RETURNING: an answer of the very rows that were written or deleted, by the same statement. `old` and `new` are a row as it was and as it is.
INSERT INTO stock (id, kind) VALUES (8, 'late'), (9, 'late') RETURNING id, n + 1 AS next;
INSERT INTO stock VALUES (9, 'later', 2), (10, 'later', 2) ON CONFLICT (id) DO UPDATE SET n = excluded.n RETURNING *;
UPDATE stock SET n = n + 1 WHERE kind = 'late' RETURNING id, n;
DELETE FROM stock WHERE kind = 'later' RETURNING id;
-- A table of what a query gives, with all of its rows or not there at all.
CREATE TABLE late AS SELECT id, n FROM stock WHERE kind = 'late';
-- How long a text may be: what is longer is refused, by INSERT, UPDATE and appends; blanks at its end are cut off.
CREATE TABLE coded (code varchar(3) CONSTRAINT coded_pkey PRIMARY KEY, name varchar(20) COLLATE "C" NOT NULL DEFAULT '');
INSERT INTO coded VALUES ('JFK', 'Kennedy'), ('EWR', DEFAULT);
