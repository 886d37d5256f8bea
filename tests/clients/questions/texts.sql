-- Strings
SELECT substr('abcdef', 2, 3) AS middle, substring('abcdef' FROM 2 FOR 3) AS also, substring('abcdef', -1, 4) AS before, left('abc', -1) AS but_last, right('abc', 2) AS last;
SELECT substr(1, 3) AS refused;
SELECT position('c' IN 'abc') AS place, strpos('abc', 'z') AS none, overlay('abcdef' PLACING 'zz' FROM 2 FOR 3) AS covered;
SELECT trim('  a ') AS a, trim(BOTH 'x' FROM 'xxaxx') AS inner_a, ltrim('xxa', 'x') AS left_cut, rtrim('axx', 'x') AS right_cut, btrim('xax', 'x') AS both_cut;
SELECT lpad('7', 3, '0') AS padded, rpad('a', 3) AS spaces, repeat('ab', 2) AS twice, reverse('abc') AS back, initcap('hello big world') AS words;
SELECT 'a' || NULL AS nothing, concat('a', NULL, 1) AS joined, concat_ws('-', 'a', NULL, 'b') AS with_dash, 'a' || 1 AS number;
SELECT replace('banana', 'an', 'AN') AS replaced, translate('12345', '143', 'ax') AS letters, split_part('a,b,c', ',', 2) AS part, split_part('a,b,c', ',', -1) AS last;
SELECT length('Zürich') AS letters, octet_length('Zürich') AS bytes, char_length('abc') AS also, ascii('A') AS code, chr(66) AS letter, md5('a') AS hash;
SELECT 'abc' LIKE 'a%' AS yes, 'abc' LIKE '_b_' AS also, 'ABC' ILIKE 'a%' AS any_case, 'a%c' LIKE 'a\%c' AS escaped, 'abc' NOT LIKE 'b%' AS no;
SELECT 'abc' ~ '^a.c$' AS matches, 'ABC' ~* 'b' AS any_case, 'abc' !~ 'z' AS not_there, regexp_replace('a1b22', '[0-9]+', '#', 'g') AS replaced;
SELECT 'abc' SIMILAR TO '(a|b)%' AS similar, 'abc' SIMILAR TO 'abc' AS whole, 'abc' SIMILAR TO 'b' AS part;
SELECT regexp_replace('a1b22', '([a-z])([0-9]+)', '\2\1', 'g') AS swapped, (regexp_match('a1b22', '([a-z])([0-9]+)'))[2] AS second, regexp_count('banana', 'an') AS times;
SELECT starts_with('abc', 'ab') AS yes, 'b' < 'a' AS no, 'B' < 'a' AS bytes, 'a' < 'ab' AS shorter, '' IS NULL AS empty;
SELECT format('%s has %s polls', 'a', 3) AS text;
SELECT pg_typeof('a'::text)::text AS text, pg_typeof(store_no::int)::text AS number, pg_typeof(now())::text AS at, pg_typeof(ARRAY[1.5::float8])::text AS list FROM stores LIMIT 1;
SELECT to_hex(255) AS hex, encode('abc'::bytea, 'hex') AS bytes, encode('abc'::bytea, 'base64') AS base64;
SELECT E'a\nb' AS lines, $$it's$$ AS dollars, 'it''s' AS quote;
SELECT U&'\0041' AS letter;
SELECT store_id FROM stores WHERE store_id LIKE '1%' ORDER BY store_id;
SELECT upper(left(time_zone, 4)) AS begin, count(*) AS stores FROM time_zones GROUP BY 1 ORDER BY 1;
SELECT string_to_array('a,b,,c', ',') AS parts, array_to_string(ARRAY['a', NULL, 'b'], '-') AS joined, array_to_string(ARRAY[1, NULL, 2], ',', '*') AS stars;

