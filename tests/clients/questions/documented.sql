-- Questions on which uptally and PostgreSQL differ, each with why right above it.

-- A local time that comes twice is the earlier instant here; PostgreSQL takes the later one.
SELECT TIMESTAMP '2023-11-05 01:30:00' AT TIME ZONE 'America/New_York' AS at;

-- Integers are 64 bits wide where nothing says otherwise; PostgreSQL's are 32.
SELECT 2147483647 + 1 AS refused;

-- Integers are 64 bits wide where nothing says otherwise; PostgreSQL's are 32.
SELECT 2147483647 * 2 AS refused;

-- Integers are 64 bits wide where nothing says otherwise; PostgreSQL's are 32.
SELECT (store_no + 2147483647) FROM stores ORDER BY store_no LIMIT 2;

-- Integers are 64 bits wide where nothing says otherwise; PostgreSQL's are 32.
SELECT pg_typeof(1)::text AS kind;

-- A sum of integers beyond 64 bits is refused; PostgreSQL's is numeric.
SELECT sum(n) AS whole FROM (VALUES (9223372036854775807), (1)) AS v (n);

-- A sum of integers beyond 64 bits is refused; PostgreSQL's is numeric.
SELECT sum(n) AS whole, avg(n) AS mean FROM (VALUES (9223372036854775807::bigint), (9223372036854775807)) AS v (n);

-- The larger of booleans is answered; PostgreSQL has no max of them.
SELECT max(active) AS refused FROM polls;

-- Seconds of make_time are whole here; PostgreSQL's have a fraction.
SELECT make_time(9, 30, 15.5) AS clock;

-- An offset that is given as a text is refused, as PostgreSQL reads its sign west of Greenwich.
SELECT TIMESTAMPTZ '2023-01-24 09:30Z' AT TIME ZONE '+05:30' AS local;

-- Operators of PostgreSQL alone are refused; sqrt is the same.
SELECT |/ 25.0 AS root;

-- Operators of PostgreSQL alone are refused; abs is the same.
SELECT @ -5 AS size;

-- Numbers with a point are doubles where nothing says otherwise; PostgreSQL's are numeric.
SELECT 0.1 + 0.2 AS exact, 0.1 + 0.2 = 0.3 AS same, 0.1::float8 + 0.2::float8 = 0.3::float8 AS floating;

-- There is no width_bucket; the refusal names what says the same.
SELECT width_bucket(5.5, 0, 10, 5) AS bucket;

-- Doubles divided by zero are infinite, as IEEE 754 says; PostgreSQL refuses.
SELECT 1.0 / 0 AS refused;

-- Doubles divided by zero are infinite, as IEEE 754 says; PostgreSQL refuses.
SELECT 1::float8 / 0 AS refused;

-- The logarithm of zero is infinite, as IEEE 754 says; PostgreSQL refuses.
SELECT ln(0) AS refused;

-- A cast is named as it is written, so that ORDER BY means the column; in PostgreSQL it means the cast.
SELECT store_no::text, polls::float8 FROM stores ORDER BY store_no LIMIT 3;

-- Texts of numbers have no patterns here.
SELECT to_char(1234.5, 'FM9,999.00') AS text;

-- Texts of numbers have no patterns here.
SELECT to_number('1,234.5', '9,999.9') AS number;

-- BETWEEN SYMMETRIC is not read.
SELECT 2 BETWEEN SYMMETRIC 3 AND 1 AS inside;

-- ANY and ALL take a select, and no VALUES without one.
SELECT 3 > ALL (VALUES (1), (2)) AS yes, 3 > ALL (VALUES (1), (NULL)) AS unknown;

-- Frames of windows leave out no rows between their ends.
SELECT store_no, sum(polls) OVER (ORDER BY store_no ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW) AS others FROM stores ORDER BY store_no;

-- MATERIALIZED is not read by each entry point.
WITH a AS MATERIALIZED (SELECT store_no FROM stores), b AS (SELECT max(store_no) AS last FROM a) SELECT last FROM b;

-- FETCH takes rows by their number alone.
SELECT n FROM (VALUES (1), (2), (2), (3)) AS v (n) ORDER BY n FETCH FIRST 2 ROWS WITH TIES;

-- TABLE alone is not read; SELECT * FROM is the same.
TABLE time_zones ORDER BY store_no LIMIT 3;

-- TABLE alone is not read; SELECT * FROM is the same.
SELECT count(*) AS zones FROM (TABLE time_zones) AS t;

-- A LATERAL subquery takes no LIMIT that counts for each row around it.
SELECT s.store_no, p.polled_at FROM stores AS s CROSS JOIN LATERAL (SELECT polled_at FROM polls WHERE polls.store_no = s.store_no ORDER BY polled_at DESC LIMIT 1) AS p ORDER BY s.store_no;

-- ARRAY takes no subquery; array_agg in one is the same.
SELECT ARRAY(SELECT store_no FROM stores WHERE store_no < 4 ORDER BY store_no) AS numbers;

-- Statements are not written by statements here.
SELECT quote_literal('it''s') AS literal;

-- Statements are not written by statements here; clients of PostgreSQL alone ask for it.
SELECT quote_ident('a b') AS name;

-- There is no mode; the refusal names what says the same.
SELECT mode() WITHIN GROUP (ORDER BY time_zone) AS usual FROM time_zones;

-- JSON is a format of answers here, and no type.
SELECT json_agg(n ORDER BY n) AS numbers FROM (VALUES (1), (2)) AS v (n);

-- JSON is a format of answers here, and no type.
SELECT json_build_object('a', 1, 'b', 'x') AS object;

-- Operators of PostgreSQL alone are not read by each entry point.
SELECT 5 # 3 AS either;

-- Numbers with a point are doubles, of which texts have the digits that tell them apart.
SELECT 1.50::text AS places, 1e20::float8::text AS large;

-- A column without an alias is named as it is written; PostgreSQL names it by its function, or ?column?.
SELECT count(*), 1 + 1 FROM stores;
