-- Mean time to repair and mean uptime between outages of each store, over the last four weeks.
--
-- args none
SELECT
    store_id,
    incidents,
    round(down / 60e6 / incidents, 1) AS minutes_to_repair,
    round(up / 3600e6 / incidents, 2) AS hours_between
FROM uptime(latest_poll() - INTERVAL '28 days', latest_poll())
WHERE incidents > 0
ORDER BY
    incidents DESC,
    store_id
