-- The state of each store over a range: what `states(from, to)` answers.
--
-- in   histories (store_id, time_zone, spans, polls)
-- out  states (store_id, starts_at, ends_at, state, origin), in order of time for each store,
--      without a gap; state is 'up', 'down', 'unknown' or 'closed'; origin is 'observed' where the
--      poll that tells it was made in the range and before, 'carried' where it was made before the
--      range, 'backfilled' where it was made later, null where the store is closed or no poll tells
-- args $from and $now, the range; $scope; $interpolation; $max_gap; $no_data, what time that no poll
--      vouches for is booked as: 'unknown', 'down' or 'up'
WITH stretches AS (
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
                $max_gap
            )
        ) AS stretch
    FROM histories
)
SELECT
    store_id,
    stretch['starts_at'] AS starts_at,
    stretch['ends_at'] AS ends_at,
    CASE WHEN stretch['state'] = 'unknown' THEN $no_data ELSE stretch['state'] END AS state,
    stretch['origin'] AS origin
FROM stretches
