-- Which stores were polled most on a day, and how often were they active?
SELECT
    store_id,
    polled_on,
    count(*) AS polls,
    count(*) FILTER (WHERE active) AS active_polls
FROM polls
GROUP BY
    store_id,
    polled_on
ORDER BY
    polls DESC,
    store_id,
    polled_on
LIMIT 100
