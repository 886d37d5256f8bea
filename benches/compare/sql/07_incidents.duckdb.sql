WITH outages AS (
    SELECT
        s.store_no,
        r.starts_us,
        sum(least(s.ends_us, r.ends_us) - greatest(s.starts_us, r.starts_us)) AS downtime_us
    FROM open_spans(epoch_us(TIMESTAMP '2023-01-18'), epoch_us(TIMESTAMP '2023-01-25')) AS s
    JOIN (FROM status_runs(TIMESTAMP '2023-01-18', TIMESTAMP '2023-01-25') WHERE NOT active) AS r
        ON s.store_no = r.store_no
        AND s.starts_us < r.ends_us
        AND r.starts_us < s.ends_us
    GROUP BY
        s.store_no,
        r.starts_us
)
SELECT
    store_id,
    count(*) AS incidents,
    sum(downtime_us)::bigint AS downtime_us
FROM outages
JOIN stores USING (store_no)
GROUP BY store_id
ORDER BY
    downtime_us DESC,
    store_id
LIMIT 20
