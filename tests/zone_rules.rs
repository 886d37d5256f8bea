//! Editions of the zone rules: a version keeps those that it was created with.

use std::path::Path;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tempfile::TempDir;
use uptally::ZoneRules;
use uptally::internals::server::Settings;

use crate::earlier_tables::{drop_columns, files_in};
use crate::harness::{self, block_on, text, uptally};
use crate::service::Served;

/// Stdout and stderr of the command.
#[track_caller]
fn run(folder: &Path, arguments: &str) -> (String, String) {
    let run = harness::run(folder, arguments);
    let (printed, said) = (text(&run.stdout), text(&run.stderr));
    assert!(run.status.success(), "{arguments}: {said}");
    (printed, said)
}

#[track_caller]
fn fails(folder: &Path, arguments: &str, sentence: &str) {
    let run = harness::run(folder, arguments);
    let said = text(&run.stderr);
    assert!(!run.status.success() && said.contains(sentence), "{arguments}: {said}");
}

const HEADER: &str = "store_id,status,timestamp_utc";

/// A store in Vancouver and one in Chicago, each open from 9 to 10, and always up.
fn chain() -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let polls = "b,active,2026-01-01 00:00:00 UTC\nc,active,2026-01-01 00:00:00 UTC";
    write("polls.csv", &format!("{HEADER}\n{polls}\n"));
    write("more.csv", &format!("{HEADER}\nb,active,2026-01-02 00:00:00 UTC\n"));
    write("zones.csv", "store_id,timezone_str\nb,america/vancouver\nc,America/Chicago\n");
    let days =
        |store: &str| (0..7).map(|day| format!("{store},{day},09:00,10:00\n")).collect::<String>();
    write(
        "hours.csv",
        &format!("store_id,day,start_time_local,end_time_local\n{}{}", days("b"), days("c")),
    );
    folder
}

const INGEST: &str = "ingest polls.csv zones.csv hours.csv";
/// A quarter to ten in Vancouver by edition 2026f, and a quarter to nine by 2025b.
const REPORT: &str = "report --exact --now 2026-12-01T16:45:00Z";

/// Of the last hour, in minutes of uptime.
#[track_caller]
fn minutes_in_vancouver(folder: &Path, arguments: &str) -> i64 {
    let (printed, _) = run(folder, &format!("{REPORT} {arguments}"));
    let row = printed.lines().find_map(|line| line.strip_prefix("b,")).unwrap();
    row.split(',').next().unwrap().parse::<i64>().unwrap() / 60_000_000
}

/// Columns of `loads` that programs before edition 2026f did not write.
const LATER_COLUMNS: [&str; 2] = ["zone_rules_version", "zone_rules"];

/// Turns the tables into those of a version without zone rules: without their table, and without
/// the columns that name them.
fn downgrade_tables(data: &Path) {
    std::fs::remove_dir_all(data.join("zone_rules")).unwrap();
    drop_columns(&data.join("loads"), &LATER_COLUMNS);
}

fn earlier_chain() -> TempDir {
    let folder = chain();
    run(folder.path(), INGEST);
    downgrade_tables(&folder.path().join("data"));
    folder
}

const WARNING: &str = "the data has the zone rules 2025b, older than this program's 2026f; run `uptally zones update`";

#[test]
fn a_version_without_rules_counts_as_2025b_and_says_so() {
    let folder = earlier_chain();
    let folder = folder.path();
    for engine in ["datafusion", "polars"] {
        assert_eq!(minutes_in_vancouver(folder, &format!("--engine {engine}")), 0);
    }
    let (_, said) = run(folder, REPORT);
    assert!(
        said.contains(&format!("warning: {WARNING}")) && said.contains("zone rules 2025b"),
        "{said}"
    );
    let (listed, _) = run(folder, "zones");
    assert!(
        listed.ends_with("version 1: 2025b; clocks other than by 2026f in America/Vancouver\n"),
        "{listed}"
    );
    let (rows, said) = asked(folder, "SELECT store_id, zone_rules FROM stores ORDER BY 1");
    assert_eq!(rows, "store_id,zone_rules\nb,2025b\nc,2025b\n");
    assert!(said.contains(WARNING), "{said}");
    let (opens, _) = asked(folder, "SELECT next_open('b', '2026-12-01') AS opens_at");
    assert_eq!(opens, "opens_at\n2026-12-01T17:00:00Z\n");
    let (at, _) = asked(folder, IN_VANCOUVER);
    assert_eq!(at, "at,said\n2026-12-01T17:00:00Z,2026-12-01T17:00:00Z\n");
}

