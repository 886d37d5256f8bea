-- Views of the SQL standard's information schema, with PostgreSQL's type names. Each view may refer
-- to earlier ones.

CREATE VIEW information_schema_catalog_name AS SELECT current_database() AS catalog_name;

-- Rows of SHOW ALL.
CREATE VIEW df_settings AS
SELECT name, setting AS value, '' AS description FROM pg_catalog.pg_settings;

CREATE VIEW schemata AS
SELECT
  current_database() AS catalog_name,
  nspname AS schema_name,
  'postgres' AS schema_owner,
  CAST(NULL AS TEXT) AS default_character_set_catalog,
  CAST(NULL AS TEXT) AS default_character_set_schema,
  CAST(NULL AS TEXT) AS default_character_set_name,
  CAST(NULL AS TEXT) AS sql_path
FROM pg_catalog.pg_namespace;

CREATE VIEW tables AS
SELECT
  current_database() AS table_catalog,
  n.nspname AS table_schema,
  c.relname AS table_name,
  CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'BASE TABLE' END AS table_type,
  CAST(NULL AS TEXT) AS self_referencing_column_name,
  CAST(NULL AS TEXT) AS reference_generation,
  CAST(NULL AS TEXT) AS user_defined_type_catalog,
  CAST(NULL AS TEXT) AS user_defined_type_schema,
  CAST(NULL AS TEXT) AS user_defined_type_name,
  'NO' AS is_insertable_into,
  'NO' AS is_typed,
  CAST(NULL AS TEXT) AS commit_action
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v')
ORDER BY n.nspname, c.relname;

CREATE VIEW views AS
SELECT
  table_catalog,
  table_schema,
  table_name,
  CAST(NULL AS TEXT) AS view_definition,
  'NONE' AS check_option,
  'NO' AS is_updatable,
  'NO' AS is_insertable_into,
  'NO' AS is_trigger_updatable,
  'NO' AS is_trigger_deletable,
  'NO' AS is_trigger_insertable_into
FROM information_schema.tables
WHERE table_type = 'VIEW';

CREATE VIEW columns AS
SELECT
  current_database() AS table_catalog,
  n.nspname AS table_schema,
  c.relname AS table_name,
  a.attname AS column_name,
  CAST(a.attnum AS INT) AS ordinal_position,
  CAST(NULL AS TEXT) AS column_default,
  CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END AS is_nullable,
  CASE
    WHEN t.typcategory = 'A' THEN 'ARRAY' ELSE format_type(t.oid, CAST(NULL AS INT))
  END AS data_type,
  CAST(NULL AS INT) AS character_maximum_length,
  CAST(NULL AS INT) AS character_octet_length,
  CASE t.typname
    WHEN 'int2' THEN 16 WHEN 'int4' THEN 32 WHEN 'int8' THEN 64
    WHEN 'float4' THEN 24 WHEN 'float8' THEN 53
  END AS numeric_precision,
  CASE
    WHEN t.typname IN ('int2', 'int4', 'int8', 'float4', 'float8') THEN 2
    WHEN t.typname = 'numeric' THEN 10
  END AS numeric_precision_radix,
  CASE WHEN t.typname IN ('int2', 'int4', 'int8') THEN 0 END AS numeric_scale,
  CASE
    WHEN t.typname IN ('timestamp', 'timestamptz', 'time', 'interval') THEN 6
    WHEN t.typname = 'date' THEN 0
  END AS datetime_precision,
  CAST(NULL AS TEXT) AS interval_type,
  CAST(NULL AS INT) AS interval_precision,
  CAST(NULL AS TEXT) AS character_set_catalog,
  CAST(NULL AS TEXT) AS character_set_schema,
  CAST(NULL AS TEXT) AS character_set_name,
  CAST(NULL AS TEXT) AS collation_catalog,
  CAST(NULL AS TEXT) AS collation_schema,
  CAST(NULL AS TEXT) AS collation_name,
  CAST(NULL AS TEXT) AS domain_catalog,
  CAST(NULL AS TEXT) AS domain_schema,
  CAST(NULL AS TEXT) AS domain_name,
  current_database() AS udt_catalog,
  'pg_catalog' AS udt_schema,
  t.typname AS udt_name,
  CAST(NULL AS TEXT) AS scope_catalog,
  CAST(NULL AS TEXT) AS scope_schema,
  CAST(NULL AS TEXT) AS scope_name,
  CAST(NULL AS INT) AS maximum_cardinality,
  CAST(a.attnum AS TEXT) AS dtd_identifier,
  'NO' AS is_self_referencing,
  'NO' AS is_identity,
  CAST(NULL AS TEXT) AS identity_generation,
  CAST(NULL AS TEXT) AS identity_start,
  CAST(NULL AS TEXT) AS identity_increment,
  CAST(NULL AS TEXT) AS identity_maximum,
  CAST(NULL AS TEXT) AS identity_minimum,
  'NO' AS identity_cycle,
  'NEVER' AS is_generated,
  CAST(NULL AS TEXT) AS generation_expression,
  'NO' AS is_updatable
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attnum > 0
ORDER BY n.nspname, c.relname, a.attnum;

CREATE VIEW table_constraints AS
SELECT
  '' AS constraint_catalog,
  '' AS constraint_schema,
  '' AS constraint_name,
  '' AS table_catalog,
  '' AS table_schema,
  '' AS table_name,
  '' AS constraint_type,
  '' AS is_deferrable,
  '' AS initially_deferred,
  '' AS enforced,
  '' AS nulls_distinct
WHERE false;

CREATE VIEW key_column_usage AS
SELECT
  '' AS constraint_catalog,
  '' AS constraint_schema,
  '' AS constraint_name,
  '' AS table_catalog,
  '' AS table_schema,
  '' AS table_name,
  '' AS column_name,
  CAST(0 AS INT) AS ordinal_position,
  CAST(0 AS INT) AS position_in_unique_constraint
WHERE false;

CREATE VIEW referential_constraints AS
SELECT
  '' AS constraint_catalog,
  '' AS constraint_schema,
  '' AS constraint_name,
  '' AS unique_constraint_catalog,
  '' AS unique_constraint_schema,
  '' AS unique_constraint_name,
  '' AS match_option,
  '' AS update_rule,
  '' AS delete_rule
WHERE false;

CREATE VIEW constraint_column_usage AS
SELECT
  '' AS table_catalog,
  '' AS table_schema,
  '' AS table_name,
  '' AS column_name,
  '' AS constraint_catalog,
  '' AS constraint_schema,
  '' AS constraint_name
WHERE false;

CREATE VIEW check_constraints AS
SELECT
  '' AS constraint_catalog,
  '' AS constraint_schema,
  '' AS constraint_name,
  '' AS check_clause
WHERE false;

CREATE VIEW sequences AS
SELECT '' AS sequence_catalog, '' AS sequence_schema, '' AS sequence_name, '' AS data_type
WHERE false;

CREATE VIEW table_privileges AS
SELECT
  'postgres' AS grantor,
  'PUBLIC' AS grantee,
  table_catalog,
  table_schema,
  table_name,
  'SELECT' AS privilege_type,
  'NO' AS is_grantable,
  'YES' AS with_hierarchy
FROM information_schema.tables;

CREATE VIEW role_table_grants AS SELECT * FROM information_schema.table_privileges;
