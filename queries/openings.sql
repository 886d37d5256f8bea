-- When each store should be open in a range: what `openings(from, to)` answers.
--
-- in   open_hours (store_id, spans)
-- out  openings (store_id, starts_at, ends_at), in order of time for each store, none touching
--      another
WITH opened AS (
    SELECT
        store_id,
        unnest(spans) AS span
    FROM open_hours
)
SELECT
    store_id,
    span['starts_at'] AS starts_at,
    span['ends_at'] AS ends_at
FROM opened
