-- Which stores lost most open time to outages within a week, and to how many?
SELECT
    store_id,
    count(*) AS incidents,
    sum(downtime) AS downtime_us
FROM incidents('2023-01-18', '2023-01-25')
GROUP BY store_id
ORDER BY
    downtime_us DESC,
    store_id
LIMIT 20
