-- What was wrong with the rows that were not loaded, and where does it start?
--
-- args none
SELECT
    version,
    file,
    "column",
    count(*) AS rows,
    min(line) AS first_line,
    first_value(reason ORDER BY line) AS first_reason
FROM rejects
GROUP BY
    version,
    file,
    "column"
ORDER BY
    version,
    file,
    "column"
