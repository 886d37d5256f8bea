//! Sandbox: takes from a process, for good, most files, networks, programs and other processes.
//!
//! Best effort: where the system cannot do that, the process runs on.

use std::io;
use std::path::Path;

/// Restricts this thread and its children to reading below one folder and writing below another.
/// Returns the features that the system lacks.
#[cfg(target_os = "linux")]
pub fn enter(read: &Path, written: &Path) -> Vec<String> {
    let files = match linux::restrict_files(read, written) {
        Ok(landlock::RulesetStatus::NotEnforced) => Some("Landlock".to_owned()),
        // Older kernels enforce less.
        Ok(_) => None,
        Err(error) => Some(format!("Landlock ({error})")),
    };
    let calls = linux::restrict_calls().err().map(|error| format!("seccomp ({error})"));
    files.into_iter().chain(calls).collect()
}

/// Restricts nothing on this system.
#[cfg(not(target_os = "linux"))]
pub fn enter(_: &Path, _: &Path) -> Vec<String> {
    vec!["Landlock".to_owned(), "seccomp".to_owned()]
}

/// Features that the system lacks for [`enter`], tried on a thread that ends.
///
/// # Errors
/// If the system has no thread left.
pub fn missing() -> io::Result<Vec<String>> {
    let folder = std::env::temp_dir();
    let trying = std::thread::Builder::new().name("sandbox".into());
    let trying = trying.spawn(move || enter(&folder, &folder))?;
    trying.join().map_err(|_| io::Error::other("a thread panicked"))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::path::Path;

    use landlock::{
        ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
        RulesetStatus, Scope, path_beneath_rules,
    };
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule, TargetArch,
    };

    /// Newest ABI that is requested; older kernels apply what they know.
    const NEWEST: ABI = ABI::V6;

    /// System calls that are refused: no query needs them, but an attacker would. Landlock does not
    /// cover those that change owners and permissions of files.
    const REFUSED: &[i64] = &[
        // Networks, and memory shared with other processes.
        libc::SYS_socket,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_shmget,
        libc::SYS_shmat,
        libc::SYS_semget,
        libc::SYS_msgget,
        libc::SYS_mq_open,
        // Programs and other processes.
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_pidfd_send_signal,
        libc::SYS_kill,
        // On musl an abort needs this call.
        #[cfg(not(target_env = "musl"))]
        libc::SYS_tkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
        libc::SYS_setpriority,
        libc::SYS_ioprio_set,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setattr,
        // Owners, permissions, times and attributes of files.
        libc::SYS_fchmod,
        libc::SYS_fchmodat,
        FCHMODAT2,
        libc::SYS_fchown,
        libc::SYS_fchownat,
        #[cfg(not(target_arch = "riscv64"))]
        libc::SYS_utimensat,
        libc::SYS_setxattr,
        libc::SYS_lsetxattr,
        libc::SYS_fsetxattr,
        SETXATTRAT,
        libc::SYS_removexattr,
        libc::SYS_lremovexattr,
        libc::SYS_fremovexattr,
        REMOVEXATTRAT,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_fork,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_vfork,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_chmod,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_chown,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_lchown,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_utime,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_utimes,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_futimesat,
        // Large attack surface in the kernel.
        libc::SYS_io_uring_setup,
        libc::SYS_bpf,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_open_by_handle_at,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
    ];
    /// System call numbers of all machines, which `libc` 0.2 lacks on some.
    const FCHMODAT2: i64 = 452;
    const SETXATTRAT: i64 = 463;
    const REMOVEXATTRAT: i64 = 466;

    /// x32: the same machine has the calls again, for programs with short pointers.
    #[cfg(target_arch = "x86_64")]
    const X32: i64 = 0x4000_0000;
    /// Calls of [`REFUSED`] that have their own x32 numbers, `execve` first.
    #[cfg(target_arch = "x86_64")]
    const REFUSED_X32: [i64; 7] = [520, 521, 524, 536, 539, 540, 545];

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
        // Its flags are behind a pointer, which seccomp cannot read; threads then start by `clone`.
        refuse([(libc::SYS_clone3, Vec::new())].into(), libc::ENOSYS)?;
        let mut calls: BTreeMap<_, _> = refused().map(|call| (call, Vec::new())).collect();
        // Threads end with their process; child processes would not.
        let of_thread = SeccompCmpOp::MaskedEq(u64::from(libc::CLONE_THREAD.unsigned_abs()));
        calls.insert(libc::SYS_clone, vec![first_argument(of_thread, 0)?]);
        // Rust aborts by a signal to itself.
        let own = u64::from(std::process::id());
        calls.insert(libc::SYS_tgkill, vec![first_argument(SeccompCmpOp::Ne, own)?]);
        // A process may query its own limits.
        calls.insert(libc::SYS_prlimit64, vec![first_argument(SeccompCmpOp::Ne, 0)?]);
        // The error of operations that are not permitted.
        refuse(calls, libc::EPERM)
    }

    fn refuse(
        calls: BTreeMap<i64, Vec<SeccompRule>>,
        error: libc::c_int,
    ) -> Result<(), seccompiler::Error> {
        let filter = SeccompFilter::new(
            calls,
            SeccompAction::Allow,
            SeccompAction::Errno(error.unsigned_abs()),
            TargetArch::try_from(std::env::consts::ARCH)?,
        )?;
        let program = BpfProgram::try_from(filter)?;
        seccompiler::apply_filter(&program)
    }

    #[cfg(target_arch = "x86_64")]
    fn refused() -> impl Iterator<Item = i64> {
        let once_more = [libc::SYS_clone, libc::SYS_clone3, libc::SYS_tgkill, libc::SYS_prlimit64];
        let short = REFUSED.iter().chain(&once_more).chain(&REFUSED_X32).map(|call| call | X32);
        REFUSED.iter().copied().chain(short.collect::<Vec<_>>())
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn refused() -> impl Iterator<Item = i64> {
        REFUSED.iter().copied()
    }

    /// Matches calls by their first argument.
    fn first_argument(
        is: SeccompCmpOp,
        value: u64,
    ) -> Result<SeccompRule, seccompiler::BackendError> {
        SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, is, value)?])
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::process::Command;

    use rustix::process::{Pid, Resource, getpid, getrlimit, prlimit, test_kill_process};

    use super::*;

    /// Runs on a thread, which alone is restricted.
    fn restricted<T: Send + 'static>(
        read: &Path,
        written: &Path,
        then: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (read, written) = (read.to_owned(), written.to_owned());
        let thread = std::thread::spawn(move || {
            let missing = enter(&read, &written);
            assert!(missing.is_empty(), "{missing:?}");
            then()
        });
        thread.join().unwrap()
    }

    /// Returns true if limits may be set; leaves them as they are.
    fn limits(process: Option<Pid>) -> bool {
        prlimit(process, Resource::Core, getrlimit(Resource::Core)).is_ok()
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
        let anybody = std::fs::Permissions::from_mode(0o666);
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
                ("permits", std::fs::set_permissions(file("secret"), anybody).is_ok()),
                ("gives away", chown(file("secret"), None, None).is_ok()),
                ("signals", test_kill_process(getpid()).is_ok()),
                ("starts threads", std::thread::spawn(|| 7).join().is_ok()),
                ("limits itself", limits(None)),
                ("limits others", limits(Some(getpid()))),
            ]
        });
        let own = ["reads", "lists", "writes", "removes", "starts threads", "limits itself"];
        for (what, is_done) in reached {
            let is_own = own.contains(&what);
            assert_eq!(is_done, is_own, "{what}");
        }
    }
}
