-- Figures of each store by bucket: the result of `uptime_by(bucket, from, to)`.
--
-- in   bucket_tallies (store_id, tally)
-- out  uptime_by (store_id, bucket, starts_at, ends_at, open, up, down, unknown, uptime_pct,
--      coverage_pct, polls, incidents, longest, utc_offset), one row per store and bucket; times in
--      microseconds and shares in percent, as in `uptime`; bucket is a local time, starts_at and
--      ends_at are UTC; utc_offset is the clock's offset at starts_at, like '-06:00'
--
-- An outage that spans several buckets counts in each, with its part in that bucket.
WITH tallied AS (
    SELECT
        store_id,
        tally['bucket'] AS bucket,
        tally['starts_at'] AS starts_at,
        tally['ends_at'] AS ends_at,
        tally['up'] AS up,
        tally['down'] AS down,
        tally['unknown'] AS unknown,
        tally['polls'] AS polls,
        tally['incidents'] AS incidents,
        tally['longest'] AS longest,
        tally['offset'] AS offset_us
    FROM bucket_tallies
)
SELECT
    store_id,
    bucket,
    starts_at,
    ends_at,
    up + down + unknown AS open,
    up,
    down,
    unknown,
    percent(up, up + down) AS uptime_pct,
    percent(up + down, up + down + unknown) AS coverage_pct,
    polls,
    incidents,
    longest,
    offset_text(offset_us) AS utc_offset
FROM tallied
