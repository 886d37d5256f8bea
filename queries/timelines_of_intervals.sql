-- The state of each store where every united business interval is filled from its own polls alone.
--
-- in   poll_lists (store_id, polls); open_hours (store_id, spans)
-- out  timelines_of_intervals (store_id, timeline), one row a store with polls
-- args $interpolation; $max_gap
SELECT
    poll_lists.store_id,
    timeline_within(poll_lists.polls, open_hours.spans, $interpolation, $max_gap) AS timeline
FROM poll_lists
INNER JOIN open_hours
    ON open_hours.store_id = poll_lists.store_id
