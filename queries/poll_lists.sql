-- Gathers the polls of each store, for the scopes that fill each piece of time from its own.
--
-- in   asked_polls (store_no, polled_at, active), in any order
-- out  poll_lists (store_no, polls), one row a store with polls
SELECT
    store_no,
    poll_list(polled_at, active) AS polls
FROM asked_polls
GROUP BY store_no
