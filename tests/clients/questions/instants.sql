-- Literals, in all spellings
SELECT TIMESTAMPTZ '2023-01-24 09:30:00Z' AS at;
SELECT TIMESTAMPTZ '2023-01-24T09:30:00+02:00' AS at;
SELECT TIMESTAMPTZ '2023-01-24 09:30:00-0530' AS at;
SELECT TIMESTAMPTZ '2023-01-24 09:30 UTC' AS at;
SELECT TIMESTAMPTZ '2023-01-24 09:30 America/Chicago' AS at;
SELECT TIMESTAMPTZ '2023-01-24 09:30:00.123456 Asia/Kolkata' AS at;
SELECT TIMESTAMPTZ '2023-01-24' AS at;
SELECT TIMESTAMPTZ '20230124T093000Z' AS at;
SELECT TIMESTAMP WITH TIME ZONE '2023-01-24 09:30:00+01' AS at;
SELECT TIMESTAMP '2023-01-24 09:30:00.5' AS local;
SELECT TIMESTAMP '2023-01-24' AS local;
SELECT TIMESTAMP WITHOUT TIME ZONE '2023-01-24 09:30' AS local;
SELECT DATE '2023-01-24' AS day, TIME '09:30' AS clock, TIME '23:59:59.999999' AS last;
SELECT '2023-01-24 09:30'::timestamptz AS at, '2023-01-24 09:30'::timestamp AS local, '2023-01-24'::date AS day;
SELECT CAST('2023-01-24T09:30Z' AS timestamptz) AS at;
SELECT '2021-03-28 02:30 Europe/Brussels'::timestamptz AS in_gap;
SELECT to_timestamp(1674577339) AS at;
SELECT to_timestamp(1674577339.388884) AS at;
SELECT make_timestamptz(2023, 1, 24, 9, 30, 15.5) AS at;
SELECT make_timestamptz(2023, 1, 24, 9, 30, 15.5, 'Asia/Tokyo') AS at;
SELECT make_timestamp(2023, 1, 24, 9, 30, 15.5) AS local;
SELECT make_date(2023, 1, 24) AS day;

-- Comparisons with text
SELECT count(*) AS polls FROM polls WHERE polled_at >= '2023-01-24 09:30';
SELECT count(*) AS polls FROM polls WHERE polled_at >= '2023-01-24T09:30Z';
SELECT count(*) AS polls FROM polls WHERE polled_at >= '2023-01-24';
SELECT count(*) AS polls FROM polls WHERE polled_at BETWEEN '2023-01-23' AND '2023-01-24 12:00 America/Chicago';
SELECT count(*) AS polls FROM polls WHERE polled_at < DATE '2023-01-24';
SELECT count(*) AS polls FROM polls WHERE polled_at < TIMESTAMP '2023-01-24 09:30';
SELECT count(*) AS polls FROM polls WHERE polled_on = '2023-01-24';
SELECT count(*) AS polls FROM polls WHERE polled_on IN ('2023-01-24', '2023-01-20');
SELECT count(*) AS polls FROM polls WHERE polled_at::date = polled_on;
SELECT count(*) AS polls FROM polls WHERE polled_at > polled_on;

