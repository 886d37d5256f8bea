-- Stores whose uptime changed from the week before last to last week.
--
-- out  stores with a different figure, the largest loss first; the change is in percentage
--      points, null if a week has no figure
-- args none
SELECT
    last.store_id,
    before.uptime_pct AS uptime_pct_before,
    last.uptime_pct,
    round(last.uptime_pct - before.uptime_pct, 2) AS change
FROM uptime() AS last
INNER JOIN uptime(latest_poll() - INTERVAL '14 days', latest_poll() - INTERVAL '7 days') AS before
    ON before.store_id = last.store_id
WHERE last.uptime_pct IS DISTINCT FROM before.uptime_pct
ORDER BY
    change NULLS LAST,
    last.store_id
