-- Timeline of each store in which every store-local calendar day uses only its own polls.
--
-- in   poll_lists (store_no, polls, polls_in_range); time_zones (store_no, time_zone)
-- out  timelines_of_days (store_no, timeline, polls, polls_in_range), one row per store with polls
-- args $from and $now, the range to split into days; $default_time_zone, for stores without one;
--      $interpolation; $max_gap
SELECT
    poll_lists.store_no,
    timeline_within(
        poll_lists.polls,
        local_days(coalesce(time_zones.time_zone, $default_time_zone), $from, $now),
        $interpolation,
        $max_gap
    ) AS timeline,
    poll_lists.polls,
    poll_lists.polls_in_range
FROM poll_lists
LEFT JOIN time_zones
    ON time_zones.store_no = poll_lists.store_no
