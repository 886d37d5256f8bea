-- What uptally's table functions stand for, in plain DuckDB over the same files: when stores are
-- open, and which status held when. `../report.sql` says why zones are laid out by hand.
--
-- in   polls, carried, business_hours and stores, views of the files
-- out  open_spans(from_us, to_us): store_no, starts_us, ends_us; disjoint for each store
--      status_runs(from_at, to_at), from midnight UTC on: store_no, active, starts_us, ends_us
-- All in integer microseconds.
CREATE MACRO open_spans(from_us, to_us) AS TABLE
WITH day_offsets AS (
    SELECT
        zone,
        day_us,
        epoch_us(timezone(zone, make_timestamptz(day_us))) - day_us AS day_offset_us,
        lead(day_offset_us) OVER (PARTITION BY zone ORDER BY day_us) AS day_offset_after_us
    FROM (SELECT DISTINCT time_zone AS zone FROM stores)
    CROSS JOIN (
        SELECT unnest(range(from_us // 86400000000 - 4, to_us // 86400000000 + 5)) * 86400000000
            AS day_us
    )
),
minute_offsets AS (
    SELECT
        zone,
        day_us + minute * 60000000 AS minute_us,
        epoch_us(timezone(zone, make_timestamptz(minute_us))) - minute_us AS offset_us,
        lag(offset_us) OVER (PARTITION BY zone, day_us ORDER BY minute) AS offset_before_us
    FROM day_offsets
    CROSS JOIN (SELECT unnest(range(1441)) AS minute)
    WHERE day_offset_us <> day_offset_after_us
),
offset_starts AS (
    SELECT
        zone,
        day_offset_us AS offset_us,
        -9000000000000000000 AS local_from_us
    FROM day_offsets
    QUALIFY row_number() OVER (PARTITION BY zone ORDER BY day_us) = 1
    UNION ALL
    SELECT
        zone,
        offset_us,
        minute_us + greatest(offset_us, offset_before_us)
    FROM minute_offsets
    WHERE offset_us <> offset_before_us
),
offsets AS (
    SELECT
        zone,
        offset_us,
        local_from_us,
        lead(local_from_us, 1, 9000000000000000000) OVER (PARTITION BY zone ORDER BY local_from_us)
            AS local_until_us
    FROM offset_starts
),
dates AS (
    SELECT
        day * 86400000000 AS date_us,
        (day + 3) % 7 AS day_of_week
    FROM (SELECT unnest(range(from_us // 86400000000 - 2, to_us // 86400000000 + 2)) AS day)
),
local_spans AS (
    SELECT
        store_no,
        time_zone AS zone,
        date_us + start_local_s::bigint * 1000000 AS starts_us,
        date_us + end_local_s::bigint * 1000000
        + CASE WHEN end_local_s <= start_local_s THEN 86400000000 ELSE 0 END AS ends_us
    FROM business_hours
    JOIN stores USING (store_no)
    JOIN dates USING (day_of_week)
),
laid_spans AS (
    SELECT
        store_no,
        greatest(l.starts_us - opening.offset_us, from_us) AS starts_us,
        least(l.ends_us - closing.offset_us, to_us) AS ends_us
    FROM local_spans AS l
    JOIN offsets AS opening
        ON opening.zone = l.zone
        AND l.starts_us >= opening.local_from_us
        AND l.starts_us < opening.local_until_us
    JOIN offsets AS closing
        ON closing.zone = l.zone
        AND l.ends_us >= closing.local_from_us
        AND l.ends_us < closing.local_until_us
    WHERE greatest(l.starts_us - opening.offset_us, from_us)
        < least(l.ends_us - closing.offset_us, to_us)
)
SELECT
    store_no,
    greatest(starts_us, coalesce(reach, starts_us)) AS starts_us,
    ends_us
FROM (
    SELECT
        *,
        max(ends_us) OVER (
            PARTITION BY store_no
            ORDER BY starts_us
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS reach
    FROM laid_spans
)
WHERE reach IS NULL OR ends_us > reach
UNION ALL
SELECT
    store_no,
    from_us,
    to_us
FROM stores
ANTI JOIN business_hours USING (store_no);

-- The days asked for, and what was carried into the first of them.
CREATE MACRO status_runs(from_at, to_at) AS TABLE
WITH asked AS (
    SELECT
        store_no,
        epoch_us(polled_at) AS polled_us,
        active
    FROM polls
    WHERE polled_on BETWEEN from_at::date AND to_at::date AND polled_at < to_at
    UNION ALL
    SELECT
        store_no,
        epoch_us(polled_at),
        active
    FROM carried
    WHERE carried_into = from_at::date
),
changes AS (
    SELECT *
    FROM (
        SELECT
            *,
            lag(active) OVER (PARTITION BY store_no ORDER BY polled_us) AS active_before
        FROM asked
    )
    WHERE active_before IS DISTINCT FROM active
)
-- The first status reaches back.
SELECT
    store_no,
    active,
    CASE WHEN active_before IS NULL THEN epoch_us(from_at) ELSE polled_us END AS starts_us,
    lead(polled_us, 1, epoch_us(to_at)) OVER (PARTITION BY store_no ORDER BY polled_us) AS ends_us
FROM changes;
