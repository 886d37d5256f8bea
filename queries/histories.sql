-- Joins the open spans, timeline and polls of each store, from which its figures are computed.
--
-- in   open_hours (store_id, store_no, time_zone, spans); timelines (store_no, timeline, polls,
--      polls_in_range)
-- out  histories (store_id, time_zone, spans, timeline, polls, polls_in_range), one row per store
--
-- A store without polls has a null timeline and null polls, and is unknown throughout.
SELECT
    open_hours.store_id,
    open_hours.time_zone,
    open_hours.spans,
    timelines.timeline,
    timelines.polls,
    coalesce(timelines.polls_in_range, 0) AS polls_in_range
FROM open_hours
LEFT JOIN timelines
    ON timelines.store_no = open_hours.store_no
