-- The report: figures of every store in microseconds, by ascending id.
--
-- in   tallies (store_id, last_hour, last_day, last_week), windows are structs of up, down, unknown
-- out  report (store_id, uptime_*, downtime_*, unknown_*, scheduled_*), one row per store, all but
--      the id in microseconds
--
-- For every store and window, exactly: uptime + downtime + unknown = scheduled.
SELECT
    store_id,
    last_hour['up'] AS uptime_last_hour,
    last_day['up'] AS uptime_last_day,
    last_week['up'] AS uptime_last_week,
    last_hour['down'] AS downtime_last_hour,
    last_day['down'] AS downtime_last_day,
    last_week['down'] AS downtime_last_week,
    last_hour['unknown'] AS unknown_last_hour,
    last_day['unknown'] AS unknown_last_day,
    last_week['unknown'] AS unknown_last_week,
    last_hour['up'] + last_hour['down'] + last_hour['unknown'] AS scheduled_last_hour,
    last_day['up'] + last_day['down'] + last_day['unknown'] AS scheduled_last_day,
    last_week['up'] + last_week['down'] + last_week['unknown'] AS scheduled_last_week
FROM tallies
ORDER BY store_id
