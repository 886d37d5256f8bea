SELECT
    CASE
        WHEN s.store_no IS NULL THEN 'closed'
        WHEN r.active IS NULL THEN 'unknown'
        WHEN r.active THEN 'up'
        ELSE 'down'
    END AS state,
    count(*) AS stores
FROM stores
LEFT JOIN (
    FROM open_spans(epoch_us(TIMESTAMP '2023-01-20 12:00:00'), epoch_us(TIMESTAMP '2023-01-20 12:00:01'))
    WHERE starts_us = epoch_us(TIMESTAMP '2023-01-20 12:00:00')
) AS s USING (store_no)
LEFT JOIN (
    FROM status_runs(TIMESTAMP '2023-01-20', TIMESTAMP '2023-01-20 12:00:01')
    WHERE
        starts_us <= epoch_us(TIMESTAMP '2023-01-20 12:00:00')
        AND ends_us > epoch_us(TIMESTAMP '2023-01-20 12:00:00')
) AS r USING (store_no)
GROUP BY state
ORDER BY state
