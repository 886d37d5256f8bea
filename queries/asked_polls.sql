-- The polls that a report has to see: those of the days it looks back on, and before them each
-- store's last poll, which tells its state when the first of those days began.
--
-- in   carried (store_no, polled_at, active, carried_into); polls (store_no, polled_at, active, polled_on)
-- out  asked_polls (store_no, polled_at, active), in no order
-- args $first_day, the day that holds the start of the report, or the last polled day before it;
--      $last_day, the day that holds $now; $now, the instant the report looks back from
--
-- A poll later than $now is not looked at, whatever the interpolation.
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
