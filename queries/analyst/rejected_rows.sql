-- Reasons for which rows were rejected, with the first occurrence of each.
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
