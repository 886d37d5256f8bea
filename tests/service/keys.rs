//! Keys from `uptally keys` to the server that accepts them, as processes.

use std::path::Path;

use tempfile::TempDir;

use super::process::{Process, curl};
use crate::harness::uptally;

/// Stdout and stderr of the command, and true if it succeeded.
fn keys(folder: &Path, arguments: &[&str]) -> (String, String, bool) {
    let all = ["keys"].iter().chain(arguments).copied();
    let run = uptally(all).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(run.stdout), text(run.stderr), run.status.success())
}

/// Adds a key and returns it.
fn added(folder: &Path, flags: &[&str]) -> String {
    let arguments: Vec<_> = ["add", "keys"].iter().chain(flags).copied().collect();
    let (key, said, succeeded) = keys(folder, &arguments);
    assert!(succeeded, "{said}");
    key.trim().to_owned()
}

/// Columns of the list, a line for each key.
fn listed(folder: &Path) -> Vec<Vec<String>> {
    let (csv, said, succeeded) = keys(folder, &["list", "keys"]);
    assert!(succeeded, "{said}");
    let mut lines = csv.lines().map(|line| line.split(',').map(str::to_owned).collect());
    let header: Vec<String> = lines.next().unwrap();
    assert_eq!(header, ["id", "role", "expires_at", "expired", "comment"]);
    lines.collect()
}

fn status(server: &Process, key: &str) -> String {
    let (at, header) = (format!("{}/v1/versions", server.url), format!("X-API-Key: {key}"));
    curl(&["-o", "/dev/null", "-w", "%{http_code}", "-H", &header, &at])
}

/// Asks until the answer has the status; the server is killed by the harness where it never does.
fn wait_for(server: &Process, key: &str, expected: &str) {
    while status(server, key) != expected {}
}

#[test]
fn a_list_names_keys_that_can_be_removed_and_never_shows_them() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let till = added(
        folder,
        &["--role", "run", "--expires", "2100-01-31", "--comment", "till of store 7"],
    );
    let ann = added(folder, &["--role", "read"]);
    let lines = listed(folder);
    assert_eq!(lines[0][1..], ["run", "2100-01-31T00:00:00.000000Z", "false", "till of store 7"]);
    assert_eq!(lines[1][1..], ["read", "", "false", ""]);
    let text = std::fs::read_to_string(folder.join("keys")).unwrap();
    for key in [&till, &ann] {
        assert!(!text.contains(key.strip_prefix("upt_").unwrap()));
    }
    let id = lines[0][0].as_str();
    let (printed, said, succeeded) = keys(folder, &["remove", id, "keys"]);
    assert!(succeeded && printed.is_empty() && said.is_empty(), "{printed} {said}");
    assert_eq!(listed(folder), lines[1..]);
    let (_, said, succeeded) = keys(folder, &["remove", id, "keys"]);
    assert!(!succeeded && said.contains("`uptally keys list` shows the ids"), "{said}");
    let (_, said, succeeded) = keys(folder, &["remove", &lines[1][0], "keys"]);
    assert!(succeeded && said.contains("no key is left"), "{said}");
    assert_eq!(listed(folder), [[""; 0]; 0]);
}

#[test]
fn invalid_properties_of_a_key_are_named() {
    let folder = TempDir::new().unwrap();
    for (flags, sentence) in [
        (["--expires", "2001-01-31"], "--expires: 2001-01-31T00:00:00.000000Z has passed"),
        (["--expires", "soon"], "expected a duration like 90d, or a date"),
        (["--comment", "two\nlines"], "expected one line of at most 200 characters"),
    ] {
        let arguments: Vec<_> = ["add", "keys", "--role", "run"].into_iter().chain(flags).collect();
        let (_, said, succeeded) = keys(folder.path(), &arguments);
        assert!(!succeeded && said.contains(sentence), "{said}");
    }
    assert!(!folder.path().join("keys").exists());
}

#[cfg(unix)]
#[test]
fn a_server_takes_changes_of_its_keys_on_and_lives_through_sighup() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys");
    let first = added(folder.path(), &["--role", "read"]);
    let mut server = Process::start(folder.path(), "--keys keys");
    assert_eq!(status(&server, &first), "200");
    let second = added(folder.path(), &["--role", "read"]);
    wait_for(&server, &second, "200");
    // An invalid file is reported, and changes nothing.
    let before = std::fs::read(&path).unwrap();
    std::fs::write(&path, "root abc\n").unwrap();
    server.signal("HUP");
    let told = server.says("were not reloaded");
    assert!(told.contains("is not one of read, run, admin"), "{told}");
    assert_eq!(status(&server, &second), "200");
    std::fs::write(&path, before).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o620)).unwrap();
    server.signal("HUP");
    while !server.says("were not reloaded").contains("chmod go-w") {}
    assert_eq!(status(&server, &first), "200");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let id = listed(folder.path())[0][0].clone();
    assert!(keys(folder.path(), &["remove", &id, "keys"]).2);
    wait_for(&server, &first, "401");
    assert_eq!(status(&server, &second), "200");
}

#[cfg(unix)]
#[test]
fn keys_that_others_can_write_keep_a_server_from_starting() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    added(folder.path(), &["--role", "read"]);
    let path = folder.path().join("keys");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o664)).unwrap();
    let refused = uptally(["serve", "--listen", "127.0.0.1:0", "--keys", "keys"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("mode 0664") && said.contains("run `chmod go-w keys`"), "{said}");
}
