-- Uptime by hour and weekday over the last four weeks.
--
-- out  one row per hour of local time in which any store was open: uptime in percent, and the
--      hours of open time; weekday 0 is Monday
-- args none
SELECT
    (date_part('dow', bucket) + 6) % 7 AS weekday,
    date_part('hour', bucket) AS hour,
    round(100.0 * sum(up) / sum(up + down), 2) AS uptime_pct,
    round(sum(open) / 3600e6, 2) AS open_hours
FROM uptime_by('hour', latest_poll() - INTERVAL '28 days', latest_poll())
WHERE up + down > 0
GROUP BY
    1,
    2
ORDER BY
    1,
    2
