-- Folds the polls of each store into its timeline.
--
-- in   asked_polls (store_no, polled_at, active), in any order
-- out  timelines (store_no, timeline, polls, polls_in_range), one row per store with polls
-- args $interpolation, 'previous', 'nearest' or 'next'; $max_gap, the longest time before and after
--      itself for which a poll counts, null for unlimited; $from and $now, the range
--
-- Columns that a query does not use are not computed.
SELECT
    store_no,
    timeline(polled_at, active, $interpolation, $max_gap) AS timeline,
    poll_list(polled_at, active) AS polls,
    count(*) FILTER (WHERE polled_at >= $from AND polled_at < $now) AS polls_in_range
FROM asked_polls
GROUP BY store_no
