-- ANY and ALL
SELECT 1 = ANY (SELECT 1) AS yes;
SELECT count(*) AS polls FROM polls WHERE polled_at > ANY (SELECT polled_at FROM polls);
SELECT count(*) AS polls FROM polls WHERE polled_at >= ALL (SELECT polled_at FROM polls);
SELECT count(*) AS stores FROM stores WHERE store_no = ANY (SELECT store_no FROM polls WHERE NOT active);
SELECT count(*) AS stores FROM stores WHERE store_no <> ALL (SELECT store_no FROM polls WHERE NOT active);
SELECT count(*) AS stores FROM stores WHERE store_no = ANY (ARRAY[1, 2, 3]);
SELECT count(*) AS stores FROM stores WHERE store_no <> ALL (ARRAY[1, 2, 3]);
SELECT count(*) AS stores FROM stores WHERE store_no = ANY ('{1, 2, 3}');
SELECT count(*) AS stores FROM stores WHERE store_no < ANY ('{5,7}'::int[]);
SELECT 1 = SOME (SELECT 2) AS no;
SELECT 'a b' = ANY ('{"a b", c}') AS yes, 'c' = ANY ('{"a b", c}'::text[]) AS also;
SELECT 1 = ANY (SELECT n FROM (VALUES (1), (NULL)) AS v (n)) AS yes, 2 = ANY (SELECT n FROM (VALUES (1), (NULL)) AS v (n)) AS unknown;
SELECT store_no > ALL (SELECT store_no FROM time_zones WHERE time_zone = 'America/Denver') AS later, count(*) AS stores FROM stores GROUP BY 1 ORDER BY 1;

