-- Daily uptime of the chain this week, each store by its own calendar.
--
-- out  one row per day: stores that were open, uptime in percent, stores with an outage
-- args none
SELECT
    CAST(bucket AS DATE) AS day,
    count(*) FILTER (WHERE open > 0) AS stores_open,
    round(100.0 * sum(up) / nullif(sum(up + down), 0), 2) AS uptime_pct,
    count(*) FILTER (WHERE incidents > 0) AS stores_with_outages
FROM uptime_by('day')
GROUP BY 1
ORDER BY 1