const IN_VANCOUVER: &str = "SELECT TIMESTAMP '2026-12-01 09:00' AT TIME ZONE 'America/Vancouver' \
    AS at, '2026-12-01 09:00 America/Vancouver'::timestamptz AS said";

#[track_caller]
fn asked(folder: &Path, sql: &str) -> (String, String) {
    let run = uptally(["sql", sql, "--format", "csv"]).current_dir(folder).output().unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "{sql}: {said}");
    (String::from_utf8(run.stdout).unwrap(), said)
}

#[test]
fn a_load_brings_the_newest_rules_and_names_the_zones_whose_clocks_change() {
    let folder = earlier_chain();
    let folder = folder.path();
    let before = run(folder, REPORT).0;
    let (said, _) = run(folder, "ingest polls.csv");
    assert!(said.contains("nothing to do") && said.ends_with("version 1\n"), "{said}");
    let (said, _) = run(folder, "ingest more.csv");
    let changed = "zone rules: 2026f, in place of 2025b; clocks change in America/Vancouver\n";
    assert!(said.contains(changed) && said.ends_with("version 2\n"), "{said}");
    assert_eq!(minutes_in_vancouver(folder, ""), 45);
    for engine in ["datafusion", "polars"] {
        let (again, said) = run(folder, &format!("{REPORT} --as-of 1 --engine {engine}"));
        assert_eq!(again, before);
        assert!(!said.contains("warning") && said.contains("zone rules 2025b"), "{said}");
    }
    let (listed, _) = run(folder, "zones");
    assert!(listed.ends_with("in America/Vancouver\nversion 2: 2026f\n"), "{listed}");
    let (at, _) = asked(folder, IN_VANCOUVER);
    assert_eq!(at, "at,said\n2026-12-01T16:00:00Z,2026-12-01T16:00:00Z\n");
    // The list of loads has the columns that it had not.
    let loads = "SELECT version, zone_rules, zone_rules_version IS NULL AS is_missing FROM loads ORDER BY 1, 2";
    let rows = asked(folder, loads).0;
    assert_eq!(rows, "version,zone_rules,is_missing\n1,,true\n1,,true\n1,,true\n2,2026f,false\n");
    let then = "SELECT zone_rules FROM as_of('stores', 1) UNION ALL SELECT zone_rules FROM as_of('loads', 1)";
    assert_eq!(asked(folder, then).0.matches("2025b").count(), 2);
    let log = folder.join("data/loads/_delta_log/00000000000000000002.json");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("metaData") && log.contains("zone_rules_version"), "{log}");
}

#[test]
fn an_update_changes_the_rules_alone_and_earlier_versions_keep_their_bytes() {
    let folder = earlier_chain();
    let folder = folder.path();
    let before = run(folder, REPORT).0;
    let (said, _) = run(folder, "zones update");
    let expected =
        "zone rules: 2026f, in place of 2025b; clocks change in America/Vancouver\nversion 2\n";
    assert_eq!(said, expected);
    assert_eq!(minutes_in_vancouver(folder, ""), 45);
    assert_eq!(run(folder, &format!("{REPORT} --as-of 1")).0, before);
    let (said, _) = run(folder, "zones update");
    assert_eq!(said, "zone rules: 2026f already; nothing to do\nversion 2\n");
    let rows = asked(folder, "SELECT kind, file, rows FROM loads WHERE version = 2").0;
    let zones = ZoneRules::bundled().names().len();
    assert_eq!(rows, format!("kind,file,rows\nzone_rules,bundled,{zones}\n"));
    // What was loaded stays known.
    let (said, _) = run(folder, INGEST);
    assert!(said.contains("nothing to do") && said.ends_with("version 2\n"), "{said}");
}

