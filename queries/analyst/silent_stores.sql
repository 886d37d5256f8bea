-- Stores without a poll for a day, or ever.
--
-- out  the longest silent first, those never polled at the end
-- args none
SELECT
    store_id,
    last_polled_at,
    polls
FROM stores
WHERE last_polled_at IS NULL
    OR last_polled_at < latest_poll() - INTERVAL '1 day'
ORDER BY
    last_polled_at NULLS LAST,
    store_id
