-- The report of a chain with the default rules, in plain DuckDB.
--
-- in   stores.parquet (store, store_id, zone), store = rank of store_id in byte order
--      hours.parquet (store, day_of_week, start_us, end_us), 0 = Monday, since local midnight
--      polls.parquet (store, polled_at, active), sorted by store, polled_at, active DESC
-- out  one row a store, ascending by store_id, integer microseconds
-- args none; the files are read from the working directory
--
-- Three things make it quick. The polls are never sorted again: DuckDB guarantees the row order of
-- a file under an empty OVER (), so one pass folds them to the rows where the status changes. The
-- spans of a store are made disjoint by cutting each at the reach of those before it, one window
-- and no GROUP BY. Only the folded runs, and only the active ones, meet the spans.
WITH clock AS (
  SELECT
    epoch_us(max(polled_at)) AS now_us,
    now_us - 3600000000 AS hour_at,
    now_us - 86400000000 AS day_at,
    now_us - 604800000000 AS week_at
  FROM 'polls.parquet'
),
zoned_stores AS (
  SELECT
    store,
    store_id,
    CASE WHEN zone IN (SELECT name FROM pg_timezone_names()) THEN zone ELSE 'America/Chicago' END
      AS zone
  FROM 'stores.parquet'
),
-- The offset of each zone at the start of each UTC day that a local date of the week can touch.
-- Only the direction UTC -> local is asked of ICU: in a fold the other one takes the later instant.
day_offsets AS (
  SELECT
    zone,
    day_us,
    epoch_us(timezone(zone, make_timestamptz(day_us))) - day_us AS day_offset_us,
    lead(day_offset_us) OVER (PARTITION BY zone ORDER BY day_us) AS day_offset_after_us
  FROM (SELECT DISTINCT zone FROM zoned_stores)
  CROSS JOIN (
    SELECT unnest(range(week_at // 86400000000 - 4, now_us // 86400000000 + 5)) * 86400000000
      AS day_us
    FROM clock
  )
),
-- A day on which the offset changes is searched minute by minute.
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
-- An offset rules from the local time at which the larger of the old and the new one reaches the
-- change: a gap is crossed with the old offset (forward by its length), a fold as well (earlier).
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
  FROM (
    SELECT unnest(range(week_at // 86400000000 - 2, now_us // 86400000000 + 2)) AS day
    FROM clock
  )
),
local_spans AS (
  SELECT
    store,
    zone,
    date_us + start_us AS starts_us,
    date_us + end_us + CASE WHEN end_us <= start_us THEN 86400000000 ELSE 0 END AS ends_us
  FROM 'hours.parquet'
  JOIN zoned_stores USING (store)
  JOIN dates USING (day_of_week)
),
laid_spans AS (
  SELECT
    store,
    greatest(starts_us - opening.offset_us, week_at) AS starts_at,
    least(ends_us - closing.offset_us, now_us) AS ends_at
  FROM local_spans AS l
  JOIN offsets AS opening
    ON opening.zone = l.zone
    AND starts_us >= opening.local_from_us
    AND starts_us < opening.local_until_us
  JOIN offsets AS closing
    ON closing.zone = l.zone
    AND ends_us >= closing.local_from_us
    AND ends_us < closing.local_until_us
  CROSS JOIN clock
  WHERE greatest(starts_us - opening.offset_us, week_at)
    < least(ends_us - closing.offset_us, now_us)
),
spans AS (
  SELECT
    store,
    greatest(starts_at, coalesce(reach, starts_at)) AS starts_at,
    ends_at
  FROM (
    SELECT
      *,
      max(ends_at) OVER (
        PARTITION BY store
        ORDER BY starts_at
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS reach
    FROM laid_spans
  )
  WHERE reach IS NULL OR ends_at > reach
  UNION ALL
  SELECT
    store,
    week_at,
    now_us
  FROM 'stores.parquet'
  ANTI JOIN 'hours.parquet' USING (store)
  CROSS JOIN clock
),
changes AS (
  SELECT
    store,
    epoch_us(polled_at) AS changed_at,
    active,
    store_before IS DISTINCT FROM store AS first
  FROM (
    SELECT
      store,
      polled_at,
      active,
      lag(store) OVER () AS store_before,
      lag(active) OVER () AS active_before
    FROM 'polls.parquet'
  )
  WHERE store_before IS DISTINCT FROM store OR active_before <> active
),
neighbours AS (
  SELECT
    *,
    lead(store) OVER () AS store_after,
    lead(changed_at) OVER () AS changed_after_at
  FROM changes
),
-- The first status reaches back. Of two statuses at one instant the inactive one comes second and
-- thereby wins; where they are a store's first, it is also the one that reaches back.
active_runs AS (
  SELECT
    store,
    CASE WHEN first THEN week_at ELSE greatest(changed_at, week_at) END AS starts_at,
    CASE WHEN store_after = store THEN changed_after_at ELSE now_us END AS ends_at
  FROM neighbours
  CROSS JOIN clock
  WHERE active
    AND (NOT first OR store_after IS DISTINCT FROM store OR changed_after_at > changed_at)
),
uptimes AS (
  SELECT
    store,
    sum(greatest(0, least(s.ends_at, r.ends_at) - greatest(s.starts_at, r.starts_at, hour_at)))
      AS last_hour,
    sum(greatest(0, least(s.ends_at, r.ends_at) - greatest(s.starts_at, r.starts_at, day_at)))
      AS last_day,
    sum(least(s.ends_at, r.ends_at) - greatest(s.starts_at, r.starts_at)) AS last_week
  FROM spans AS s
  JOIN active_runs AS r USING (store)
  CROSS JOIN clock
  WHERE s.starts_at < r.ends_at AND r.starts_at < s.ends_at
  GROUP BY store
),
scheduled AS (
  SELECT
    store,
    sum(greatest(0, ends_at - greatest(starts_at, hour_at))) AS last_hour,
    sum(greatest(0, ends_at - greatest(starts_at, day_at))) AS last_day,
    sum(ends_at - starts_at) AS last_week
  FROM spans
  -- A store without polls is unknown throughout.
  SEMI JOIN (SELECT store FROM changes WHERE first) USING (store)
  CROSS JOIN clock
  GROUP BY store
)
SELECT
  store_id,
  coalesce(u.last_hour, 0)::BIGINT AS uptime_last_hour,
  coalesce(u.last_day, 0)::BIGINT AS uptime_last_day,
  coalesce(u.last_week, 0)::BIGINT AS uptime_last_week,
  coalesce(s.last_hour, 0)::BIGINT - uptime_last_hour AS downtime_last_hour,
  coalesce(s.last_day, 0)::BIGINT - uptime_last_day AS downtime_last_day,
  coalesce(s.last_week, 0)::BIGINT - uptime_last_week AS downtime_last_week
FROM 'stores.parquet'
LEFT JOIN uptimes AS u USING (store)
LEFT JOIN scheduled AS s USING (store)
ORDER BY store
