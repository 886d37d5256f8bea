-- Between which of a store's polls did the most time pass?
SELECT
    store_id,
    max(gap_us) AS longest_gap_us
FROM (
    SELECT
        store_id,
        CAST(polled_at AS bigint)
        - lag(CAST(polled_at AS bigint)) OVER (PARTITION BY store_no ORDER BY polled_at) AS gap_us
    FROM polls
) AS gaps
WHERE gap_us IS NOT NULL
GROUP BY store_id
ORDER BY
    longest_gap_us DESC,
    store_id
LIMIT 20
