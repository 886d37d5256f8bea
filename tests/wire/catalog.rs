//! Catalog queries of PostgreSQL tools, and PostgreSQL's meaning of SQL.

use tokio_postgres::Client;
use tokio_postgres::types::Type;
use uptally::internals::server::Settings;

use super::Wired;
use super::postgres::{connect, rows};
use crate::harness::block_on;

/// Queries with all of their rows.
const ANSWERS: &[(&str, &[&str])] = &[
    // Who is asked, and who asks.
    ("SELECT left(version(), 15)", &["PostgreSQL 16.6"]),
    ("SELECT left(pg_catalog.version(), 15)", &["PostgreSQL 16.6"]),
    ("SELECT current_user, session_user, current_catalog", &["ann|ann|uptally"]),
    ("SELECT current_user = 'ann'", &["t"]),
    ("SELECT current_setting('server_version_num')", &["160006"]),
    ("SET application_name = 'x'; SELECT pg_catalog.current_setting('application_name')", &["x"]),
    ("SELECT setting FROM pg_settings WHERE name = 'max_index_keys'", &["32"]),
    ("SELECT pg_is_in_recovery(), pg_size_pretty(20480)", &["f|20 kB"]),
    ("SELECT rolname, rolsuper FROM pg_roles", &["postgres|f"]),
    ("SELECT count(*) FROM pg_stat_activity", &["0"]),
    // The tables and their columns.
    (
        "SELECT nspname FROM pg_catalog.pg_namespace \
         WHERE nspname NOT LIKE 'pg/_%' ESCAPE '/' ORDER BY nspname",
        &["information_schema", "public"],
    ),
    (
        "SELECT column_name, data_type, udt_name, is_nullable FROM information_schema.columns \
         WHERE table_name = 'polls' ORDER BY ordinal_position",
        &[
            "store_id|text|text|NO",
            "store_no|integer|int4|NO",
            "polled_at|timestamp with time zone|timestamptz|NO",
            "active|boolean|bool|NO",
            "polled_on|date|date|NO",
        ],
    ),
    (
        "SELECT table_schema, table_name FROM information_schema.views \
         WHERE table_schema NOT IN ('pg_catalog', 'information_schema')",
        &["public|stores"],
    ),
    ("SELECT count(*) FROM information_schema.table_constraints", &["0"]),
    ("SELECT count(*) FROM information_schema.key_column_usage", &["0"]),
    ("SELECT viewname FROM pg_views WHERE schemaname = 'public'", &["stores"]),
    ("SELECT count(*) FROM pg_indexes", &["0"]),
    ("SELECT count(*) > 100 FROM information_schema.routines", &["t"]),
    ("SHOW FUNCTIONS LIKE 'no such'", &[]),
    ("SELECT relacl, reloptions FROM pg_class WHERE relname = 'polls'", &["{=r/postgres}|NULL"]),
    // Names and numbers.
    ("SELECT typname FROM pg_type t WHERE t.oid = to_regtype('interval')", &["interval"]),
    ("SELECT oid::regtype::text FROM pg_type WHERE typname = 'int8'", &["bigint"]),
    ("SELECT relname FROM pg_class WHERE oid = to_regclass('public.polls')", &["polls"]),
    ("SELECT relname FROM pg_class WHERE oid = 'polls'::regclass", &["polls"]),
    (
        "SELECT typname FROM pg_type WHERE typinput = 'pg_catalog.array_in'::regproc \
         AND typname = '_int4'",
        &["_int4"],
    ),
    (
        "SELECT p.proname FROM pg_type t JOIN pg_proc p ON p.oid = t.typreceive \
         WHERE t.typname = 'interval'",
        &["interval_recv"],
    ),
    // What SQL means.
    (
        "SELECT to_char(date_trunc('day', TIMESTAMPTZ '2023-03-01 05:00:00+00' \
         AT TIME ZONE 'America/Chicago'), 'YYYY-MM-DD HH24:MI')",
        &["2023-02-28 00:00"],
    ),
    (
        "SELECT TIMESTAMP '2023-03-01 00:00:00' AT TIME ZONE 'America/Chicago' \
         = TIMESTAMPTZ '2023-03-01 06:00:00Z'",
        &["t"],
    ),
    (
        "SELECT to_char(TIMESTAMPTZ '2023-03-01 05:00:00+02', 'YYYY-MM-DD HH24:MI')",
        &["2023-03-01 03:00"],
    ),
    ("SELECT to_char(TIMESTAMPTZ '2023-03-01 05:00:00+00', '%Y')", &["2023"]),
    ("SELECT count(*) FROM stores WHERE store_id = ANY('{}')", &["0"]),
    ("SELECT count(*) FROM stores WHERE store_id <> ALL('{}')", &["40"]),
    ("SELECT ('{1,2}'::int[])[2]", &["2"]),
    ("SELECT active, active::int FROM polls WHERE false", &[]),
];

