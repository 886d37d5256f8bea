-- Uptime this week by time zone.
--
-- args none
SELECT
    stores.time_zone,
    count(*) AS stores,
    round(100.0 * sum(week.up) / nullif(sum(week.up + week.down), 0), 2) AS uptime_pct,
    round(sum(week.down) / 3600e6, 2) AS hours_down
FROM uptime() AS week
INNER JOIN stores
    ON stores.store_id = week.store_id
GROUP BY stores.time_zone
ORDER BY
    uptime_pct,
    stores.time_zone
