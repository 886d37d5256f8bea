-- Tallies time up, down and unknown within open hours, by store and window.
--
-- in   open_hours (store_id, store_no, spans); timelines (store_no, timeline)
-- out  tallies (store_id, last_hour, last_day, last_week), one row per store; each window a struct
--      of up, down and unknown, microseconds
-- args $hour_ago, $day_ago and $from, the starts of the windows; $now, their end; $no_data, the
--      state to count time without a poll as: 'unknown', 'down' or 'up'
--
-- A store without polls has a null timeline; all of its time is without a poll.
SELECT
    open_hours.store_id,
    counted(times_in(timelines.timeline, open_hours.spans, $hour_ago, $now), $no_data) AS last_hour,
    counted(times_in(timelines.timeline, open_hours.spans, $day_ago, $now), $no_data) AS last_day,
    counted(times_in(timelines.timeline, open_hours.spans, $from, $now), $no_data) AS last_week
FROM open_hours
LEFT JOIN timelines
    ON timelines.store_no = open_hours.store_no