/// A folder of zones of an edition: Chicago's clocks under the names.
fn zoneinfo(folder: &Path, edition: &str, names: &[&str]) {
    let chicago = ZoneRules::bundled().tzif("America/Chicago").unwrap().to_vec();
    for name in names {
        let path = folder.join(edition).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &chicago).unwrap();
    }
    std::fs::write(folder.join(edition).join("tzdata.zi"), format!("# version {edition}\n"))
        .unwrap();
}

#[test]
fn a_folder_of_rules_counts_where_it_is_the_newest() {
    let folder = chain();
    let folder = folder.path();
    let names = ["America/Chicago", "America/Vancouver", "Mars/Olympus"];
    zoneinfo(folder, "2099a", &names);
    zoneinfo(folder, "2024a", &names);
    zoneinfo(folder, "2099b", &names[..1]);
    // 9 o'clock of Chicago in winter is 15:00 UTC.
    let (printed, said) =
        run(folder, &format!("{REPORT} --zone-rules 2099a polls.csv zones.csv hours.csv"));
    assert!(
        printed.contains("\nb,900000000,") && said.contains("zone rules 2099a"),
        "{printed}{said}"
    );
    let (_, said) =
        run(folder, &format!("{REPORT} --zone-rules 2024a polls.csv zones.csv hours.csv"));
    let older = "note: the zone rules 2024a of \"2024a\" are older; 2026f stay";
    assert!(said.contains(older) && said.contains("zone rules 2026f"), "{said}");

    run(folder, INGEST);
    std::fs::write(
        folder.join("mars.csv"),
        "store_id,timezone_str\nb,mars/olympus\nc,America/Chicago\n",
    )
    .unwrap();
    fails(folder, "ingest mars.csv", "\"mars/olympus\" is not a time zone");
    fails(
        folder,
        "ingest more.csv --zone-rules 2099b",
        "the zone rules 2099b lack America/Vancouver",
    );
    let (said, _) = run(folder, "ingest mars.csv --zone-rules 2099a");
    assert!(
        said.contains("zone rules: 2099a, in place of 2026f; clocks change in Mars/Olympus"),
        "{said}"
    );
    let rows = asked(folder, "SELECT time_zone FROM time_zones ORDER BY store_id").0;
    assert_eq!(rows, "time_zone\nMars/Olympus\nAmerica/Chicago\n");
    // The version keeps what no other folder has, and later ones keep it too.
    let (_, said) = run(folder, "ingest more.csv --zone-rules 2024a");
    assert!(said.contains("2099a stay"), "{said}");
    assert_eq!(minutes_in_vancouver(folder, "--as-of 1"), 45);
    assert_eq!(minutes_in_vancouver(folder, ""), 15);
    let (listed, _) = run(folder, "zones");
    let expected =
        "version 1: 2026f\nversions 2 to 3: 2099a; clocks other than by 2026f in Mars/Olympus\n";
    assert!(listed.ends_with(expected), "{listed}");
}

#[test]
fn an_invalid_folder_of_rules_changes_nothing() {
    let folder = chain();
    let folder = folder.path();
    fails(folder, "zones update", "no data in \"data\"; run `uptally ingest` first");
    assert!(!folder.join("data").exists());
    fails(folder, &format!("{INGEST} --zone-rules ."), "has no edition");
    fails(folder, "ingest polls.csv --zone-rules nowhere", "\"nowhere\": cannot read");
    fails(folder, "report --zone-rules .", "with `uptally zones update --zone-rules DIR`");
    fails(folder, "zones show Mars/Olympus", "\"Mars/Olympus\" is not a zone of the rules 2026f");
}

