-- Stores that miss the uptime target this month, and by how much.
--
-- out  stores below the target over the calendar month of the latest poll in their own time zone:
--      uptime in percent, and the minutes of downtime beyond what the target allows
-- args $target_pct, such as 99.5
WITH months AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY store_id ORDER BY starts_at DESC) AS months_ago
    FROM uptime_by('month', latest_poll() - INTERVAL '31 days', latest_poll())
)
SELECT
    store_id,
    bucket AS month,
    uptime_pct,
    round((down - (up + down) * (100 - $target_pct) / 100.0) / 60e6, 1) AS minutes_too_many
FROM months
WHERE months_ago = 1
    AND 100.0 * up < $target_pct * (up + down)
ORDER BY
    minutes_too_many DESC,
    store_id
