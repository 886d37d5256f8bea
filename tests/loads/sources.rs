//! Sources of polls: conflicts with files and lines, standard input, and waiting for other loads.

use std::io::Write;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{POLLS, asked, done, files, hours, polls, refused, text, write};
use crate::harness::uptally;

#[test]
fn conflicting_polls_are_listed() {
    let folder = files(&[
        (
            "1.csv",
            "status,store_id,timestamp_utc\nactive,a,2023-01-24 10:00:00 UTC\nactive,b,2023-01-23 10:00:00 UTC\n",
        ),
        (
            "2.csv",
            &format!(
                "{POLLS}a,active,2023-01-24 11:00:00 UTC\n\na,inactive,2023-01-24 10:00:00 UTC\n"
            ),
        ),
        (
            "3.csv",
            &format!(
                "{POLLS}b,active,2023-01-23 12:00:00 UTC\nb,inactive,2023-01-23 12:00:00 UTC\nb,active,2023-01-23 12:00:00 UTC\n"
            ),
        ),
    ]);
    let folder = folder.path();
    let listed = || {
        let rows = asked(
            folder,
            "SELECT version AS v, store_id, date_part('hour', polled_at) AS h, status, file, line, \
             other_status, other_file, other_line FROM conflicts ORDER BY 1, 2, 3, 5, 6",
        );
        rows.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    done(folder, "ingest 1.csv");
    assert_eq!(listed(), Vec::<String>::new());
    let (said, _) = done(folder, "ingest 2.csv 3.csv");
    assert!(said.contains("polls: 2 loaded, 0 duplicate, 3 conflicting\n"), "{said}");
    let second = [
        "2,a,10,inactive,2.csv,4,active,1.csv,",
        "2,b,12,active,3.csv,2,inactive,3.csv,3",
        "2,b,12,active,3.csv,4,inactive,3.csv,3",
    ];
    assert_eq!(listed(), second);
    let as_of = "SELECT count(*) AS n FROM as_of('conflicts', 1)";
    assert_eq!(asked(folder, as_of), "n\n0\n");

    // What the tables held before may have come from several files.
    write(folder, "4.csv", &format!("{POLLS}a,active,2023-01-24 10:00:00 UTC\n"));
    done(folder, "ingest 4.csv");
    assert_eq!(listed()[3..], ["3,a,10,active,4.csv,2,inactive,,"]);
    assert!(done(folder, "ingest 4.csv").0.contains("nothing to do"));
    assert_eq!(listed().len(), 4);
    // Both sides in one load, from files in any order.
    let (said, _) = done(folder, "ingest --data other 2.csv 1.csv");
    assert!(said.contains("1 conflicting"), "{said}");
    let run = uptally([
        "sql",
        "--data",
        "other",
        "SELECT file, line, other_file, other_line FROM conflicts",
    ])
    .current_dir(folder)
    .output()
    .unwrap();
    assert_eq!(text(&run.stdout), "file,line,other_file,other_line\n1.csv,2,2.csv,4\n");
}

#[test]
fn conflicts_have_their_lines_in_files_of_any_form() {
    const HEADER: &str = "\u{feff}store_id,status,timestamp_utc,note";
    const QUOTED: &str = "\"two\nlines, \"\"quoted\"\"\"";
    // More of these than fit into a block.
    const BETWEEN: (&str, usize) = ("b,active,2023-01-24 10:00:00 UTC,", 40_000);
    // Rows of the long id are searched for; all rows are split for the short one.
    for id in ["1177941416522642976", "a"] {
        let folder = files(&[]);
        let (mut names, mut expected) = (Vec::new(), "file,line,other_line\n".to_owned());
        for (form, (end, note, between, is_packed)) in [
            ("\n", "", 0, false),
            ("\r\n", QUOTED, 0, false),
            ("\r", "", 0, true),
            ("\n", "", BETWEEN.1, false),
            ("\n", QUOTED, BETWEEN.1, true),
            ("\r\n", "", BETWEEN.1, true),
            ("\r", QUOTED, BETWEEN.1, false),
        ]
        .into_iter()
        .enumerate()
        {
            let instant = format!("2023-01-24 11:0{form}:00 UTC");
            let active = format!("{id},active,{instant},{note}");
            let inactive = format!(" {id} ,inactive,{instant},");
            let start = vec![HEADER, "", active.as_str()];
            let rest = vec![HEADER, "", inactive.as_str()];
            let mut content =
                ([start, vec![BETWEEN.0; between], rest].concat().join(end) + end).into_bytes();
            let mut name = format!("{form}.csv");
            if is_packed {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
                gzip.write_all(&content).unwrap();
                (content, name) = (gzip.finish().unwrap(), name + ".gz");
            }
            std::fs::write(folder.path().join(&name), content).unwrap();
            expected += &format!("{name},3,{}\n", 6 + note.matches('\n').count() + between);
            names.push(name);
        }
        done(folder.path(), &format!("ingest {}", names.join(" ")));
        let sql = "SELECT file, line, other_line FROM conflicts ORDER BY polled_at";
        assert_eq!(asked(folder.path(), sql), expected, "{id}");
    }
}

#[test]
fn standard_input_is_a_file_of_any_kind_and_compression() {
    let plain = polls("ab").into_bytes();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&plain).unwrap();
    let contents =
        [plain.clone(), gzip.finish().unwrap(), zstd::encode_all(plain.as_slice(), 1).unwrap()];
    let folder = files(&[("hours.csv", &hours("ab", "17:00")), ("polls.csv", &polls("ab"))]);
    let folder = folder.path();
    let piped = |arguments: &str, content: &[u8]| {
        let mut command = uptally(arguments.split_whitespace());
        command
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may end before all was read.
        let _ = child.stdin.take().unwrap().write_all(content);
        child.wait_with_output().unwrap()
    };
    for (at, content) in contents.iter().enumerate() {
        let load = piped(&format!("ingest --data {at} - hours.csv"), content);
        let said = text(&load.stdout);
        assert!(
            said.contains("\"standard input\": 2 rows of polls\n"),
            "{said}{}",
            text(&load.stderr)
        );
        let left: Vec<_> = std::fs::read_dir(folder.join(at.to_string())).unwrap().collect();
        assert!(left.iter().all(|entry| {
            !entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with(".tmp")
        }));
    }
    let direct = piped("report hours.csv -", &contents[1]);
    assert_eq!(text(&direct.stdout), done(folder, "report hours.csv polls.csv").0);
    // The same content as a file says nothing new, and conflicts know their lines.
    assert!(done(folder, "ingest --data 0 polls.csv").0.contains("nothing to do"));
    let both = format!("{}a,inactive,2023-01-24 10:00:00 UTC\n", polls("ab"));
    assert!(piped("ingest -", both.as_bytes()).status.success());
    let conflicts = asked(folder, "SELECT file, line, other_line FROM conflicts");
    assert_eq!(conflicts, "file,line,other_line\nstandard input,2,4\n");
    let wrong = piped("ingest --data 0 -", b"x\n");
    assert!(
        text(&wrong.stderr).contains("\"standard input\", line 1: "),
        "{}",
        text(&wrong.stderr)
    );
    assert!(text(&piped("ingest - -", b"").stderr).contains("standard input can be read once"));
    assert!(text(&piped("ingest -", b"").stderr).contains("\"standard input\" is empty"));
}

