SELECT
    day_of_week,
    count(*) AS polls,
    count(*) FILTER (WHERE active) AS active_polls
FROM polls
INNER JOIN business_hours USING (store_no)
WHERE
    date_part('isodow', polled_on) - 1 = day_of_week
    AND epoch_us(polled_at) % 86400000000 >= start_local_s::bigint * 1000000
    AND epoch_us(polled_at) % 86400000000 < end_local_s::bigint * 1000000
GROUP BY day_of_week
ORDER BY day_of_week
