-- The stores as analysts see them: with the zone that counts, and which defaults were used.
--
-- in   stores (store_id, store_no, first_polled_at, last_polled_at, polls, has_business_hours,
--      has_time_zone); time_zones (store_no, time_zone)
-- out  stores (store_id, store_no, time_zone, uses_default_hours, uses_default_time_zone,
--      first_polled_at, last_polled_at, polls, zone_rules), one row a store
-- args $default_time_zone, of stores without one; $zone_rules, the edition by which zones are read
SELECT
    stores.store_id,
    stores.store_no,
    coalesce(time_zones.time_zone, $default_time_zone) AS time_zone,
    NOT stores.has_business_hours AS uses_default_hours,
    NOT stores.has_time_zone AS uses_default_time_zone,
    stores.first_polled_at,
    stores.last_polled_at,
    stores.polls,
    $zone_rules AS zone_rules
FROM stores
LEFT JOIN time_zones
    ON time_zones.store_no = stores.store_no
