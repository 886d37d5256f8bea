-- The report as its standard columns have it, but in microseconds: how long was each store up and
-- down in the hour, the day and the week before the latest poll?
--
-- args none; for another *now*, put an instant in place of each latest_poll()
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
