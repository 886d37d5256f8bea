-- Literals and casts
SELECT INTERVAL '1 day 02:03:04.5' AS length;
SELECT INTERVAL '100' AS length;
SELECT '100'::interval AS length;
SELECT '1.5 hours'::interval AS length, '90 min'::interval AS minutes, '2 weeks'::interval AS weeks;
SELECT INTERVAL '1' DAY AS length, INTERVAL '5' MINUTE AS minutes;
SELECT INTERVAL 'P1DT2H' AS length, 'PT90M'::interval AS minutes;
SELECT INTERVAL '1 year 2 months' AS length, INTERVAL '-3 days' AS back;
SELECT INTERVAL '1 day ago' AS ago;
SELECT '04:05'::interval AS clock, '04:05:06'::interval AS seconds;
SELECT '1 04:05:06'::interval AS days;
SELECT make_interval(days => 1, hours => 2) AS length;
SELECT make_interval(0, 1, 0, 2, 3) AS length;
SELECT TIME '04:05:06'::interval AS length;
SELECT INTERVAL '1 day 02:03:04.5'::text AS text, (INTERVAL '26 hours')::text AS hours, (INTERVAL '14 months')::text AS months;
SELECT 'soon'::interval AS refused;

-- Comparison by length
SELECT INTERVAL '1 day' = INTERVAL '24 hours' AS same, INTERVAL '1 month' = INTERVAL '30 days' AS month, INTERVAL '36 hours' > INTERVAL '1 day' AS longer;
SELECT INTERVAL '25 hours' BETWEEN INTERVAL '1 day' AND INTERVAL '2 days' AS between_days, INTERVAL '24 hours' IN (INTERVAL '1 day') AS among;
SELECT max(length) AS longest, min(length) AS shortest FROM (VALUES (INTERVAL '36 hours'), (INTERVAL '1 day'), (INTERVAL '1 day 11:59:00')) AS v (length);
SELECT length FROM (VALUES (INTERVAL '36 hours'), (INTERVAL '1 day'), (INTERVAL '1 day 11:59:00'), (INTERVAL '1 month'), (INTERVAL '29 days')) AS v (length) ORDER BY length;
SELECT count(DISTINCT length) AS lengths FROM (VALUES (INTERVAL '24 hours'), (INTERVAL '1 day'), (INTERVAL '1440 minutes')) AS v (length);
SELECT count(*) AS times FROM (VALUES (INTERVAL '24 hours'), (INTERVAL '1 day'), (INTERVAL '2 days')) AS v (length) GROUP BY length ORDER BY length;
SELECT greatest(INTERVAL '1 day', INTERVAL '30 hours') AS longer, least(INTERVAL '1 month', INTERVAL '31 days') AS shorter;
SELECT count(*) AS stores FROM stores WHERE last_polled_at - first_polled_at > INTERVAL '5 days';
SELECT count(*) AS stores FROM stores WHERE last_polled_at - first_polled_at > INTERVAL '130 hours';
SELECT store_id FROM stores WHERE last_polled_at IS NOT NULL ORDER BY last_polled_at - first_polled_at DESC, store_id LIMIT 5;
SELECT a.length FROM (VALUES (INTERVAL '24 hours')) AS a (length) JOIN (VALUES (INTERVAL '1 day')) AS b (length) ON a.length = b.length;
SELECT rank() OVER (ORDER BY length) AS place FROM (VALUES (INTERVAL '24 hours'), (INTERVAL '1 day'), (INTERVAL '2 days')) AS v (length) ORDER BY place;
SELECT INTERVAL '1 day' <> INTERVAL '24 hours' AS unlike, INTERVAL '1 day' IS DISTINCT FROM INTERVAL '24 hours' AS distinct_from;
SELECT CASE INTERVAL '24 hours' WHEN INTERVAL '1 day' THEN 'a day' ELSE 'other' END AS word, nullif(INTERVAL '24 hours', INTERVAL '1 day') AS nothing;

