-- How many stores were up at an instant, how many down, closed, or never polled before?
SELECT
    state,
    count(*) AS stores
FROM states('2023-01-20 12:00:00', '2023-01-20 12:00:01')
WHERE starts_at = TIMESTAMP '2023-01-20 12:00:00'
GROUP BY state
ORDER BY state
