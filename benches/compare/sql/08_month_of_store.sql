-- How often was one store polled on each day of the month, and how often was it active?
SELECT
    polled_on,
    count(*) AS polls,
    count(*) FILTER (WHERE active) AS active_polls,
    max(polled_at) AS last_polled_at
FROM polls
WHERE store_id = '{store_id}'
GROUP BY polled_on
ORDER BY polled_on