/// Questions in the manner of tools: every way to write SQL here is one that psql or a driver has.
const OF_TOOLS: &[(&str, &[&str])] = &[
    // Relations by a pattern, with the names that numbers stand for.
    (
        r"
        SELECT space.nspname, rel.relname, pg_catalog.pg_get_userbyid(rel.relowner) AS whose,
            CASE rel.relkind WHEN 'r' THEN 'kept' WHEN 'v' THEN 'derived' END AS how,
            CASE WHEN rel.reloftype > 0
                THEN rel.reloftype::pg_catalog.regtype::pg_catalog.text ELSE '-' END AS of_type
        FROM pg_catalog.pg_class AS rel
        LEFT JOIN pg_catalog.pg_namespace AS space ON space.oid = rel.relnamespace
        LEFT JOIN pg_catalog.pg_class AS toast ON rel.reltoastrelid = toast.oid
        LEFT JOIN pg_catalog.pg_am AS method ON method.oid = rel.relam
        WHERE rel.relkind = ANY (ARRAY['r', 'v', ''])
            AND rel.relname OPERATOR(pg_catalog.~) '^(polls|stores|carried)$'
                COLLATE pg_catalog.default
            AND space.nspname !~ '^pg_toast' AND pg_catalog.pg_table_is_visible(rel.oid)
        ORDER BY 2, 1
        ",
        &["public|polls|postgres|kept|-", "public|stores|postgres|derived|-"],
    ),
    // Columns, with what a column may have and none has.
    (
        r"
        SELECT col.attname, pg_catalog.format_type(col.atttypid, col.atttypmod) AS type,
            col.attnotnull, col.attidentity, col.attgenerated,
            (SELECT pg_catalog.pg_get_expr(given.adbin, given.adrelid, true)
                FROM pg_catalog.pg_attrdef AS given
                WHERE given.adrelid = col.attrelid AND given.adnum = col.attnum AND col.atthasdef
            ) AS otherwise,
            (SELECT sorts.collname FROM pg_catalog.pg_collation AS sorts, pg_catalog.pg_type AS type
                WHERE sorts.oid = col.attcollation AND type.oid = col.atttypid
                    AND type.typcollation <> col.attcollation
            ) AS sorted_by,
            pg_catalog.col_description(col.attrelid, col.attnum) AS comment
        FROM pg_catalog.pg_attribute AS col
        WHERE col.attrelid = 'public.polls'::regclass AND col.attnum > 0 AND NOT col.attisdropped
        ORDER BY col.attnum
        LIMIT 3
        ",
        &[
            "store_id|text|t|||NULL|NULL|the store, as its files name it",
            "store_no|integer|t|||NULL|NULL|its number within the data: joins and groups by it cost \
             less than by store_id",
            "polled_at|timestamp with time zone|t|||NULL|NULL|the instant of the poll, UTC",
        ],
    ),
    // Descriptions of tables, by function and joined; system tables have none.
    (
        r"
        SELECT rel.relname, pg_catalog.obj_description(rel.oid, 'pg_class') AS of_it,
            about.description, pg_catalog.obj_description(rel.oid, 'pg_proc') AS of_another
        FROM pg_catalog.pg_class AS rel
        LEFT JOIN pg_catalog.pg_description AS about
            ON (rel.oid = about.objoid AND about.objsubid = 0)
        LEFT JOIN pg_catalog.pg_class AS place
            ON (about.classoid = place.oid AND place.relname = 'pg_class')
        WHERE rel.relname IN ('polls', 'pg_type')
        ORDER BY 1 DESC
        ",
        &[
            "polls|status polls, one row a store and instant|status polls, one row a store and \
             instant|NULL",
            "pg_type|NULL|NULL|NULL",
        ],
    ),
    // Who may do what.
    (
        r"
        SELECT member.rolname, member.rolcanlogin, member.rolconnlimit,
            ARRAY(SELECT wider.rolname
                FROM pg_catalog.pg_auth_members AS belongs
                JOIN pg_catalog.pg_roles AS wider ON (belongs.roleid = wider.oid)
                WHERE belongs.member = member.oid) AS belongs_to
        FROM pg_catalog.pg_roles AS member
        WHERE member.rolname !~ '^pg_'
        ",
        &["postgres|t|-1|NULL"],
    ),
    (
        r"
        SELECT rel.relname, pg_catalog.array_to_string(rel.relacl, E'\n') AS of_table,
            pg_catalog.array_to_string(ARRAY(
                SELECT col.attname || E':\n ' || pg_catalog.array_to_string(col.attacl, E'\n ')
                FROM pg_catalog.pg_attribute AS col
                WHERE col.attrelid = rel.oid AND col.attacl IS NOT NULL
            ), E'\n') AS of_columns,
            pg_catalog.array_to_string(ARRAY(
                SELECT rule.polname || CASE WHEN rule.polcmd != '*'
                    THEN E' (' || rule.polcmd::pg_catalog.text || E')' ELSE '' END
                FROM pg_catalog.pg_policy AS rule
                WHERE rule.polrelid = rel.oid
            ), E'\n') AS of_rows
        FROM pg_catalog.pg_class AS rel
        WHERE rel.relname = 'polls'
        ",
        &["polls|=r/postgres|NULL|NULL"],
    ),
    // Functions: this server's own are there.
    (
        r"
        SELECT space.nspname AS place, own.proname AS called,
            pg_catalog.pg_get_function_result(own.oid) AS gives,
            pg_catalog.pg_get_function_arguments(own.oid) AS takes,
            CASE own.prokind WHEN 'a' THEN 'folds' WHEN 'p' THEN 'acts' ELSE 'tells' END AS how
        FROM pg_catalog.pg_proc AS own
        LEFT JOIN pg_catalog.pg_namespace AS space ON space.oid = own.pronamespace
        WHERE own.proname OPERATOR(pg_catalog.~) '^(uptime|timeline)$'
            AND pg_catalog.pg_function_is_visible(own.oid)
        ORDER BY 2
        ",
        &[
            "public|timeline|anyarray|polled_at timestamp with time zone, active boolean, \
             interpolation text DEFAULT NULL, max_gap interval DEFAULT NULL|folds",
            "public|uptime|interval|timeline anyarray|tells",
            "public|uptime|SETOF record|from timestamp with time zone DEFAULT NULL, \
             to timestamp with time zone DEFAULT NULL, options text DEFAULT NULL|tells",
        ],
    ),
    (
        r"
        SELECT current_database() AS FROM_WHERE, NULL, NULL,
            own.proname || '_' || own.oid AS unique_name,
            CASE WHEN (format_type(own.prorettype, null) = 'unknown') THEN -1
                WHEN (substring(pg_get_function_result(own.oid) from 0 for 6) = 'SETOF') THEN 1
                ELSE 0 END AS MANY_ROWS, about.description AS COMMENT
        FROM pg_catalog.pg_namespace AS space, pg_catalog.pg_proc AS own
        LEFT JOIN pg_catalog.pg_description AS about ON (own.oid = about.objoid)
        LEFT JOIN pg_catalog.pg_class AS rel
            ON (about.classoid = rel.oid AND rel.relname = 'pg_proc')
        WHERE own.pronamespace = space.oid AND own.prokind = 'p'
        ORDER BY UNIQUE_NAME, own.oid::text
        ",
        &[],
    ),
    // Types, in the order of the schemas where they are looked for.
    (
        r"
        SELECT of.typname, of.oid, of.typinput = 'pg_catalog.array_in'::regproc AS is_list
        FROM pg_catalog.pg_type AS of
        LEFT JOIN (
            SELECT space.oid AS place, looked.number FROM pg_namespace AS space JOIN (
                SELECT at.number, (current_schemas(false))[at.number] AS nspname
                FROM generate_series(1, array_upper(current_schemas(false), 1)) AS at(number)
            ) AS looked USING (nspname)
        ) AS found ON found.place = of.typnamespace
        WHERE of.typname = 'interval' ORDER BY found.number, of.oid DESC
        ",
        &["interval|1186|f"],
    ),
    (
        r"
        SELECT of.oid FROM pg_catalog.pg_type AS of
        JOIN pg_catalog.pg_namespace AS space ON (of.typnamespace = space.oid)
        WHERE of.typname IN ('bool', 'date') AND (of.typrelid = 0 OR (
            SELECT rel.relkind = 'c' FROM pg_catalog.pg_class AS rel WHERE rel.oid = of.typrelid))
        ORDER BY of.oid
        ",
        &["16", "1082"],
    ),
    // Keys and indexes, of which there are none.
    (
        r"
        SELECT keyed.attname, keyed.place, keyed.relname FROM (
            SELECT col.attname, col.attnum, of.relname,
                (information_schema._pg_expandarray(key.indkey)).n AS place,
                information_schema._pg_expandarray(key.indkey) AS columns
            FROM pg_catalog.pg_class AS rel
            JOIN pg_catalog.pg_attribute AS col ON (rel.oid = col.attrelid)
            JOIN pg_catalog.pg_index AS key ON (key.indrelid = col.attrelid)
            JOIN pg_catalog.pg_class AS of ON (of.oid = key.indexrelid)
            WHERE rel.relname = 'polls' AND key.indisprimary
        ) AS keyed
        WHERE keyed.attnum = (keyed.columns).x ORDER BY keyed.place
        ",
        &[],
    ),
    (
        r#"
        SELECT
            trim(both '"' from pg_catalog.pg_get_indexdef(sorted.number, sorted.place, false)) AS it,
            CASE sorted.ways[sorted.place - 1] & 1::smallint
                WHEN 1 THEN 'falls' ELSE 'rises' END AS way
        FROM (
            SELECT of.oid AS number, key.indoption AS ways, NOT key.indisunique AS repeats,
                (information_schema._pg_expandarray(key.indkey)).n AS place,
                pg_catalog.pg_get_expr(key.indpred, key.indrelid) AS only
            FROM pg_catalog.pg_index AS key
            JOIN pg_catalog.pg_class AS of ON (of.oid = key.indexrelid)
        ) AS sorted
        ORDER BY sorted.repeats, sorted.place
        "#,
        &[],
    ),
    (
        r"
        SELECT NULL::text AS nowhere, named.attname, rule.conname, pair.n AS place,
            CASE WHEN rule.condeferrable AND rule.condeferred THEN 2 ELSE 0 END AS waits
        FROM pg_catalog.pg_constraint AS rule, pg_catalog.pg_class AS rel,
            pg_catalog.pg_attribute AS named, pg_catalog.generate_series(1, 32) AS pair(n)
        WHERE named.attrelid = rel.oid AND named.attnum = rule.confkey[pair.n]
            AND rule.confrelid = rel.oid AND rule.contype = 'f' AND rel.relname = 'polls'
        ORDER BY rule.conname, pair.n
        ",
        &[],
    ),
];

