-- Figures of each store over a range: the result of `uptime(from, to)`.
--
-- in   range_tallies (store_id, times, outages, polls)
-- out  uptime (store_id, open, up, down, unknown, uptime_pct, coverage_pct, polls, incidents,
--      longest), one row per store; times in microseconds; shares in percent with two decimals,
--      null if undefined; longest is null without an incident
--
-- For every store, exactly: up + down + unknown = open.
WITH tallied AS (
    SELECT
        store_id,
        times['up'] AS up,
        times['down'] AS down,
        times['unknown'] AS unknown,
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
