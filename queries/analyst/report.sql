-- The report with its standard columns, in microseconds: time up and down of each store in the
-- hour, day and week before the latest poll.
--
-- args none; for another *now*, replace each latest_poll() by an instant
SELECT
    last_week.store_id,
    last_hour.up AS uptime_last_hour,
    last_day.up AS uptime_last_day,
    last_week.up AS uptime_last_week,
    last_hour.down AS downtime_last_hour,
    last_day.down AS downtime_last_day,
    last_week.down AS downtime_last_week
FROM uptime(latest_poll() - INTERVAL '7 days', latest_poll()) AS last_week
INNER JOIN uptime(latest_poll() - INTERVAL '1 day', latest_poll()) AS last_day
    ON last_day.store_id = last_week.store_id
INNER JOIN uptime(latest_poll() - INTERVAL '1 hour', latest_poll()) AS last_hour
    ON last_hour.store_id = last_week.store_id
ORDER BY last_week.store_id
