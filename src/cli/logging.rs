//! Log output to stderr.

use tracing_subscriber::EnvFilter;

use super::Action;

/// Environment variables with the log filter; the first one set wins.
const VARIABLES: [&str; 2] = ["UPTALLY_LOG", "RUST_LOG"];

/// Initializes logging: warnings, and every request of the service, unless [`VARIABLES`] differ.
pub fn to_stderr(action: &Action) {
    let default = match action {
        Action::Serve(_) => "warn,uptally::server=info,buoyant_kernel=off",
        _ => "warn,buoyant_kernel=off",
    };
    let set = VARIABLES.into_iter().find_map(|name| {
        let text = std::env::var_os(name)?.to_string_lossy().into_owned();
        (!text.trim().is_empty()).then_some((name, text))
    });
    let configured = set.map(|(name, text)| (name, filter(&text)));
    if let Some((name, Err(wrong))) = &configured {
        eprintln!("warning: {name}: {wrong}; using the default filter");
    }
    let filter = configured.and_then(|(_, filter)| filter.ok());
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|| EnvFilter::new(default)))
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
}

/// Parses levels, and levels of modules, like `warn,uptally::server=debug`.
fn filter(text: &str) -> Result<EnvFilter, String> {
    /// Levels of other programs, which the filter would take for module names.
    const NOT_LEVELS: [&str; 12] = [
        "all",
        "critical",
        "err",
        "everything",
        "false",
        "fatal",
        "none",
        "quiet",
        "true",
        "verbose",
        "warning",
        "yes",
    ];
    let expected = "expected levels like info or warn,uptally::server=debug";
    for directive in text.split(',').map(str::trim) {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
        if NOT_LEVELS.iter().any(|word| word.eq_ignore_ascii_case(level)) {
            return Err(format!(
                "{level:?} is not one of off, error, warn, info, debug, trace; {expected}"
            ));
        }
    }
    EnvFilter::try_new(text).map_err(|_| format!("{text:?} is not a log filter; {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_filter_is_named() {
        for right in
            ["info", "WARN", "uptally=debug", "off,hyper=trace", "uptally::server", "debug,"]
        {
            assert!(filter(right).is_ok(), "{right}");
        }
        for (wrong, sentence) in [
            ("uptally=loud", "\"uptally=loud\" is not a log filter; expected levels like info"),
            ("warning", "\"warning\" is not one of off, error, warn, info, debug, trace"),
            ("info,uptally=verbose", "\"verbose\" is not one of"),
            ("uptally[=debug", "is not a log filter"),
        ] {
            let found = filter(wrong).map(|_| ()).unwrap_err();
            assert!(found.contains(sentence), "{wrong}: {found}");
        }
    }
}
