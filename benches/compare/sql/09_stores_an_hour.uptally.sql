-- How many stores were polled in each hour?
SELECT
    date_trunc('hour', polled_at) AS starts_at,
    count(DISTINCT store_no) AS stores
FROM polls
GROUP BY date_trunc('hour', polled_at)
ORDER BY starts_at
