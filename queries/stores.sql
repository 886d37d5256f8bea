-- Stores for analysts: with the effective time zone, and flags for defaults.
--
-- in   stores (store_id, store_no, first_polled_at, last_polled_at, polls, has_business_hours,
--      has_time_zone); time_zones (store_no, time_zone)
-- out  stores (store_id, store_no, time_zone, uses_default_hours, uses_default_time_zone,
--      first_polled_at, last_polled_at, polls, zone_rules), one row per store
-- args $default_time_zone, for stores without one; $zone_rules, the edition of the zone rules
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
