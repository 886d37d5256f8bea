-- How many polls were active, and how many not?
SELECT
    active,
    count(*) AS polls
FROM polls
GROUP BY active
ORDER BY active
