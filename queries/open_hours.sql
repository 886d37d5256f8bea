-- Lays the week of each store onto the calendar.
--
-- in   stores (store_id, store_no); weeks (store_no, week); time_zones (store_no, time_zone)
-- out  open_hours (store_id, store_no, time_zone, spans), one row a store
-- args $from and $now, the range of the report; $default_week, of stores without business hours,
--      null where they never close; $default_time_zone, of stores without one; $snap_end_of_day,
--      whether ends from 23:59:00 on are read as 24:00
--
-- A null week never closes; an empty one never opens.
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
