-- How long each store was up, down and unknown within its open hours, and its outages, by buckets
-- of the clock on the wall.
--
-- in   histories (store_id, time_zone, spans, timeline, polls)
-- out  bucket_tallies (store_id, tally), one row a store and bucket, tally a struct of bucket (the
--      local time at which it starts), starts_at and ends_at (cut to the range), up, down, unknown
--      and longest (microseconds, null without an incident), polls, incidents and offset (local time
--      minus UTC at starts_at, microseconds)
-- args $bucket, a length like '5 minutes' or '3 months'; $time_zone, whose calendar counts, null for that
--      of each store; $from and $now, the range
SELECT
    store_id,
    unnest(
        times_by($bucket, coalesce($time_zone, time_zone), timeline, polls, spans, $from, $now)
    ) AS tally
FROM histories
