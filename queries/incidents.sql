-- The outages of each store in a range: what `incidents(from, to)` answers.
--
-- in   histories (store_id, time_zone, spans, timeline)
-- out  incidents (store_id, starts_at, ends_at, starts_local, ends_local, downtime, is_open), in
--      order of time for each store; local times are texts by the clock of the store, with its offset,
--      as '2023-11-05T01:30:00-05:00', since a clock shows some times twice; downtime is the
--      scheduled open time within it, in microseconds; is_open tells whether it still runs at the end
--      of the range
-- args $from and $now, the range; $min_downtime, microseconds, those with less are left out
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