-- Arrays
SELECT ARRAY[1, 2, 3] AS numbers, ARRAY['a', 'b c', NULL] AS words, '{1,2}'::int[] AS cast_numbers, '{a,"b c",NULL}'::text[] AS cast_words;
SELECT (ARRAY[1, 2, 3])[2] AS second, (ARRAY[1, 2, 3])[5] AS beyond, (ARRAY[1, 2, 3])[2:3] AS slice, (ARRAY[1, 2, 3])[0] AS before;
SELECT array_length(ARRAY[1, 2, 3], 1) AS length, cardinality(ARRAY[1, 2]) AS size, array_upper(ARRAY[1, 2], 1) AS upper;
SELECT array_length('{}'::int[], 1) AS of_none;
SELECT ARRAY[1, 2] || 3 AS longer, ARRAY[1] || ARRAY[2, 3] AS both, array_append(ARRAY[1], 2) AS appended, array_prepend(0, ARRAY[1]) AS prepended, array_cat(ARRAY[1], ARRAY[2]) AS joined;
SELECT ARRAY[1, 2, 3] @> ARRAY[2] AS contains, ARRAY[2] <@ ARRAY[1, 2] AS within, ARRAY[1, 2] = ARRAY[1, 2] AS same, ARRAY[1, 2] < ARRAY[1, 3] AS less;
SELECT ARRAY[1, 2] && ARRAY[2, 3] AS overlap;
SELECT array_remove(ARRAY[1, 2, 1], 1) AS removed;
SELECT array_position(ARRAY['a', 'b'], 'b') AS place, array_replace(ARRAY[1, 2], 2, 5) AS replaced, array_positions(ARRAY[1, 2, 1], 1) AS places;
SELECT n FROM unnest(ARRAY[3, 1, 2]) AS u (n) ORDER BY n;
SELECT n, place FROM unnest(ARRAY['a', 'b']) WITH ORDINALITY AS u (n, place) ORDER BY place;
SELECT unnest(ARRAY[1, 2]) AS n ORDER BY n;
SELECT '[a, b]'::varchar[] AS refused;
SELECT '{1,a}'::int[] AS refused;
SELECT array_agg(store_no ORDER BY store_no DESC) AS numbers FROM stores WHERE store_no < 4;
SELECT array_agg(DISTINCT time_zone ORDER BY time_zone) AS zones FROM time_zones;
SELECT count(*) AS stores FROM stores WHERE time_zone = ANY (ARRAY['America/Denver', 'America/Chicago']);

-- Aggregates
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY polls) AS median FROM stores;
SELECT percentile_disc(0) WITHIN GROUP (ORDER BY store_no) AS least FROM stores;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY polls) AS middle, percentile_cont(0.9) WITHIN GROUP (ORDER BY polls) AS high FROM stores;
SELECT every(active) AS all_up FROM polls;
SELECT bool_or(active) AS some_up, bool_and(NOT active) AS all_down FROM polls;
SELECT variance(polls) AS variance FROM stores;
SELECT var_pop(polls) AS of_all, stddev(polls) AS deviation, stddev_pop(polls) AS population FROM stores;
SELECT stddev_pop(n) AS zero, var_samp(n) AS also FROM (VALUES (1)) AS v (n);
SELECT string_agg(time_zone, ', ' ORDER BY time_zone) AS zones FROM (SELECT DISTINCT time_zone FROM time_zones) AS z;
SELECT string_agg(DISTINCT time_zone, ',' ORDER BY time_zone DESC) AS zones FROM time_zones;
SELECT count(*) FILTER (WHERE active) AS up, count(*) FILTER (WHERE NOT active) AS down, sum(1) FILTER (WHERE false) AS none FROM polls;
SELECT avg(polls) AS mean, sum(polls) AS whole, min(time_zone) AS first, max(time_zone) AS last, count(DISTINCT time_zone) AS zones FROM stores;
SELECT sum(n) AS nothing, avg(n) AS none, max(n) AS also, count(n) AS zero FROM (VALUES (1)) AS v (n) WHERE false;
SELECT corr(store_no, polls) AS correlation, covar_pop(store_no, polls) AS together, regr_slope(polls, store_no) AS slope FROM stores;
SELECT bit_and(n) AS both, bit_or(n) AS any FROM (VALUES (5), (3)) AS v (n);
SELECT sum(true) AS refused;
SELECT avg(DATE '2023-01-24') AS refused;
SELECT avg(polled_on) AS refused FROM polls;
SELECT sum(time_zone) AS refused FROM time_zones;
SELECT min(store_no) AS first, max(polled_at) AS last FROM polls WHERE store_no < 0;

-- What is not there
SELECT nothing FROM polls;
SELECT * FROM nowhere;
SELECT no_such_function(1);
SELECT FROM WHERE;
SELECT store_id FROM polls, stores;
SELECT 1 WHERE 'a';
SELECT 1 ORDER BY 2;
