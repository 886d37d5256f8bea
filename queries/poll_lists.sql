-- Gathers the polls of each store, for the scopes that fill each piece of time from its own.
--
-- in   asked_polls (store_id, polled_at, active), in any order
-- out  poll_lists (store_id, polls), one row a store with polls
SELECT
    store_id,
    poll_list(polled_at, active) AS polls
FROM asked_polls
GROUP BY store_id
