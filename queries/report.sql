-- The report: figures of every store in microseconds, by ascending id.
--
-- in   tallies (store_id, last_hour, last_day, last_week), windows are structs of up, down, unknown
-- out  report (store_id, uptime_*, downtime_*, unknown_*, scheduled_*), one row per store, all but
--      the id in microseconds
-- args $no_data, the state to count time without a poll as: 'unknown', 'down' or 'up'
--
-- For every store and window, exactly: uptime + downtime + unknown = scheduled.
SELECT
    store_id,
    CASE WHEN $no_data = 'up' THEN last_hour['up'] + last_hour['unknown'] ELSE last_hour['up'] END AS uptime_last_hour,
    CASE WHEN $no_data = 'up' THEN last_day['up'] + last_day['unknown'] ELSE last_day['up'] END AS uptime_last_day,
    CASE WHEN $no_data = 'up' THEN last_week['up'] + last_week['unknown'] ELSE last_week['up'] END AS uptime_last_week,
    CASE WHEN $no_data = 'down' THEN last_hour['down'] + last_hour['unknown'] ELSE last_hour['down'] END AS downtime_last_hour,
    CASE WHEN $no_data = 'down' THEN last_day['down'] + last_day['unknown'] ELSE last_day['down'] END AS downtime_last_day,
    CASE WHEN $no_data = 'down' THEN last_week['down'] + last_week['unknown'] ELSE last_week['down'] END AS downtime_last_week,
    CASE WHEN $no_data = 'unknown' THEN last_hour['unknown'] ELSE 0 END AS unknown_last_hour,
    CASE WHEN $no_data = 'unknown' THEN last_day['unknown'] ELSE 0 END AS unknown_last_day,
    CASE WHEN $no_data = 'unknown' THEN last_week['unknown'] ELSE 0 END AS unknown_last_week,
    last_hour['up'] + last_hour['down'] + last_hour['unknown'] AS scheduled_last_hour,
    last_day['up'] + last_day['down'] + last_day['unknown'] AS scheduled_last_day,
    last_week['up'] + last_week['down'] + last_week['unknown'] AS scheduled_last_week
FROM tallies
ORDER BY store_id