-- Windows
SELECT store_no, row_number() OVER w AS place, sum(polls) OVER w AS so_far FROM stores WINDOW w AS (ORDER BY store_no) ORDER BY store_no;
SELECT store_no, sum(polls) OVER (w ORDER BY store_no) AS so_far FROM stores WINDOW w AS (PARTITION BY time_zone) ORDER BY store_no;
SELECT store_no, sum(polls) OVER (w ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS near FROM stores WINDOW w AS (PARTITION BY time_zone ORDER BY store_no) ORDER BY store_no;
SELECT store_no, count(*) OVER v AS of_zone, rank() OVER (v ORDER BY polls, store_no) AS place FROM stores WINDOW v AS (PARTITION BY time_zone) ORDER BY store_no;
SELECT store_no, first_value(store_no) OVER w2 AS first FROM stores WINDOW w1 AS (PARTITION BY time_zone), w2 AS (w1 ORDER BY polls DESC, store_no) ORDER BY store_no;
SELECT store_no, sum(polls) OVER (ORDER BY polls) AS with_peers FROM stores ORDER BY store_no;
SELECT store_no, sum(polls) OVER (ORDER BY polls RANGE BETWEEN 10 PRECEDING AND 10 FOLLOWING) AS near FROM stores ORDER BY store_no;
SELECT store_no, count(*) OVER (ORDER BY polls GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS near FROM stores ORDER BY store_no;
SELECT polled_at, count(*) OVER (ORDER BY polled_at RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND CURRENT ROW) AS near FROM polls WHERE store_no = 1 ORDER BY polled_at LIMIT 20;
SELECT lag(store_no, 2, -1) OVER (ORDER BY store_no) AS before, lead(store_no) OVER (ORDER BY store_no) AS after, ntile(4) OVER (ORDER BY store_no) AS quarter FROM stores ORDER BY store_no;
SELECT percent_rank() OVER (ORDER BY polls) AS share, cume_dist() OVER (ORDER BY polls) AS up_to, nth_value(polls, 3) OVER (ORDER BY polls, store_no) AS third FROM stores ORDER BY polls, store_no;
SELECT store_no, count(*) FILTER (WHERE uses_default_hours) OVER (PARTITION BY time_zone) AS defaults FROM stores ORDER BY store_no;
SELECT time_zone, sum(count(*)) OVER (ORDER BY time_zone) AS so_far FROM stores GROUP BY time_zone ORDER BY time_zone;
SELECT store_no, bool_and(uses_default_hours) OVER (PARTITION BY time_zone) AS every_one FROM stores ORDER BY store_no;
SELECT store_no, sum(polls) OVER (w PARTITION BY store_no) AS refused FROM stores WINDOW w AS (ORDER BY store_no);
SELECT store_no, sum(polls) OVER nowhere AS refused FROM stores;
SELECT store_no FROM stores WHERE row_number() OVER (ORDER BY store_no) = 1;

-- Set operations
SELECT n FROM (VALUES (1), (1), (1), (2)) AS a (n) EXCEPT ALL SELECT n FROM (VALUES (1), (3)) AS b (n) ORDER BY n;
SELECT n FROM (VALUES (1), (1), (1), (2)) AS a (n) INTERSECT ALL SELECT n FROM (VALUES (1), (1), (2), (2)) AS b (n) ORDER BY n;
SELECT n FROM (VALUES (1), (NULL), (NULL)) AS a (n) EXCEPT ALL SELECT n FROM (VALUES (NULL::int)) AS b (n) ORDER BY n;
SELECT n FROM (VALUES (1), (NULL)) AS a (n) INTERSECT SELECT n FROM (VALUES (NULL), (2)) AS b (n);
SELECT n FROM (VALUES (1), (2)) AS a (n) UNION SELECT n FROM (VALUES (2), (3)) AS b (n) ORDER BY n DESC;
SELECT store_no FROM polls EXCEPT ALL SELECT store_no FROM stores ORDER BY store_no LIMIT 12;
SELECT time_zone FROM time_zones INTERSECT ALL SELECT time_zone FROM stores WHERE store_no < 20 ORDER BY time_zone;
SELECT 1 AS n UNION ALL SELECT 2.5 ORDER BY n;
SELECT 1 AS n UNION SELECT 1 INTERSECT SELECT 2 ORDER BY n;
(SELECT store_no FROM stores ORDER BY store_no LIMIT 2) UNION ALL (SELECT store_no FROM stores ORDER BY store_no DESC LIMIT 2) ORDER BY store_no;
SELECT 1 AS a, 2 AS b UNION ALL SELECT 3 AS c;
SELECT DATE '2023-01-24' AS at UNION ALL SELECT TIMESTAMP '2023-01-24 09:30' ORDER BY at;

-- WITH
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n ORDER BY i;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT 5;
WITH RECURSIVE n (i) AS ((SELECT 1 LIMIT 1) UNION ALL (SELECT i + 1 FROM n WHERE i < 10 LIMIT 1)) SELECT count(*) AS rows FROM n;
WITH RECURSIVE n (i) AS (SELECT 1 UNION SELECT (i + 1) % 4 FROM n) SELECT i FROM n ORDER BY i;
WITH a (x, y) AS (VALUES (1, 'one'), (2, 'two')) SELECT y, x FROM a ORDER BY x;

-- DISTINCT ON, FETCH, TABLE, VALUES
SELECT DISTINCT ON (time_zone) time_zone, store_no FROM stores ORDER BY time_zone, polls DESC, store_no;
SELECT DISTINCT ON (time_zone) time_zone, store_no FROM stores ORDER BY time_zone, store_no LIMIT 2;
SELECT store_no FROM stores ORDER BY store_no FETCH NEXT 3 ROWS ONLY;
SELECT store_no FROM stores ORDER BY store_no OFFSET 2 ROWS FETCH FIRST ROW ONLY;
SELECT store_no FROM stores ORDER BY store_no OFFSET 3 LIMIT 2;
SELECT store_no FROM stores ORDER BY store_no LIMIT ALL OFFSET 36;
SELECT store_no FROM stores LIMIT -1;
VALUES (1, 'a'), (2, NULL) ORDER BY 1;
VALUES ((SELECT 42), 2);
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v ORDER BY column1;

-- Subqueries
SELECT EXISTS (SELECT 1 FROM polls WHERE active) AS some, EXISTS (SELECT 1 FROM polls WHERE store_no < 0) AS none;
SELECT store_no, EXISTS (SELECT 1 FROM polls AS p WHERE p.store_no = s.store_no AND NOT active) AS was_down FROM stores AS s ORDER BY store_no;
SELECT store_no, store_no IN (SELECT store_no FROM business_hours) AS has_hours FROM stores ORDER BY store_no;
SELECT store_no, store_no NOT IN (SELECT store_no FROM business_hours) AS has_none FROM stores ORDER BY store_no;
SELECT store_no, (SELECT max(polled_at) FROM polls AS p WHERE p.store_no = s.store_no) AS last FROM stores AS s ORDER BY store_no LIMIT 3;
SELECT count(*) AS stores FROM stores WHERE (store_no, time_zone) IN (SELECT store_no, time_zone FROM time_zones);
SELECT (SELECT store_no FROM stores) AS refused;
SELECT count(*) AS polls FROM polls WHERE polled_at = (SELECT max(polled_at) FROM polls);

-- Grouping
SELECT time_zone, count(*) AS stores FROM stores GROUP BY ROLLUP (time_zone) ORDER BY time_zone NULLS LAST;
SELECT time_zone, uses_default_hours, count(*) AS stores, grouping(time_zone) AS bit FROM stores GROUP BY CUBE (time_zone, uses_default_hours) ORDER BY time_zone NULLS LAST, uses_default_hours NULLS LAST, bit;
SELECT time_zone, count(*) AS stores FROM stores GROUP BY GROUPING SETS ((time_zone), ()) ORDER BY time_zone NULLS FIRST;
SELECT count(*) AS stores FROM stores HAVING count(*) > 1000;
SELECT time_zone FROM stores GROUP BY 1 HAVING count(*) > 5 ORDER BY count(*) DESC, 1;
SELECT store_no, count(*) FROM stores;
SELECT count(*) AS polls FROM polls WHERE count(*) > 1;

-- Names of columns
SELECT 1 + 1, count(*), max(polled_at), polled_on::text, upper('a') FROM polls GROUP BY polled_on ORDER BY polled_on LIMIT 1;
SELECT 'a', 1, true, NULL;
SELECT extract(hour FROM TIMESTAMP '2023-01-24 09:30'), date_trunc('day', TIMESTAMP '2023-01-24 09:30'), CASE WHEN true THEN 1 END, coalesce(NULL, 1), EXISTS (SELECT 1);
SELECT '1'::int, CAST('2' AS bigint), INTERVAL '1 day', DATE '2023-01-24', ARRAY[1], (SELECT 5), (SELECT 5 AS five);
SELECT count(*) AS "Count", count(*) FILTER (WHERE active), polls.store_no FROM polls GROUP BY polls.store_no ORDER BY polls.store_no LIMIT 1;
SELECT store_no AS Number, store_no "Quoted Name", s.* FROM stores AS s ORDER BY store_no LIMIT 1;
SELECT now() IS NOT NULL, current_date IS NOT NULL AS day, sum(1) OVER (), nullif(1, 2), greatest(1, 2), -1, NOT true;
