-- Views of pg_catalog over the tables in `stored`, with PostgreSQL's types and the columns that
-- clients read. Each view may refer to earlier ones.

-- Columns that refer to functions hold OIDs, by which clients look them up.
CREATE VIEW pg_type AS
SELECT
  * REPLACE (
    function_oid(typinput) AS typinput,
    function_oid(typoutput) AS typoutput,
    function_oid(typreceive) AS typreceive,
    function_oid(typsend) AS typsend,
    function_oid(typmodin) AS typmodin,
    function_oid(typmodout) AS typmodout,
    function_oid(typanalyze) AS typanalyze,
    function_oid(typsubscript) AS typsubscript,
    CAST(NULL AS TEXT[]) AS typacl
  )
FROM stored.pg_type;

-- Everyone may read, no one may write.
CREATE VIEW pg_class AS
SELECT
  * REPLACE (CAST(10 AS INT) AS relowner),
  CASE WHEN relkind IN ('r', 'v') THEN ['=r/postgres'] END AS relacl,
  CAST(NULL AS TEXT[]) AS reloptions
FROM stored.pg_class;

CREATE VIEW pg_attribute AS
SELECT * REPLACE (CAST(NULL AS TEXT[]) AS attacl, CAST(NULL AS TEXT[]) AS attoptions)
FROM stored.pg_attribute;

CREATE VIEW pg_namespace AS
SELECT * REPLACE (CAST(NULL AS TEXT[]) AS nspacl)
FROM stored.pg_namespace;

CREATE VIEW pg_database AS
SELECT * REPLACE (CAST(NULL AS TEXT[]) AS datacl)
FROM stored.pg_database
WHERE datname = current_database();

-- Columns of two versions of PostgreSQL.
CREATE VIEW pg_collation AS
SELECT *, colllocale AS colliculocale
FROM stored.pg_collation;

-- Functions of the types above, and those of uptally.
CREATE VIEW pg_proc AS
SELECT
  * REPLACE (
    CAST(NULL AS INT[]) AS proallargtypes,
    CAST(NULL AS TEXT[]) AS proargmodes,
    CAST(NULL AS TEXT[]) AS proargnames,
    CAST(NULL AS TEXT[]) AS proconfig,
    CAST(NULL AS TEXT[]) AS proacl
  )
FROM stored.pg_proc
WHERE oid IN (
  SELECT typinput FROM pg_catalog.pg_type
  UNION SELECT typoutput FROM pg_catalog.pg_type
  UNION SELECT typreceive FROM pg_catalog.pg_type
  UNION SELECT typsend FROM pg_catalog.pg_type
)
UNION ALL BY NAME
SELECT
  f.oid,
  f.name AS proname,
  n.oid AS pronamespace,
  CAST(10 AS INT) AS proowner,
  CAST(12 AS INT) AS prolang,
  CAST(0 AS INT) AS provariadic,
  f.kind AS prokind,
  false AS prosecdef,
  false AS proleakproof,
  false AS proisstrict,
  f.returns_rows AS proretset,
  's' AS provolatile,
  's' AS proparallel,
  f.arguments AS pronargs,
  f.return_type AS prorettype,
  f.argument_types AS proargtypes,
  '' AS prosrc
FROM stored.functions f
JOIN stored.pg_namespace n ON n.nspname = 'public';

-- Descriptions of tables (number 0) and of their columns, by the number of the column.
CREATE VIEW pg_description AS
SELECT
  c.oid AS objoid,
  k.oid AS classoid,
  CAST(coalesce(a.attnum, 0) AS INT) AS objsubid,
  d.description
FROM stored.descriptions d
JOIN stored.pg_class c ON c.relname = d.table_name
JOIN stored.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
JOIN stored.pg_class k ON k.relname = 'pg_class'
LEFT JOIN stored.pg_attribute a ON a.attrelid = c.oid AND a.attname = d.column_name
WHERE d.column_name = '' OR a.attnum > 0;

-- Indexes, keys and similar objects do not exist here.
CREATE VIEW pg_index AS
SELECT
  * REPLACE (
    CAST(NULL AS SMALLINT[]) AS indkey,
    CAST(NULL AS INT[]) AS indcollation,
    CAST(NULL AS INT[]) AS indclass,
    CAST(NULL AS SMALLINT[]) AS indoption
  )
FROM stored.pg_index
WHERE false;

CREATE VIEW pg_constraint AS
SELECT
  * REPLACE (
    CAST(NULL AS SMALLINT[]) AS conkey,
    CAST(NULL AS SMALLINT[]) AS confkey,
    CAST(NULL AS INT[]) AS conpfeqop,
    CAST(NULL AS INT[]) AS conppeqop,
    CAST(NULL AS INT[]) AS conffeqop,
    CAST(NULL AS SMALLINT[]) AS confdelsetcols,
    CAST(NULL AS INT[]) AS conexclop
  )
FROM stored.pg_constraint
WHERE false;

CREATE VIEW pg_policy AS
SELECT * REPLACE (CAST(NULL AS INT[]) AS polroles)
FROM stored.pg_policy
WHERE false;

CREATE VIEW pg_statistic_ext AS
SELECT * REPLACE (CAST(NULL AS TEXT[]) AS stxkind, CAST(NULL AS SMALLINT[]) AS stxkeys)
FROM stored.pg_statistic_ext
WHERE false;