-- AT TIME ZONE
SELECT TIMESTAMPTZ '2023-01-24 09:30Z' AT TIME ZONE 'America/Chicago' AS local;
SELECT TIMESTAMP '2023-01-24 09:30' AT TIME ZONE 'America/Chicago' AS at;
SELECT TIMESTAMP '2023-01-24 09:30' AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Tokyo' AS local;
SELECT TIMESTAMP '2023-03-12 02:30' AT TIME ZONE 'America/New_York' AS in_gap;
SELECT TIMESTAMPTZ '2023-11-05 05:30Z' AT TIME ZONE 'America/New_York' AS first, TIMESTAMPTZ '2023-11-05 06:30Z' AT TIME ZONE 'America/New_York' AS second;
SELECT TIMESTAMPTZ '2023-07-01 12:00Z' AT TIME ZONE 'europe/london' AS any_case;
SELECT DATE '2023-01-24' AT TIME ZONE 'Asia/Tokyo' AS local;
SELECT timezone('America/Chicago', TIMESTAMPTZ '2023-01-24 09:30Z') AS local;
SELECT timezone('America/Chicago', TIMESTAMP '2023-01-24 09:30') AS at;
SELECT TIMESTAMPTZ '2023-01-24 09:30Z' AT TIME ZONE INTERVAL '-5 hours' AS local;
SELECT TIMESTAMPTZ '2023-01-24 09:30Z' AT TIME ZONE NULL AS nothing;
SELECT TIMESTAMPTZ '2023-01-24 09:30Z' AT TIME ZONE 'Mars/Olympus' AS refused;
SELECT store_id, max(p.polled_at) AT TIME ZONE max(z.time_zone) AS local FROM polls AS p JOIN time_zones AS z USING (store_id) GROUP BY store_id ORDER BY store_id;
SELECT count(DISTINCT (polled_at AT TIME ZONE 'Asia/Tokyo')::date) AS days FROM polls;
SELECT (polled_at AT TIME ZONE 'America/Los_Angeles')::date AS day, count(*) AS polls FROM polls GROUP BY day ORDER BY day;
SELECT count(*) AS polls FROM polls WHERE (polled_at AT TIME ZONE 'America/Chicago')::time BETWEEN '09:00' AND '17:00';
SELECT count(*) AS polls FROM polls WHERE polled_at AT TIME ZONE 'Asia/Tokyo' >= '2023-01-24';
SELECT date_trunc('day', TIMESTAMPTZ '2023-01-24 20:30Z' AT TIME ZONE 'Asia/Tokyo') AT TIME ZONE 'Asia/Tokyo' AS at;
SELECT date_trunc('month', DATE '2023-01-24') AS month;

-- Casts
SELECT TIMESTAMPTZ '2023-01-24 23:30Z'::timestamp AS local, TIMESTAMPTZ '2023-01-24 23:30Z'::date AS day, TIMESTAMPTZ '2023-01-24 23:30Z'::time AS clock;
SELECT (TIMESTAMPTZ '2023-01-24 23:30Z' AT TIME ZONE 'Asia/Tokyo')::date AS day, (TIMESTAMPTZ '2023-01-24 23:30Z' AT TIME ZONE 'Asia/Tokyo')::time AS clock, (TIMESTAMPTZ '2023-01-24 23:30Z' AT TIME ZONE 'Asia/Tokyo')::timestamp AS local;
SELECT DATE '2023-01-24'::timestamptz AS at, DATE '2023-01-24'::timestamp AS local;
SELECT TIMESTAMPTZ '2023-01-24 09:30:00.5Z'::text AS at;
SELECT TIMESTAMP '2023-01-24 09:30'::text AS local, DATE '2023-01-24'::text AS day, TIME '09:30'::text AS clock;
SELECT TIMESTAMP '1969-12-31 23:59:59.5'::date AS day, TIMESTAMP '1969-12-31 23:59:59.5'::time AS clock;
SELECT date('2023-01-24 23:30'::timestamp) AS day;
SELECT max(polled_at), max(polled_at::date) FROM polls;
SELECT 'yesterday-ish'::date AS refused;
SELECT '2023-02-30'::date AS refused;
SELECT '2023-01-24 25:00'::timestamp AS refused;

