-- The report: the figures of every store, in microseconds, in ascending order of ids.
--
-- in   tallies (store_id, up_*, down_*, unknown_*)
-- out  report (store_id, uptime_*, downtime_*, unknown_*, scheduled_*), one row a store
-- args $no_data, what time that no poll vouches for is booked as: 'unknown', 'down' or 'up'
--
-- For every store and window, exactly: uptime + downtime + unknown = scheduled.
SELECT
    store_id,
    CASE WHEN $no_data = 'up' THEN up_last_hour + unknown_last_hour ELSE up_last_hour END AS uptime_last_hour,
    CASE WHEN $no_data = 'up' THEN up_last_day + unknown_last_day ELSE up_last_day END AS uptime_last_day,
    CASE WHEN $no_data = 'up' THEN up_last_week + unknown_last_week ELSE up_last_week END AS uptime_last_week,
    CASE WHEN $no_data = 'down' THEN down_last_hour + unknown_last_hour ELSE down_last_hour END AS downtime_last_hour,
    CASE WHEN $no_data = 'down' THEN down_last_day + unknown_last_day ELSE down_last_day END AS downtime_last_day,
    CASE WHEN $no_data = 'down' THEN down_last_week + unknown_last_week ELSE down_last_week END AS downtime_last_week,
    CASE WHEN $no_data = 'unknown' THEN unknown_last_hour ELSE 0 END AS unknown_last_hour,
    CASE WHEN $no_data = 'unknown' THEN unknown_last_day ELSE 0 END AS unknown_last_day,
    CASE WHEN $no_data = 'unknown' THEN unknown_last_week ELSE 0 END AS unknown_last_week,
    up_last_hour + down_last_hour + unknown_last_hour AS scheduled_last_hour,
    up_last_day + down_last_day + unknown_last_day AS scheduled_last_day,
    up_last_week + down_last_week + unknown_last_week AS scheduled_last_week
FROM tallies
ORDER BY store_id
