WITH pieces AS (
    SELECT
        store_no,
        hour_us,
        greatest(starts_us, hour_us) AS starts_us,
        least(ends_us, hour_us + 3600000000) AS ends_us
    FROM open_spans(epoch_us(TIMESTAMP '2023-01-24'), epoch_us(TIMESTAMP '2023-01-25'))
    JOIN (
        SELECT unnest(range(epoch_us(TIMESTAMP '2023-01-24'), epoch_us(TIMESTAMP '2023-01-25'), 3600000000)) AS hour_us
    )
        ON starts_us < hour_us + 3600000000
        AND ends_us > hour_us
),
runs AS (
    FROM status_runs(TIMESTAMP '2023-01-24', TIMESTAMP '2023-01-25')
)
SELECT
    make_timestamptz(hour_us) AS starts_at,
    sum(CASE WHEN active THEN least(p.ends_us, r.ends_us) - greatest(p.starts_us, r.starts_us) ELSE 0 END)::bigint AS up_us,
    sum(CASE WHEN NOT active THEN least(p.ends_us, r.ends_us) - greatest(p.starts_us, r.starts_us) ELSE 0 END)::bigint AS down_us
FROM pieces AS p
JOIN runs AS r
    ON p.store_no = r.store_no
    AND p.starts_us < r.ends_us
    AND r.starts_us < p.ends_us
GROUP BY hour_us
ORDER BY hour_us
