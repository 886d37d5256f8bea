-- Stores with the least uptime in the week before the latest poll.
--
-- out  the ten stores with the least uptime: percent, hours of downtime, number of outages, and
--      hours of the longest one
-- args none
SELECT
    store_id,
    uptime_pct,
    round(down / 3600e6, 2) AS hours_down,
    incidents,
    round(longest / 3600e6, 2) AS longest_hours
FROM uptime()
WHERE uptime_pct IS NOT NULL
ORDER BY
    uptime_pct,
    hours_down DESC,
    store_id
LIMIT 10