#[test]
fn a_load_waits_for_another_one_where_asked() {
    let folder = files(&[("polls.csv", &polls("ab"))]);
    let lock = uptally::WriteLock::take(&folder.path().join("data")).unwrap();
    assert!(refused(folder.path(), "ingest polls.csv").contains("wait with --wait 30s"));
    assert!(refused(folder.path(), "ingest --wait 1ms polls.csv").contains("still loading"));
    let mut waiting = uptally("ingest --wait 1h polls.csv".split(' '));
    let mut waiting = waiting
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(waiting.try_wait().unwrap().is_none());
    drop(lock);
    assert!(waiting.wait().unwrap().success());
}

#[test]
fn an_update_of_zone_rules_waits_for_a_load_where_asked() {
    let folder = files(&[("polls.csv", &polls("ab"))]);
    done(folder.path(), "ingest polls.csv");
    let lock = uptally::WriteLock::take(&folder.path().join("data")).unwrap();
    assert!(refused(folder.path(), "zones update").contains("wait with --wait 30s"));
    assert!(refused(folder.path(), "zones update --wait 1ms").contains("still loading"));
    let mut waiting = uptally("zones update --wait 1h".split(' '));
    let mut waiting = waiting
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(waiting.try_wait().unwrap().is_none());
    drop(lock);
    assert!(waiting.wait().unwrap().success());
}
