-- Which stores had the most inactive polls?
SELECT
    store_id,
    count(*) AS polls
FROM polls
WHERE NOT active
GROUP BY store_id
ORDER BY
    polls DESC,
    store_id
LIMIT 10
