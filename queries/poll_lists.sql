-- Collects the polls of each store, for scopes in which each piece of time has its own polls.
--
-- in   asked_polls (store_no, polled_at, active), in any order
-- out  poll_lists (store_no, polls, polls_in_range), one row per store with polls
-- args $from and $now, the range
SELECT
    store_no,
    poll_list(polled_at, active) AS polls,
    count(*) FILTER (WHERE polled_at >= $from AND polled_at < $now) AS polls_in_range
FROM asked_polls
GROUP BY store_no