CREATE VIEW pg_event_trigger AS
SELECT * REPLACE (CAST(NULL AS TEXT[]) AS evttags)
FROM stored.pg_event_trigger
WHERE false;

CREATE VIEW pg_default_acl AS
SELECT * REPLACE (CAST(NULL AS TEXT[]) AS defaclacl)
FROM stored.pg_default_acl
WHERE false;

CREATE VIEW pg_db_role_setting AS
SELECT * REPLACE (CAST(NULL AS TEXT[]) AS setconfig)
FROM stored.pg_db_role_setting
WHERE false;

CREATE VIEW pg_shdescription AS SELECT * FROM stored.pg_shdescription WHERE false;

CREATE VIEW pg_depend AS SELECT * FROM stored.pg_depend WHERE false;

CREATE VIEW pg_extension AS SELECT * FROM stored.pg_extension WHERE false;

CREATE VIEW pg_rewrite AS SELECT * FROM stored.pg_rewrite WHERE false;

CREATE VIEW pg_statistic AS SELECT * FROM stored.pg_statistic WHERE false;

CREATE VIEW pg_auth_members AS SELECT * FROM stored.pg_auth_members WHERE false;

-- Owner of the tables.
CREATE VIEW pg_roles AS
SELECT
  'postgres' AS rolname,
  false AS rolsuper,
  true AS rolinherit,
  false AS rolcreaterole,
  false AS rolcreatedb,
  true AS rolcanlogin,
  false AS rolreplication,
  -1 AS rolconnlimit,
  CAST(NULL AS TEXT) AS rolpassword,
  CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS rolvaliduntil,
  false AS rolbypassrls,
  CAST(NULL AS TEXT[]) AS rolconfig,
  CAST(10 AS INT) AS oid;

CREATE VIEW pg_authid AS SELECT * FROM pg_catalog.pg_roles;

CREATE VIEW pg_user AS
SELECT
  rolname AS usename,
  oid AS usesysid,
  rolcreatedb AS usecreatedb,
  rolsuper AS usesuper,
  rolreplication AS userepl,
  rolbypassrls AS usebypassrls,
  rolpassword AS passwd,
  rolvaliduntil AS valuntil,
  rolconfig AS useconfig
FROM pg_catalog.pg_roles;

CREATE VIEW pg_settings AS
SELECT
  name,
  setting,
  CAST(NULL AS TEXT) AS unit,
  'Client Connection Defaults' AS category,
  '' AS short_desc,
  CAST(NULL AS TEXT) AS extra_desc,
  context,
  'string' AS vartype,
  'default' AS source,
  CAST(NULL AS TEXT) AS min_val,
  CAST(NULL AS TEXT) AS max_val,
  CAST(NULL AS TEXT[]) AS enumvals,
  setting AS boot_val,
  setting AS reset_val,
  CAST(NULL AS TEXT) AS sourcefile,
  CAST(NULL AS INT) AS sourceline,
  false AS pending_restart
FROM stored.settings;

CREATE VIEW pg_views AS
SELECT
  n.nspname AS schemaname,
  c.relname AS viewname,
  'postgres' AS viewowner,
  CAST(NULL AS TEXT) AS definition
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v';

CREATE VIEW pg_tables AS
SELECT
  n.nspname AS schemaname,
  c.relname AS tablename,
  'postgres' AS tableowner,
  CAST(NULL AS TEXT) AS tablespace,
  false AS hasindexes,
  false AS hasrules,
  false AS hastriggers,
  false AS rowsecurity
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r';

CREATE VIEW pg_indexes AS
SELECT
  '' AS schemaname,
  '' AS tablename,
  '' AS indexname,
  CAST(NULL AS TEXT) AS tablespace,
  '' AS indexdef
WHERE false;

CREATE VIEW pg_sequences AS
SELECT
  '' AS schemaname,
  '' AS sequencename,
  '' AS sequenceowner,
  CAST(NULL AS BIGINT) AS start_value,
  CAST(NULL AS BIGINT) AS min_value,
  CAST(NULL AS BIGINT) AS max_value,
  CAST(NULL AS BIGINT) AS increment_by,
  false AS cycle,
  CAST(NULL AS BIGINT) AS cache_size,
  CAST(NULL AS BIGINT) AS last_value
WHERE false;

CREATE VIEW pg_user_mappings AS
SELECT
  CAST(0 AS INT) AS umid,
  CAST(0 AS INT) AS srvid,
  '' AS srvname,
  CAST(0 AS INT) AS umuser,
  '' AS usename,
  CAST(NULL AS TEXT[]) AS umoptions
WHERE false;

CREATE VIEW pg_locks AS
SELECT
  '' AS locktype,
  CAST(0 AS INT) AS database,
  CAST(0 AS INT) AS relation,
  CAST(0 AS INT) AS pid,
  '' AS mode,
  false AS granted
WHERE false;

-- Other clients' queries are not shown.
CREATE VIEW pg_stat_activity AS
SELECT
  CAST(0 AS INT) AS datid,
  '' AS datname,
  CAST(0 AS INT) AS pid,
  CAST(0 AS INT) AS usesysid,
  '' AS usename,
  '' AS application_name,
  '' AS client_addr,
  CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS backend_start,
  CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS xact_start,
  CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS query_start,
  CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS state_change,
  '' AS wait_event_type,
  '' AS wait_event,
  '' AS state,
  '' AS query,
  '' AS backend_type
WHERE false;
