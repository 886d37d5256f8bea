-- Lays the weekly business hours of each store onto the calendar.
--
-- in   stores (store_id, store_no); weeks (store_no, week); time_zones (store_no, time_zone)
-- out  open_hours (store_id, store_no, time_zone, spans), one row per store
-- args $from and $now, the range of the report; $default_week, for stores without business hours,
--      null for always open; $default_time_zone, for stores without one; $snap_end_of_day, true to
--      treat ends from 23:59:00 on as 24:00
--
-- A null week is always open; an empty one is never open.
SELECT
    stores.store_id,
    stores.store_no,
    coalesce(time_zones.time_zone, $default_time_zone) AS time_zone,
    open_spans(
        coalesce(weeks.week, $default_week),
        coalesce(time_zones.time_zone, $default_time_zone),
        $from,
        $now,
        $snap_end_of_day
    ) AS spans
FROM stores
LEFT JOIN weeks
    ON weeks.store_no = stores.store_no
LEFT JOIN time_zones
    ON time_zones.store_no = stores.store_no
