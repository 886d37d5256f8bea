-- Spans during which each store should be open in a range: the result of `openings(from, to)`.
--
-- in   open_hours (store_id, spans)
-- out  openings (store_id, starts_at, ends_at), by time within each store, disjoint and not
--      adjacent
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
