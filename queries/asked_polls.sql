-- Selects the polls that a report reads: those of its days of lookback, and each store's carried
-- poll, which gives its state at the start of the first day.
--
-- in   carried (store_no, polled_at, active, carried_into);
--      polls (store_no, polled_at, active, polled_on)
-- out  asked_polls (store_no, polled_at, active), unordered
-- args $first_day, the day of the report's start, or the last polled day before it; $last_day, the
--      day of $now; $now, the instant the report looks back from
--
-- Polls later than $now are excluded, for every interpolation.
SELECT
    store_no,
    polled_at,
    active
FROM carried
WHERE carried_into = $first_day
UNION ALL
SELECT
    store_no,
    polled_at,
    active
FROM polls
WHERE polled_on BETWEEN $first_day AND $last_day
    AND polled_at <= $now
