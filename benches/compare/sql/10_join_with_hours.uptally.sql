-- How many polls fall into the weekly hours of their stores, were the hours in UTC?
SELECT
    day_of_week,
    count(*) AS polls,
    count(*) FILTER (WHERE active) AS active_polls
FROM polls
INNER JOIN business_hours USING (store_no)
WHERE
    (CAST(polled_on AS int) + 3) % 7 = day_of_week
    AND CAST(polled_at AS bigint) % 86400000000 >= start_local_s * CAST(1000000 AS bigint)
    AND CAST(polled_at AS bigint) % 86400000000 < end_local_s * CAST(1000000 AS bigint)
GROUP BY day_of_week
ORDER BY day_of_week
