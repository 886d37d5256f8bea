-- For how long were all stores up and down in each hour of a day?
SELECT
    starts_at,
    sum(up) AS up_us,
    sum(down) AS down_us
FROM uptime_by('hour', '2023-01-24', '2023-01-25', 'UTC')
WHERE up + down > 0
GROUP BY starts_at
ORDER BY starts_at
