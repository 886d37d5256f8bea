-- Openings of this week that began with the store down or unknown.
--
-- out  one row per opening; the range begins a day earlier, because an opening that contains the
--      start of a range is clipped to it
-- args none
SELECT
    openings.store_id,
    openings.starts_at AS opened_at,
    states.state
FROM openings(latest_poll() - INTERVAL '8 days', latest_poll()) AS openings
INNER JOIN states(latest_poll() - INTERVAL '7 days', latest_poll()) AS states
    ON states.store_id = openings.store_id
    AND states.starts_at <= openings.starts_at
    AND states.ends_at > openings.starts_at
WHERE openings.starts_at >= latest_poll() - INTERVAL '7 days'
    AND states.state <> 'up'
ORDER BY
    openings.starts_at,
    openings.store_id
