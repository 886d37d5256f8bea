-- Tallies time up, down and unknown within open hours, and outages, by store.
--
-- in   histories (store_id, spans, timeline, polls_in_range)
-- out  range_tallies (store_id, times, outages, polls), one row per store; times is a struct of up,
--      down and unknown, microseconds; outages one of incidents and longest, a count and
--      microseconds, null without an incident
-- args $from and $now, the range; $no_data, the state to count time without a poll as: 'unknown',
--      'down' or 'up'
SELECT
    store_id,
    counted(times_in(timeline, spans, $from, $now), $no_data) AS times,
    incident_totals_in(timeline, spans, $from, $now) AS outages,
    polls_in_range AS polls
FROM histories
