-- Rounding and division
SELECT 2.7::int AS up, 2.5::int AS half, 3.5::int AS next_half, -2.5::numeric::int AS below;
SELECT 2.5::float8::int AS to_even, 3.5::float8::int AS even, -0.5::float8::int AS zero;
SELECT round(2.5) AS half, round(-2.5) AS below, round(2.345, 2) AS places, round(1234.5, -2) AS hundreds;
SELECT trunc(2.7) AS cut, trunc(-2.7) AS below, trunc(2.789, 2) AS places, ceil(2.1) AS up, floor(-2.1) AS down;
SELECT 7 / 2 AS whole, -7 / 2 AS below, 7 % 3 AS rest, -7 % 3 AS negative, 7 % -3 AS by_negative;
SELECT 7.0 / 2 AS quotient, 1 / 3.0 AS third, 10.5 % 3 AS rest;
SELECT 5.5 % 2.25 AS rest, 123456789.123456789 % 1 AS fraction;
SELECT mod(17, 5) AS remainder, mod(-17, 5) AS below;
SELECT 2 ^ 3 AS power, 2 ^ 0.5 AS root, 2 ^ 3 ^ 2 AS from_left, -2 ^ 2 AS sign, power(2, 10) AS also;
SELECT 5 & 3 AS both, 5 | 3 AS any, 1 << 4 AS shifted, 256 >> 4 AS back;
SELECT ~5 AS complement;
SELECT sqrt(2) AS root, cbrt(27) AS cube, exp(1) AS e, ln(10) AS natural, log(100) AS decimal, log(2, 8) AS by_two, pi() AS pi;
SELECT 1e3 AS thousand, 1.5e-3 AS small, 12345678901234567890 AS large;
SELECT abs(-7) AS size, gcd(12, 18) AS common, lcm(4, 6) AS multiple, factorial(5) AS product;
SELECT sign(-3.5) AS sign, sign(0) AS zero;
SELECT div(7, 2) AS whole;
SELECT greatest(1, 2.5, NULL) AS most, least(3, NULL, 2) AS few;

-- Overflow and other faults
SELECT 9223372036854775807 + 1 AS refused;
SELECT -9223372036854775807 - 10 AS refused;
SELECT 9223372036854775807 * 2 AS refused;
SELECT 3000000000::int AS refused;
SELECT 300::smallint AS fits, 32768::smallint AS refused;
SELECT 1 / 0 AS refused;
SELECT 1 % 0 AS refused;
SELECT sqrt(-1) AS refused;
SELECT abs(-9223372036854775807 - 1) AS refused;
SELECT -(-2147483648)::int AS refused;
SELECT 'a'::int AS refused;
SELECT '12x'::bigint AS refused;
SELECT '1.5'::int AS refused;
SELECT count(*) AS stores FROM stores WHERE 1 / (store_no - 1) > 0;
SELECT count(*) AS stores FROM stores WHERE store_id::bigint > 5;
SELECT count(*) AS stores FROM stores WHERE store_id::int > 5;

-- Casts
SELECT ' 12 '::int AS spaces, '1e3'::float8 AS thousand, '0x1F' AS text, '-0'::int AS zero;
SELECT 12.345::numeric(5, 2) AS cut, 12.345::decimal(4, 1) AS less, 99.99::numeric(3, 0) AS whole;
SELECT 1234.5::numeric(5, 2) AS refused;
SELECT true::int AS one, 0::boolean AS no, 'yes'::boolean AS yes, 't'::boolean AS t, 'off'::boolean AS off;
SELECT 'perhaps'::boolean AS refused;
SELECT 1.0::text AS one, 0.1::float8::text AS tenth, true::text AS word;
SELECT 'NaN'::float8 = 'NaN'::float8 AS same, 'NaN'::float8 > 1 AS more, 'Infinity'::float8 AS infinite;
SELECT CAST(12 AS text) || 'x' AS text, 12::text::int + 1 AS number;
SELECT count(*)::float8 / 7 AS share, count(*) / 7 AS whole, round(count(*) / 7.0, 3) AS places FROM polls;
SELECT round(100.0 * count(*) FILTER (WHERE active) / count(*), 2) AS percent FROM polls;

-- Logic and NULL
SELECT NULL AND false AS no, NULL OR true AS yes, NOT NULL::boolean AS unknown, NULL = NULL AS also;
SELECT 1 IS DISTINCT FROM NULL AS differs, NULL IS NOT DISTINCT FROM NULL AS same, (NULL::boolean) IS UNKNOWN AS unknown, (1 = 1) IS NOT FALSE AS not_false;
SELECT coalesce(NULL, 2) AS two, nullif(1, 1) AS nothing, CASE WHEN NULL THEN 1 ELSE 2 END AS other;
SELECT 1 IN (2, NULL) AS unknown, 1 NOT IN (2, NULL) AS also, 1 IN (1, NULL) AS yes;
SELECT num_nulls(1, NULL, NULL) AS nulls, num_nonnulls(1, NULL) AS others;
SELECT (1, 2) < (1, 3) AS less, (1, 2) = (1, 2) AS same, ROW(1, NULL) IS NULL AS nothing;
