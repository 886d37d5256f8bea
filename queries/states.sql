-- State of each store over a range: the result of `states(from, to)`.
--
-- in   histories (store_id, time_zone, spans, polls)
-- out  states (store_id, starts_at, ends_at, state, origin), by time within each store, without
--      gaps; state is 'up', 'down', 'unknown' or 'closed'; origin is 'observed' if the deciding
--      poll was made before, within the range, 'carried' if before the range, 'backfilled' if
--      later, and null while closed or without a deciding poll
-- args $from and $now, the range; $scope; $interpolation; $max_gap; $no_data, the state to count
--      time without a poll as: 'unknown', 'down' or 'up'
WITH segments AS (
    SELECT
        store_id,
        unnest(
            states_in(
                polls,
                CASE $scope WHEN 'day' THEN local_days(time_zone, $from, $now) WHEN 'interval' THEN spans END,
                spans,
                $from,
                $now,
                $interpolation,
                $max_gap,
                $no_data
            )
        ) AS segment
    FROM histories
)
SELECT
    store_id,
    segment['starts_at'] AS starts_at,
    segment['ends_at'] AS ends_at,
    segment['state'] AS state,
    segment['origin'] AS origin
FROM segments
