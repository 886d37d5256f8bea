SELECT
    active,
    count(*) AS stores
FROM (
    SELECT arg_max(active, polled_at) AS active
    FROM polls
    WHERE polled_at <= TIMESTAMP '2023-01-20 12:00:00'
    GROUP BY store_no
) AS latest
GROUP BY active
ORDER BY active
