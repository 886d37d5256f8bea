-- How many stores were up at an instant, and how many down, by their polls until then?
SELECT
    active,
    count(*) AS stores
FROM (
    SELECT last_value(active ORDER BY polled_at) AS active
    FROM polls
    WHERE polled_at <= TIMESTAMP '2023-01-20 12:00:00'
    GROUP BY store_no
) AS latest
GROUP BY active
ORDER BY active
