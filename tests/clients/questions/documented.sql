-- Questions on which uptally and PostgreSQL differ, each with why right above it.

-- A local time that comes twice is the earlier instant here; PostgreSQL takes the later one.
SELECT TIMESTAMP '2023-11-05 01:30:00' AT TIME ZONE 'America/New_York' AS at;

-- Integers are 64 bits wide where nothing says otherwise; PostgreSQL's are 32.
SELECT 2147483647 + 1 AS refused;

-- Integers are 64 bits wide where nothing says otherwise; PostgreSQL's are 32.
SELECT 2147483647 * 2 AS refused;

-- Integers are 64 bits wide where nothing says otherwise; PostgreSQL's are 32.
SELECT (store_no + 2147483647) FROM stores ORDER BY store_no LIMIT 2;

-- A sum of integers beyond 64 bits is refused; PostgreSQL's is numeric.
SELECT sum(n) AS whole FROM (VALUES (9223372036854775807), (1)) AS v (n);

-- A sum of integers beyond 64 bits is refused; PostgreSQL's is numeric.
SELECT sum(n) AS whole, avg(n) AS mean FROM (VALUES (9223372036854775807::bigint), (9223372036854775807)) AS v (n);

-- The larger of booleans is answered; PostgreSQL has no max of them.
SELECT max(active) AS refused FROM polls;

-- A date that is truncated is a local time; in PostgreSQL it is an instant.
SELECT date_trunc('month', DATE '2023-01-24') AS month;
