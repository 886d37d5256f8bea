-- Outages of each store in a range: the result of `incidents(from, to)`.
--
-- in   histories (store_id, time_zone, spans, timeline)
-- out  incidents (store_id, starts_at, ends_at, starts_local, ends_local, downtime, is_open), by
--      time within each store; local times are texts with the offset, because clocks repeat some
--      times, like '2023-11-05T01:30:00-05:00'; downtime is the scheduled open time within the
--      incident, in microseconds; is_open is true if it continues at the end of the range
-- args $from and $now, the range; $min_downtime, microseconds, the least downtime to include
WITH outages AS (
    SELECT
        store_id,
        unnest(incidents_in(timeline, spans, $from, $now, time_zone)) AS outage
    FROM histories
)
SELECT
    store_id,
    outage['starts_at'] AS starts_at,
    outage['ends_at'] AS ends_at,
    local_text(outage['starts_at'], outage['starts_offset']) AS starts_local,
    local_text(outage['ends_at'], outage['ends_offset']) AS ends_local,
    outage['downtime'] AS downtime,
    outage['is_open'] AS is_open
FROM outages
WHERE outage['downtime'] >= $min_downtime
