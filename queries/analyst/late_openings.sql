-- Which openings of this week began with the store down, or with nothing known of it?
--
-- args none
SELECT
    openings.store_id,
    openings.starts_at AS opened_at,
    states.state
FROM openings() AS openings
INNER JOIN states() AS states
    ON states.store_id = openings.store_id
    AND states.starts_at <= openings.starts_at
    AND states.ends_at > openings.starts_at
WHERE states.state <> 'up'
ORDER BY
    openings.starts_at,
    openings.store_id
