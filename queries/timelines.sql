-- Folds the polls of each store into its state at every instant.
--
-- in   asked_polls (store_no, polled_at, active), in any order
-- out  timelines (store_no, timeline), one row a store with polls
-- args $interpolation, 'previous', 'nearest' or 'next'; $max_gap, how long before and after itself
--      a poll vouches, null for ever
SELECT
    store_no,
    timeline(polled_at, active, $interpolation, $max_gap) AS timeline
FROM asked_polls
GROUP BY store_no
