-- Folds the polls of each store into its state at every instant.
--
-- in   asked_polls (store_no, polled_at, active), in any order
-- out  timelines (store_no, timeline, polls, polls_in_range), one row a store with polls
-- args $interpolation, 'previous', 'nearest' or 'next'; $max_gap, how long before and after itself
--      a poll vouches, null for ever; $from and $now, the range of the question
--
-- What a question does not ask for is not made.
SELECT
    store_no,
    timeline(polled_at, active, $interpolation, $max_gap) AS timeline,
    poll_list(polled_at, active) AS polls,
    count(*) FILTER (WHERE polled_at >= $from AND polled_at < $now) AS polls_in_range
FROM asked_polls
GROUP BY store_no
