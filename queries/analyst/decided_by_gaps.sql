-- Share of each store's open time this week that rests on a poll more than two hours away.
--
-- out  percent of the open time without a poll within two hours
-- args none
SELECT
    week.store_id,
    round(100.0 * (near.unknown - week.unknown) / week.open, 2) AS decided_by_gaps_pct,
    week.uptime_pct,
    near.uptime_pct AS uptime_pct_near
FROM uptime() AS week
INNER JOIN uptime('max_gap=2h') AS near
    ON near.store_id = week.store_id
WHERE week.open > 0
ORDER BY
    decided_by_gaps_pct DESC,
    week.store_id
