-- Folds the business hours of each store into its week.
--
-- in   business_hours (store_id, day_of_week, start_local_s, end_local_s), in any order
-- out  weeks (store_id, week), one row a store with business hours
SELECT
    store_id,
    weekly_hours(day_of_week, start_local_s, end_local_s) AS week
FROM business_hours
GROUP BY store_id