/// The answers to questions that are not as expected.
async fn wrong(client: &Client, questions: &[(&str, &[&str])]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (question, expected) in questions {
        match rows(client, question).await {
            Ok(answered) if answered == *expected => {}
            other => wrong.push(format!("{question}\n  {other:?}\n  expected {expected:?}")),
        }
    }
    wrong
}

#[test]
fn users_of_postgres_are_answered_as_by_postgres() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let (client, _told) = connect(&wired, "").await.unwrap();
        let wrong = wrong(&client, ANSWERS).await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    });
}

#[test]
fn tools_learn_of_relations_functions_and_types() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let (client, _told) = connect(&wired, "").await.unwrap();
        let wrong = wrong(&client, OF_TOOLS).await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
        for (question, _) in OF_TOOLS {
            if let Err(refused) = client.prepare(question).await {
                panic!("{question} {refused:?}");
            }
        }
        // A number that was told is given back as text.
        let number = "SELECT oid FROM pg_class WHERE relname = 'polls'";
        let number = &rows(&client, number).await.unwrap()[0];
        let name = format!("SELECT relname FROM pg_catalog.pg_class WHERE oid = '{number}'");
        assert_eq!(rows(&client, &name).await.unwrap(), ["polls"]);
    });
}

#[test]
fn lists_can_be_bound_and_what_is_not_asked_for_as_well() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let (client, _told) = connect(&wired, "").await.unwrap();
        let stores = client.query("SELECT store_id FROM stores LIMIT 2", &[]).await.unwrap();
        let stores: Vec<String> = stores.iter().map(|row| row.get(0)).collect();
        let of_any = "SELECT count(*) FROM stores WHERE store_id = ANY($1)";
        let count = client.query_one(of_any, &[&stores]).await.unwrap();
        assert_eq!(count.get::<_, i64>(0), 2);
        let numbers = vec![1i32, 2];
        let types = [Type::INT4_ARRAY];
        let of_any = "SELECT count(*) FROM stores WHERE store_no = ANY($1)";
        let of_any = client.prepare_typed(of_any, &types).await.unwrap();
        let count = client.query_one(&of_any, &[&numbers]).await.unwrap();
        assert_eq!(count.get::<_, i64>(0), 2);
        // No column has a default, whatever it is looked for by.
        let default = "SELECT (SELECT adbin FROM pg_attrdef WHERE adnum = $1::int), relname \
            FROM pg_class WHERE relname = $2";
        let row = client.query_one(default, &[&"1", &"polls"]).await.unwrap();
        assert_eq!((row.get::<_, Option<&str>>(0), row.get::<_, &str>(1)), (None, "polls"));
    });
}
