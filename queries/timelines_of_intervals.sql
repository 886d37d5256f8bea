-- The state of each store where every united business interval is filled from its own polls alone.
--
-- in   poll_lists (store_no, polls); open_hours (store_no, spans)
-- out  timelines_of_intervals (store_no, timeline), one row a store with polls
-- args $interpolation; $max_gap
SELECT
    poll_lists.store_no,
    timeline_within(poll_lists.polls, open_hours.spans, $interpolation, $max_gap) AS timeline
FROM poll_lists
INNER JOIN open_hours
    ON open_hours.store_no = poll_lists.store_no
