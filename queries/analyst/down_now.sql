-- Stores that are down at the latest poll of the chain, and since when.
--
-- out  stores with an open incident in the last week, the longest downtime first
-- args none
SELECT
    store_id,
    starts_local AS down_since,
    round(downtime / 60e6, 1) AS minutes_down
FROM incidents()
WHERE is_open
ORDER BY
    downtime DESC,
    store_id
