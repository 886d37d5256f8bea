-- Figures of each store over a range: the result of `uptime(from, to)`.
--
-- in   range_tallies (store_id, times, outages, polls)
-- out  uptime (store_id, open, up, down, unknown, uptime_pct, coverage_pct, polls, incidents,
--      longest), one row per store; times in microseconds; shares in percent with two decimals,
--      null if undefined; longest is null without an incident
-- args $no_data, the state to count time without a poll as: 'unknown', 'down' or 'up'
--
-- For every store, exactly: up + down + unknown = open.
WITH tallied AS (
    SELECT
        store_id,
        times['up'] + CASE WHEN $no_data = 'up' THEN times['unknown'] ELSE 0 END AS up,
        times['down'] + CASE WHEN $no_data = 'down' THEN times['unknown'] ELSE 0 END AS down,
        CASE WHEN $no_data = 'unknown' THEN times['unknown'] ELSE 0 END AS unknown,
        polls,
        outages['incidents'] AS incidents,
        outages['longest'] AS longest
    FROM range_tallies
)
SELECT
    store_id,
    up + down + unknown AS open,
    up,
    down,
    unknown,
    percent(up, up + down) AS uptime_pct,
    percent(up + down, up + down + unknown) AS coverage_pct,
    polls,
    incidents,
    longest
FROM tallied
