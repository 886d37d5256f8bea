-- By the hour's number: DuckDB cuts instants with a zone by the calendar, which takes longer.
SELECT
    make_timestamptz(hour * 3600000000) AS starts_at,
    count(DISTINCT store_no) AS stores
FROM (
    SELECT
        epoch_us(polled_at) // 3600000000 AS hour,
        store_no
    FROM polls
)
GROUP BY hour
ORDER BY starts_at
