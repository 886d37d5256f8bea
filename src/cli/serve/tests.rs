//! Tests: flags of `uptally serve` become settings.

use clap::{Command, FromArgMatches};

use super::*;

fn settings_of(flags: &[&str]) -> std::result::Result<Settings, String> {
    let given = Arguments::augment_args(Command::new("serve").no_binary_name(true))
        .try_get_matches_from(flags)
        .map_err(|error| error.to_string())?;
    let given = Arguments::from_arg_matches(&given).unwrap();
    settings(&given, given.memory).map(|(settings, _)| settings).map_err(|error| error.to_string())
}

#[test]
fn without_flags_the_defaults_hold() {
    assert_eq!(format!("{:?}", settings_of(&[]).unwrap()), format!("{:?}", defaults()));
}

#[test]
fn hosts_and_origins_are_parsed() {
    let flags = ["--allow-host", "A.example", "--allow-host", "[fe80::1]"];
    let hosts = settings_of(&flags).unwrap().hosts;
    for (host, expected) in
        [("a.example", true), ("fe80::1", true), ("localhost", true), ("b.example", false)]
    {
        assert_eq!(hosts.contains(&Host::parse(host).unwrap()), expected, "{host}");
    }
    let origin = "https://dash.example";
    let origins = settings_of(&["--allow-origin", origin]).unwrap().origins;
    assert_eq!(origins, [Origin::parse(origin).unwrap()]);
    for (flag, wrong, expected) in [
        ("--allow-host", "http://a.example", "expected a host name or an address"),
        ("--allow-host", "a.example:8000", "expected a host name or an address"),
        ("--allow-host", "*", "expected a host name or an address"),
        ("--allow-origin", "https://a.example/", "expected scheme, host and port alone"),
        ("--allow-origin", "null", "expected scheme, host and port alone"),
        ("--allow-origin", "*", "expected scheme, host and port alone"),
    ] {
        let error = settings_of(&[flag, wrong]).unwrap_err();
        assert!(error.contains(expected), "{flag} {wrong}: {error}");
    }
}

#[test]
fn requested_limits_must_fit_into_memory() {
    let flags = ["--memory", "2GiB"];
    let lowered = settings_of(&flags).unwrap();
    assert_eq!((lowered.memory_bytes, lowered.reports.at_once), (2 << 30, 2));
    let flags = [&flags[..], &["--sql-memory", "1GiB", "--sql-at-once", "3"]].concat();
    let error = settings_of(&flags).unwrap_err();
    assert!(error.contains("3 queries of 1024 MiB"), "{error}");
}

#[test]
fn tls_cannot_be_required_without_a_certificate() {
    let error = settings_of(&["--require-tls"]).unwrap_err();
    assert!(error.contains("--tls-cert"), "{error}");
    let flags = ["--require-tls", "--tls-cert", "a.pem", "--tls-key", "b.pem"];
    assert!(settings_of(&flags).unwrap().requires_tls);
    assert!(!settings_of(&flags[1..]).unwrap().requires_tls);
}

#[test]
fn the_head_limit_has_a_maximum() {
    for (text, expected) in [("65534", 65534), ("32KiB", 32 << 10)] {
        assert_eq!(settings_of(&["--max-header", text]).unwrap().header_bytes_max, expected);
    }
    for wrong in ["0", "65535", "64KiB", "x"] {
        let error = settings_of(&["--max-header", wrong]).unwrap_err();
        assert!(error.contains("expected a number of bytes from 1 to 65534"), "{error}");
    }
}

#[test]
fn sizes_take_units() {
    assert_eq!(settings_of(&["--max-body", "2MiB"]).unwrap().body_bytes_max, 2 << 20);
    assert!(settings_of(&["--max-body", "0"]).is_err());
}