-- Arithmetic
SELECT DATE '2023-01-24' + INTERVAL '9 hours' AS local;
SELECT DATE '2023-01-31' + INTERVAL '1 month' AS local, DATE '2023-01-24' - INTERVAL '1 day' AS before;
SELECT DATE '2023-01-24' + 7 AS day, DATE '2023-01-24' - DATE '2022-12-25' AS days, 7 + DATE '2023-01-24' AS also;
SELECT DATE '2023-01-24' + TIME '09:30' AS local, TIME '09:30' + INTERVAL '3 hours' AS clock, TIME '23:30' + INTERVAL '1 hour' AS wrapped;
SELECT TIME '17:00' - TIME '09:30' AS length, TIME '09:30' > TIME '08:00' AS later;
SELECT TIMESTAMPTZ '2023-01-24 09:30Z' - TIMESTAMPTZ '2023-01-22 12:00Z' AS difference;
SELECT TIMESTAMP '2023-01-31 09:30' + INTERVAL '1 month' AS local, TIMESTAMP '2023-03-31 09:30' - INTERVAL '1 month' AS before;
SELECT INTERVAL '1 hour' * 3 AS three, 2 * INTERVAL '1 day' AS two, INTERVAL '1 day' * 1.5 AS more, 0.5 * INTERVAL '1 hour' AS half;
SELECT INTERVAL '1 day' / 2 AS half, INTERVAL '1 hour' / 7 AS seventh, INTERVAL '1 month' / 2 AS half_month;
SELECT INTERVAL '1 day' + INTERVAL '2 hours' AS both, INTERVAL '1 day' - INTERVAL '2 hours' AS less, -INTERVAL '1 day' AS back;
SELECT polls * INTERVAL '1 minute' AS length FROM stores ORDER BY store_id LIMIT 3;
SELECT max(polled_at) - min(polled_at) AS length FROM polls;
SELECT TIMESTAMPTZ '2023-01-24 09:30Z' + 3 * INTERVAL '1 hour' AS at;
SELECT sum(length) AS whole FROM (VALUES (INTERVAL '36 hours'), (INTERVAL '1 day')) AS v (length);
SELECT avg(length) AS mean FROM (VALUES (INTERVAL '36 hours'), (INTERVAL '1 day')) AS v (length);
SELECT avg(last_polled_at - first_polled_at) > INTERVAL '5 days' AS longer FROM stores;
SELECT sum(last_polled_at - first_polled_at) AS whole FROM stores;
SELECT age(TIMESTAMP '2023-03-01', TIMESTAMP '2023-01-24 12:00') AS length;
SELECT justify_hours(INTERVAL '27 hours') AS length;
SELECT DATE '2023-01-24' + DATE '2023-01-24' AS refused;
SELECT INTERVAL '1 day' * INTERVAL '1 day' AS refused;

-- Parts of differences
SELECT extract(epoch FROM max(polled_at) - min(polled_at)) AS seconds FROM polls;
SELECT extract(hour FROM TIMESTAMP '2023-01-24 09:30' - TIMESTAMP '2023-01-22 08:00') AS hours, extract(day FROM TIMESTAMP '2023-01-24 09:30' - TIMESTAMP '2023-01-22 08:00') AS days;
SELECT extract(epoch FROM INTERVAL '1 day 00:00:01.5') AS seconds, extract(epoch FROM INTERVAL '1 month') AS month, extract(epoch FROM INTERVAL '1 year') AS year;
SELECT extract(second FROM INTERVAL '00:01:02.75') AS second, extract(minute FROM INTERVAL '90 minutes') AS minute, extract(month FROM INTERVAL '14 months') AS month, extract(year FROM INTERVAL '14 months') AS year;
SELECT date_part('epoch', TIMESTAMPTZ '2023-01-24 09:30:00.25Z' - TIMESTAMPTZ '2023-01-24 09:00Z') AS seconds;
SELECT extract(hour FROM last_polled_at - first_polled_at) AS hours, count(*) AS stores FROM stores GROUP BY 1 ORDER BY 1;
SELECT extract(epoch FROM polled_at - lag(polled_at) OVER (PARTITION BY store_id ORDER BY polled_at)) AS gap FROM polls ORDER BY gap DESC NULLS LAST LIMIT 5;

-- Series
SELECT at FROM generate_series(TIMESTAMPTZ '2023-01-24 00:00Z', TIMESTAMPTZ '2023-01-24 12:00Z', INTERVAL '6 hours') AS g (at) ORDER BY at;
SELECT n FROM generate_series(1, 10, 3) AS g (n) ORDER BY n;
SELECT d::date AS day FROM generate_series(DATE '2023-01-30', DATE '2023-02-02', INTERVAL '1 day') AS g (d) ORDER BY day;