#[test]
fn clocks_are_shown_by_the_rules_of_a_version() {
    let folder = earlier_chain();
    let folder = folder.path();
    run(folder, "zones update");
    let show = "zones show america/vancouver --from 2026-06-01T00:00:00Z --to 2027-01-01T00:00:00Z";
    let header =
        "zone,starts_at,utc_offset_s\nAmerica/Vancouver,2026-06-01T00:00:00.000000Z,-25200\n";
    assert_eq!(run(folder, show).0, header);
    let winter = "America/Vancouver,2026-11-01T09:00:00.000000Z,-28800\n";
    assert_eq!(run(folder, &format!("{show} --as-of 1")).0, format!("{header}{winter}"));
}

#[test]
fn every_output_that_explains_itself_names_the_edition() {
    let folder = chain();
    let (version, _) = run(folder.path(), "--version");
    assert!(version.ends_with(" (zone rules 2026f)\n"), "{version}");
    run(folder.path(), INGEST);
    let key = "uptally_zone_rules";
    for format in ["parquet", "arrow"] {
        run(folder.path(), &format!("{REPORT} --format {format} --output report.{format}"));
        let file = std::fs::File::open(folder.path().join(format!("report.{format}"))).unwrap();
        let edition = match format {
            "parquet" => {
                let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
                let notes = reader.metadata().file_metadata().key_value_metadata().unwrap();
                assert!(reader.schema().metadata().contains_key(key));
                notes.iter().find(|note| note.key == key).unwrap().value.clone().unwrap()
            }
            _ => {
                let reader = arrow::ipc::reader::FileReader::try_new(file, None).unwrap();
                reader.schema().metadata()[key].clone()
            }
        };
        assert_eq!(edition, "2026f", "{format}");
    }
}

#[test]
fn the_service_names_the_edition_and_warns_of_an_old_one() {
    let folder = earlier_chain();
    let data = TempDir::new().unwrap();
    std::fs::rename(folder.path().join("data"), data.path().join("tables")).unwrap();
    for table in files_in(&data.path().join("tables"), "") {
        std::fs::rename(&table, data.path().join(table.file_name().unwrap())).unwrap();
    }
    block_on(async {
        let place = data.path().to_owned();
        let served = Served::over(data, Settings::default());
        let versions = served.get("/v1/versions").await.json();
        assert_eq!(versions["warning"], WARNING);
        assert_eq!(versions["bundled_zone_rules"], "2026f");
        let ask = r#"{"now": "2026-12-01T16:45:00Z", "exact": true}"#;
        let old = served.finished(ask).await;
        let asked = &served;
        let edition = |id: String| async move {
            let report = asked.get(&format!("/v1/reports/{id}")).await.json();
            report["zone_rules"].clone()
        };
        assert_eq!(edition(old.clone()).await, "2025b");
        let rows = served.get(&format!("/v1/reports/{old}.csv")).await.text();
        assert!(rows.contains("\nb,0,"), "{rows}");

        run(&place, "zones update --data .");
        let new = served.finished(ask).await;
        assert_eq!(edition(new.clone()).await, "2026f");
        let rows = served.get(&format!("/v1/reports/{new}.csv")).await.text();
        assert!(rows.contains("\nb,2700000000,"), "{rows}");
        let versions = served.get("/v1/versions").await.json();
        assert_eq!(versions["warning"], Value::Null);
        let editions: Vec<_> =
            versions["versions"].as_array().unwrap().iter().map(|of| &of["zone_rules"]).collect();
        assert_eq!(editions, ["2026f", "2025b"]);
        let range = "from=2026-12-01T00:00:00Z&to=2026-12-02T00:00:00Z";
        for (asked, edition, opens) in [("", "2026f", "16:00"), ("&as_of=1", "2025b", "17:00")] {
            let told = served.get(&format!("/v1/explain?store=b&{range}{asked}")).await.json();
            assert_eq!(told["zone_rules"], edition);
            let open = told["stretches"]
                .as_array()
                .unwrap()
                .iter()
                .find(|stretch| stretch["is_open"] == true);
            let starts_at = open.unwrap()["starts_at"].as_str().unwrap();
            assert_eq!(&starts_at[11..16], opens);
        }
    });
}
