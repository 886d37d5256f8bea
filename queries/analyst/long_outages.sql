-- When was one store down for more than 30 minutes of its open hours, by its own clock?
--
-- out  each outage of the last 30 days, in order of time; one that still runs is open
-- args $store_id, the store
SELECT
    starts_local,
    ends_local,
    round(downtime / 60e6, 1) AS minutes_down,
    is_open
FROM incidents(latest_poll() - INTERVAL '30 days', latest_poll(), INTERVAL '30 minutes')
WHERE store_id = $store_id
ORDER BY starts_at