-- date_trunc, date_bin
SELECT date_trunc('hour', TIMESTAMPTZ '2023-01-24 09:30Z') AS at, date_trunc('week', TIMESTAMP '2023-01-24 09:30') AS week;
SELECT date_trunc('day', TIMESTAMPTZ '2023-01-24 03:30Z', 'America/Chicago') AS at;
SELECT date_trunc('month', TIMESTAMPTZ '2023-03-20 03:30Z', 'America/Chicago') AS at;
SELECT date_trunc('day', polled_at, 'Asia/Tokyo') AS day, count(*) AS polls FROM polls GROUP BY 1 ORDER BY 1;
SELECT date_trunc('quarter', TIMESTAMP '2023-05-24 09:30') AS local;
SELECT date_trunc('decade', TIMESTAMP '2023-05-24 09:30') AS decade;
SELECT date_trunc('milliseconds', TIMESTAMP '2023-05-24 09:30:01.234567') AS local;
SELECT date_trunc('century', TIMESTAMP '2023-05-24 09:30') AS century;
SELECT date_trunc('hour', INTERVAL '3 days 04:05:06') AS length;
SELECT date_bin(INTERVAL '15 minutes', TIMESTAMPTZ '2023-01-24 09:37Z', TIMESTAMPTZ '2000-01-01Z') AS at;
SELECT date_bin('6 hours', TIMESTAMP '2023-01-24 09:37', TIMESTAMP '2001-01-01 02:00') AS local;
SELECT date_bin('1 month', TIMESTAMP '2023-01-24 09:37', TIMESTAMP '2001-01-01') AS refused;
SELECT date_bin('1 day', polled_at AT TIME ZONE 'Asia/Tokyo', TIMESTAMP '2001-01-01') AS day, count(*) AS polls FROM polls GROUP BY 1 ORDER BY 1;
SELECT date_trunc('fortnight', TIMESTAMP '2023-05-24 09:30') AS refused;

-- Parts
SELECT extract(second FROM TIMESTAMPTZ '2023-01-24 09:30:15.25Z') AS second, extract(hour FROM TIMESTAMPTZ '2023-01-24 09:30:15.25Z') AS hour;
SELECT extract(epoch FROM TIMESTAMPTZ '2023-01-24 09:30:15.388884Z') AS epoch, extract(epoch FROM DATE '2023-01-24') AS of_day, extract(epoch FROM TIME '09:30:00.5') AS of_clock;
SELECT extract(isodow FROM DATE '2023-01-22') AS isodow, extract(dow FROM DATE '2023-01-22') AS dow, extract(doy FROM DATE '2023-03-01') AS doy, extract(week FROM DATE '2023-01-01') AS week, extract(isoyear FROM DATE '2023-01-01') AS isoyear;
SELECT extract(milliseconds FROM TIMESTAMP '2023-01-24 09:30:15.25') AS ms, extract(microseconds FROM TIMESTAMP '2023-01-24 09:30:15.25') AS us;
SELECT extract(quarter FROM DATE '2023-05-24') AS quarter;
SELECT extract(decade FROM DATE '2023-01-24') AS decade, extract(century FROM DATE '2023-01-24') AS century;
SELECT date_part('minute', TIMESTAMP '2023-01-24 09:30:15') AS minute, date_part('year', DATE '2023-01-24') AS year;
SELECT extract(hour FROM TIME '09:30:15.5') AS hour, extract(second FROM TIME '09:30:15.5') AS second;
SELECT extract(hour FROM polled_at), extract(hour FROM polled_at AT TIME ZONE 'America/Chicago') FROM polls ORDER BY polled_at, store_id LIMIT 3;
SELECT extract(hour FROM polled_at AT TIME ZONE 'America/Chicago') AS hour, count(*) AS polls FROM polls GROUP BY hour ORDER BY hour;
SELECT extract(fortnight FROM DATE '2023-01-24') AS refused;
SELECT extract(hour FROM DATE '2023-01-24') AS refused;
SELECT to_char(TIMESTAMP '2023-01-24 09:05:07', 'YYYY-MM-DD HH24:MI:SS') AS text, to_char(TIMESTAMPTZ '2023-01-24 21:05:07Z', 'Dy DD Mon HH12:MI AM') AS words;
SELECT isfinite(TIMESTAMP '2023-01-24') AS finite;
