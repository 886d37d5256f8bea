-- Outages of one store with more than 30 minutes of downtime, in its local time.
--
-- out  one row per outage of the last 30 days, by time; is_open if it continues
-- args $store_id, the store
SELECT
    starts_local,
    ends_local,
    round(downtime / 60e6, 1) AS minutes_down,
    is_open
FROM incidents(latest_poll() - INTERVAL '30 days', latest_poll(), INTERVAL '30 minutes')
WHERE store_id = $store_id
ORDER BY starts_at
