-- Timeline of each store in which every merged business interval uses only its own polls.
--
-- in   poll_lists (store_no, polls, polls_in_range); open_hours (store_no, spans)
-- out  timelines_of_intervals (store_no, timeline, polls, polls_in_range), a row per polled store
-- args $interpolation; $max_gap
SELECT
    poll_lists.store_no,
    timeline_within(poll_lists.polls, open_hours.spans, $interpolation, $max_gap) AS timeline,
    poll_lists.polls,
    poll_lists.polls_in_range
FROM poll_lists
INNER JOIN open_hours
    ON open_hours.store_no = poll_lists.store_no
