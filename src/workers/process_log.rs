//! Log of a process, passed on to the log of this one.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::ChildStderr;
use std::thread::JoinHandle;

use memchr::memmem;

/// Longest line that is passed on in one piece.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Report of Rust's runtime before it aborts. An allocation that failed aborts by the same signal,
/// and nothing else tells the two apart.
const STACK_OVERFLOW: &[u8] = b"has overflowed its stack";

/// Passes the standard error of a process on until it ends.
#[derive(Debug)]
pub struct ProcessLog(JoinHandle<bool>);

impl ProcessLog {
    /// # Errors
    /// If the system has no thread left.
    pub fn pass_on(log: ChildStderr) -> io::Result<Self> {
        let thread = std::thread::Builder::new().name("worker log".into());
        Ok(Self(thread.spawn(move || pass_on(log, &mut io::stderr()))?))
    }

    /// Waits for the end of the process. Returns true if it ran out of stack.
    pub fn has_overflowed_stack(self) -> bool {
        self.0.join().unwrap_or_default()
    }
}

/// Copies lines; returns true if one reports a stack overflow.
fn pass_on(log: impl Read, to: &mut impl Write) -> bool {
    let (mut log, mut line, mut has_overflowed) = (BufReader::new(log), Vec::new(), false);
    while log.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).is_ok_and(|read| read > 0)
    {
        // The report is followed by nothing but the end.
        if !line.trim_ascii().is_empty() && !line.starts_with(b"fatal") {
            has_overflowed = memmem::find(&line, STACK_OVERFLOW).is_some();
        }
        // Without a log the process runs on.
        let _ = to.write_all(&line);
        line.clear();
    }
    has_overflowed
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_log_is_passed_on_as_it_is() {
        let long = "x".repeat(3 * LINE_BYTES_MAX as usize);
        for (log, expected) in [
            ("", false),
            ("a\n\nno newline", false),
            (long.as_str(), false),
            ("\nthread 'query' (7) has overflowed its stack\nfatal\n", true),
            ("a text with has overflowed its stack\nanother line\n", false),
        ] {
            let mut passed_on = Vec::new();
            assert_eq!(pass_on(log.as_bytes(), &mut passed_on), expected);
            assert_eq!(passed_on, log.as_bytes());
        }
    }

    fn recurse(depth: u64) -> u64 {
        let frame = [depth; 64];
        let deeper = if depth == u64::MAX { 0 } else { recurse(depth + 1) };
        std::hint::black_box(&frame)[0] ^ deeper
    }

    #[test]
    fn a_stack_overflow_is_reported_by_the_runtime() {
        /// Set in the process that overflows its stack.
        const OVERFLOWS: &str = "UPTALLY_TEST_OVERFLOWS";
        if std::env::var_os(OVERFLOWS).is_some() {
            recurse(0);
        }
        let (_, module) = module_path!().split_once("::").unwrap();
        let name = format!("{module}::a_stack_overflow_is_reported_by_the_runtime");
        let mut this_test = Command::new(std::env::current_exe().unwrap());
        this_test.args(["--exact", &name]).env(OVERFLOWS, "1");
        let mut child = this_test.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = ProcessLog::pass_on(child.stderr.take().unwrap()).unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(log.has_overflowed_stack());
    }
}
