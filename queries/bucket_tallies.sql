-- Tallies time up, down and unknown within open hours, and outages, by store and bucket of local
-- time.
--
-- in   histories (store_id, time_zone, spans, timeline, polls)
-- out  bucket_tallies (store_id, tally), one row per store and bucket; tally is a struct of bucket
--      (its start in local time), starts_at and ends_at (clipped to the range), up, down, unknown
--      and longest (microseconds, null without an incident), polls, incidents and offset (local
--      time minus UTC at starts_at, microseconds)
-- args $bucket, a length like '5 minutes' or '3 months'; $time_zone, whose calendar is used, null
--      for each store's own; $from and $now, the range; $no_data, the state to count time without
--      a poll as: 'unknown', 'down' or 'up'
SELECT
    store_id,
    unnest(
        times_by(
            $bucket,
            coalesce($time_zone, time_zone),
            timeline,
            polls,
            spans,
            $from,
            $now,
            $no_data
        )
    ) AS tally
FROM histories
