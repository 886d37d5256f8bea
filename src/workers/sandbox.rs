//! Takes away from a process, for good, what it has no use for: files but some, networks, programs.
//!
//! As far as the system can do that; where it cannot, the log says so and the process goes on.

use std::path::Path;

/// From now on this thread and those that it starts read below one folder and write below another one,
/// and reach nothing else.
#[cfg(target_os = "linux")]
pub fn enter(read: &Path, written: &Path) {
    match linux::restrict_files(read, written) {
        Ok(landlock::RulesetStatus::FullyEnforced) => {}
        Ok(status) => tracing::debug!(?status, "queries are kept from other files in part"),
        Err(error) => tracing::debug!(%error, "queries are not kept from other files"),
    }
    if let Err(error) = linux::restrict_calls() {
        tracing::debug!(%error, "queries are not kept from networks and programs");
    }
}

/// Takes nothing away here.
#[cfg(not(target_os = "linux"))]
pub fn enter(_: &Path, _: &Path) {
    tracing::debug!("queries are not kept from other files here");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::path::Path;

    use landlock::{
        ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
        RulesetStatus, Scope, path_beneath_rules,
    };
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

    /// The newest that is asked for; of older kernels, what they have.
    const NEWEST: ABI = ABI::V6;

    /// Calls that are refused: no query needs them, and who takes a query over would.
    const REFUSED: [i64; 16] = [
        libc::SYS_socket,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_kill,
        libc::SYS_io_uring_setup,
        libc::SYS_bpf,
        libc::SYS_unshare,
    ];

    pub fn restrict_files(read: &Path, written: &Path) -> Result<RulesetStatus, RulesetError> {
        let status = Ruleset::default()
            .handle_access(AccessFs::from_all(NEWEST))?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::AbstractUnixSocket | Scope::Signal)?
            .create()?
            .add_rules(path_beneath_rules([read], AccessFs::ReadFile | AccessFs::ReadDir))?
            .add_rules(path_beneath_rules(
                [written],
                AccessFs::from_all(NEWEST) & !AccessFs::Execute,
            ))?
            .restrict_self()?;
        Ok(status.ruleset)
    }

    pub fn restrict_calls() -> Result<(), seccompiler::Error> {
        let calls: BTreeMap<_, _> = REFUSED.into_iter().map(|call| (call, Vec::new())).collect();
        // As the system refuses what is not permitted.
        let refusal = SeccompAction::Errno(libc::EPERM.unsigned_abs());
        let filter = SeccompFilter::new(
            calls,
            SeccompAction::Allow,
            refusal,
            TargetArch::try_from(std::env::consts::ARCH)?,
        )?;
        let program = BpfProgram::try_from(filter)?;
        seccompiler::apply_filter(&program)
    }

    #[cfg(test)]
    mod tests {
        use std::net::{TcpListener, UdpSocket};
        use std::process::Command;

        use super::*;

        /// On a thread, which alone is restricted.
        fn restricted<T: Send + 'static>(
            read: &Path,
            written: &Path,
            then: impl FnOnce() -> T + Send + 'static,
        ) -> T {
            let (read, written) = (read.to_owned(), written.to_owned());
            let thread = std::thread::spawn(move || {
                super::super::enter(&read, &written);
                then()
            });
            thread.join().unwrap()
        }

        #[test]
        fn a_folder_is_read_another_written_and_nothing_else_reached() {
            let folders = tempfile::tempdir().unwrap();
            let (read, written) = (folders.path().join("read"), folders.path().join("written"));
            for folder in [&read, &written] {
                std::fs::create_dir(folder).unwrap();
                std::fs::write(folder.join("file"), "text").unwrap();
            }
            std::fs::write(folders.path().join("secret"), "text").unwrap();
            let folder = folders.path().to_owned();
            let reached = restricted(&read, &written, move || {
                let file = |name: &str| folder.join(name);
                [
                    ("reads", std::fs::read(file("read/file")).is_ok()),
                    ("lists", std::fs::read_dir(file("read")).is_ok()),
                    ("writes", std::fs::write(file("written/new"), "text").is_ok()),
                    ("removes", std::fs::remove_file(file("written/file")).is_ok()),
                    ("reads others", std::fs::read(file("secret")).is_ok()),
                    ("writes others", std::fs::write(file("read/new"), "text").is_ok()),
                    ("removes others", std::fs::remove_file(file("read/file")).is_ok()),
                    ("listens", TcpListener::bind("127.0.0.1:0").is_ok()),
                    ("sends", UdpSocket::bind("127.0.0.1:0").is_ok()),
                    ("runs", Command::new("/bin/true").status().is_ok()),
                ]
            });
            for (what, is_done) in reached {
                let is_own = ["reads", "lists", "writes", "removes"].contains(&what);
                assert_eq!(is_done, is_own, "{what}");
            }
        }
    }
}
