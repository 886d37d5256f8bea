-- Folds the business hours of each store into a weekly schedule.
--
-- in   business_hours (store_no, day_of_week, start_local_s, end_local_s), in any order
-- out  weeks (store_no, week), one row per store with business hours
SELECT
    store_no,
    weekly_hours(day_of_week, start_local_s, end_local_s) AS week
FROM business_hours
GROUP BY store_no
