-- How long each store was up, down and unknown within its open hours, by window.
--
-- in   open_hours (store_id, store_no, spans); timelines (store_no, timeline)
-- out  tallies (store_id, up_*, down_*, unknown_*), one row a store, microseconds
-- args $hour_ago, $day_ago and $from, at which the windows start; $now, at which they end
--
-- A store without polls has no timeline, and is unknown throughout.
SELECT
    open_hours.store_id,
    time_in(timelines.timeline, open_hours.spans, 'up', $hour_ago, $now) AS up_last_hour,
    time_in(timelines.timeline, open_hours.spans, 'up', $day_ago, $now) AS up_last_day,
    time_in(timelines.timeline, open_hours.spans, 'up', $from, $now) AS up_last_week,
    time_in(timelines.timeline, open_hours.spans, 'down', $hour_ago, $now) AS down_last_hour,
    time_in(timelines.timeline, open_hours.spans, 'down', $day_ago, $now) AS down_last_day,
    time_in(timelines.timeline, open_hours.spans, 'down', $from, $now) AS down_last_week,
    time_in(timelines.timeline, open_hours.spans, 'unknown', $hour_ago, $now) AS unknown_last_hour,
    time_in(timelines.timeline, open_hours.spans, 'unknown', $day_ago, $now) AS unknown_last_day,
    time_in(timelines.timeline, open_hours.spans, 'unknown', $from, $now) AS unknown_last_week
FROM open_hours
LEFT JOIN timelines
    ON timelines.store_no = open_hours.store_no
