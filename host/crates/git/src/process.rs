//! The real `git` in a child process: closed environment, deadline, ended when nobody waits for it.
//!
//! Every call starts here, so that no call can forget a rule. What git reads is the repository, its arguments and
//! [`CONFIG`]; nothing of the user, the system or a hook.

mod place;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::fs::Access;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::error::GitError;

pub(crate) use place::Place;

/// Git processes at a time: each may take a core and tens of megabytes, and they share both with the Spaces.
const MAX_PROCESSES: usize = 16;
/// Files that are streamed at a time, at the pace of who reads them: such a git mostly waits, so it is counted apart.
const MAX_STREAMS: usize = 32;
/// Clones and fetches at a time. Each packs objects, and then goes on at the pace of who reads.
const MAX_FETCHES: usize = 32;
/// Pushes at a time, each of which may take two cores while its objects are checked, and gigabytes of memory for one that
/// was made to.
const MAX_PUSHES: usize = 4;
/// For what only reads small things.
pub(crate) const READ_DEADLINE: Duration = Duration::from_secs(30);
/// For what writes or reads as many bytes as a revision may have.
pub(crate) const BULK_DEADLINE: Duration = Duration::from_secs(300);
/// A process that was asked to end gets this long to remove its lock files.
const TERMINATION: Duration = Duration::from_secs(2);
/// Of an error message, the part worth keeping.
const MAX_STDERR: usize = 8 << 10;
/// The oldest git that can be told to make everything durable (`core.fsync`, 2.36) and that merges without files
/// (`merge-tree --write-tree`).
const OLDEST: (u32, u32) = (2, 38);

/// Configuration that every call runs under, over whatever a repository says.
const CONFIG: &[&str] = &[
    // An acknowledged commit survives a power cut.
    "core.fsync=all",
    "core.fsyncMethod=fsync",
    // Nothing in a repository starts a program or reaches the network.
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
    // A reflog is a second history that nobody reads.
    "core.logAllRefUpdates=false",
    // One file per commit instead of one per object; `Repo` merges them when they become many.
    "fastimport.unpackLimit=1",
    // Large files are streamed instead of held in memory, and compressed lightly: most are compressed already.
    "core.bigFileThreshold=1m",
    "core.compression=1",
    "pack.compression=1",
    "pack.windowMemory=64m",
    "pack.threads=2",
    "repack.writeBitmaps=false",
    // Packs are mapped in pieces, so that a limit on a process's memory can be smaller than a pack.
    "core.packedGitWindowSize=32m",
    "core.packedGitLimit=256m",
    // Repositories are ours, whoever owns the files.
    "safe.directory=*",
    // Clones and fetches: without large files where the client wants it so, and without what is ours.
    "uploadpack.allowFilter=true",
    // This one reads a pattern out of the repository and tries it on every path.
    "uploadpackfilter.sparse:oid.allow=false",
    "transfer.hideRefs=refs/spaceport",
    "transfer.advertiseSID=false",
];

/// How to call git.
#[derive(Debug)]
pub(crate) struct Git {
    /// Where programs are looked for: all that is taken from the host's environment.
    search_path: OsString,
    /// The program, by its whole path: for one that has to be looked for in a path of its own the system copies the tables
    /// of all of the host's memory first, which takes longer than most of what git does here.
    program: PathBuf,
    permits: Semaphore,
    streams: Arc<Semaphore>,
    fetches: Arc<Semaphore>,
    pushes: Arc<Semaphore>,
}

/// One call.
pub(crate) struct Call<'a> {
    /// The subcommand; also names it in errors.
    pub(crate) command: &'static str,
    /// Its arguments.
    pub(crate) args: &'a [&'a str],
    /// The most it may write to stdout.
    pub(crate) max_output: usize,
    /// The time it has.
    pub(crate) deadline: Duration,
}

/// What a call that ended by itself has left.
pub(crate) struct Finished {
    /// Whether it says it succeeded.
    pub(crate) success: bool,
    /// Its exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// What it wrote to stdout.
    pub(crate) stdout: Vec<u8>,
    /// It wanted to write more than it may, and was ended.
    pub(crate) is_cut: bool,
    /// What it wrote to stderr, shortened.
    pub(crate) stderr: String,
}

/// A running git whose stdout the caller reads.
pub(crate) struct Running<'a> {
    child: GroupChild,
    command: &'static str,
    _permit: SemaphorePermit<'a>,
}

impl Git {
    /// Looks for git and checks its version.
    pub(crate) async fn find() -> Result<Self, GitError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "where git is installed is the machine's to say, not a setting of ours"
        )]
        let search_path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"));
        let program = find_program(&search_path)
            .ok_or_else(|| GitError::Unusable("git cannot be started: there is none in PATH".to_owned()))?;
        let git = Self {
            search_path,
            program,
            permits: Semaphore::new(MAX_PROCESSES),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            fetches: Arc::new(Semaphore::new(MAX_FETCHES)),
            pushes: Arc::new(Semaphore::new(MAX_PUSHES)),
        };
        let call = Call { command: "version", args: &[], max_output: 4096, deadline: READ_DEADLINE };
        let found = git.run(Path::new("/"), call, Vec::new()).await.map_err(|error| match error {
            GitError::Io { source, .. } => GitError::Unusable(format!("git cannot be started: {source}")),
            other => other,
        })?;
        let text = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        if parse_version(&text).is_some_and(|version| version >= OLDEST) {
            Ok(git)
        } else {
            let (major, minor) = OLDEST;
            Err(GitError::Unusable(format!("git {major}.{minor} or newer is needed, found {text:?}")))
        }
    }

    /// Runs git in a repository, hands it the input and collects what it writes.
    pub(crate) async fn run<'a>(
        &self,
        place: impl Into<Place<'a>>,
        call: Call<'_>,
        input: Vec<Bytes>,
    ) -> Result<Finished, GitError> {
        let _permit = self.permit().await;
        let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
        let mut child = self.spawn(place.into(), call.command, call.args, stdin, Stdio::piped())?;
        let (stdin, stdout, stderr) = child.pipes();
        let work = async {
            tokio::join!(write_all(stdin, input), read_capped(stdout, call.max_output), read_capped(stderr, MAX_STDERR))
        };
        let result = timeout(call.deadline, work).await;
        let Ok(((), stdout, stderr)) = result else {
            child.end().await;
            return Err(GitError::Deadline { command: call.command, deadline: call.deadline });
        };
        let (stdout, is_cut) = stdout.map_err(GitError::io("read from git"))?;
        let (stderr, _) = stderr.map_err(GitError::io("read from git"))?;
        let status = if is_cut { child.end().await } else { child.wait(call.deadline, call.command).await? };
        Ok(Finished {
            success: status.is_some_and(|status| status.success()),
            code: status.and_then(|status| status.code()),
            stdout,
            is_cut,
            stderr: String::from_utf8_lossy(&stderr).trim().to_owned(),
        })
    }

    /// Starts git in a repository for a caller that reads its output as it comes. Its stderr is not kept.
    pub(crate) async fn start<'a>(
        &self,
        place: impl Into<Place<'a>>,
        command: &'static str,
        args: &[&str],
    ) -> Result<(Running<'_>, ChildStdin, ChildStdout), GitError> {
        let permit = self.permit().await;
        let mut child = self.spawn(place.into(), command, args, Stdio::piped(), Stdio::null())?;
        let (stdin, stdout, _) = child.pipes();
        let stdin = stdin.expect("stdin was asked for");
        let stdout = stdout.expect("stdout was asked for");
        Ok((Running { child, command, _permit: permit }, stdin, stdout))
    }

    /// A turn to stream a file.
    pub(crate) async fn stream_turn(&self) -> OwnedSemaphorePermit {
        self.streams.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Starts git in a repository for a caller that has a turn to stream what it writes.
    pub(crate) fn start_stream<'a>(
        &self,
        place: impl Into<Place<'a>>,
        command: &'static str,
        args: &[&str],
    ) -> Result<(GroupChild, ChildStdout), GitError> {
        let mut child = self.spawn(place.into(), command, args, Stdio::null(), Stdio::null())?;
        let (_, stdout, _) = child.pipes();
        Ok((child, stdout.expect("stdout was asked for")))
    }

    /// A turn to clone or fetch.
    pub(crate) async fn fetch_turn(&self) -> OwnedSemaphorePermit {
        self.fetches.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    /// A turn to push.
    pub(crate) async fn push_turn(&self) -> OwnedSemaphorePermit {
        self.pushes.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Starts git for a caller that has a turn to clone, fetch or push, with all its pipes.
    pub(crate) fn start_piped(
        &self,
        place: Place<'_>,
        command: &'static str,
        args: &[&str],
    ) -> Result<Piped, GitError> {
        let mut child = self.spawn(place, command, args, Stdio::piped(), Stdio::piped())?;
        let (stdin, stdout, stderr) = child.pipes();
        Ok(Piped {
            child,
            stdin: stdin.expect("stdin was asked for"),
            stdout: stdout.expect("stdout was asked for"),
            stderr: stderr.expect("stderr was asked for"),
        })
    }

    /// Every turn there is: nobody starts git until it is given back.
    #[cfg(test)]
    pub(crate) async fn all_turns(&self) -> SemaphorePermit<'_> {
        let all = u32::try_from(MAX_PROCESSES).unwrap();
        self.permits.acquire_many(all).await.expect("the semaphore is never closed")
    }

    async fn permit(&self) -> SemaphorePermit<'_> {
        self.permits.acquire().await.expect("the semaphore is never closed")
    }

    fn spawn(
        &self,
        place: Place<'_>,
        command: &'static str,
        args: &[&str],
        stdin: Stdio,
        stderr: Stdio,
    ) -> Result<GroupChild, GitError> {
        #[expect(clippy::disallowed_methods, reason = "the one place where this crate starts a program")]
        let mut git = Command::new(&self.program);
        git.env_clear()
            .env("PATH", &self.search_path)
            .envs(ENVIRONMENT.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value))))
            .args(CONFIG.iter().flat_map(|setting| ["-c", setting]))
            .arg(command)
            .args(args)
            .current_dir(place.dir)
            // A signal from the terminal is for the host, which ends its children itself.
            .process_group(0)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(stderr);
        if command != "init" && command != "version" {
            git.env("GIT_DIR", ".");
        }
        place.add_environment(&mut git);
        let child = git.spawn().map_err(GitError::io("start git"))?;
        let child = GroupChild { child };
        place.bound(&child)?;
        Ok(child)
    }
}

/// The first git in these folders that may be run.
fn find_program(search_path: &OsStr) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok();
    std::env::split_paths(search_path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("git"))
        .find(is_program)
}

/// A running git with all its pipes.
pub(crate) struct Piped {
    pub(crate) child: GroupChild,
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

/// Variables that every call runs with.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("HOME", "/dev/null"),
    ("LC_ALL", "C"),
    ("TZ", "UTC"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_NO_LAZY_FETCH", "1"),
    // A path is a path: none of its characters has a meaning.
    ("GIT_LITERAL_PATHSPECS", "1"),
    // A pushed `refs/replace/*` must not change what a commit contains.
    ("GIT_NO_REPLACE_OBJECTS", "1"),
];

/// How git says that the disk is full: in the words of the C library, which `LC_ALL=C` keeps the same, and in its own
/// for packs.
const FULL_DISK: [&str; 3] = ["No space left on device", "Disk quota exceeded", "Out of diskspace"];

// === impl Finished ===

impl Finished {
    /// The stdout of a call that must succeed.
    pub(crate) fn ok(self, command: &'static str) -> Result<Vec<u8>, GitError> {
        if self.success { Ok(self.stdout) } else { Err(self.into_error(command)) }
    }

    /// What the failure of a call says.
    pub(crate) fn into_error(self, command: &'static str) -> GitError {
        if FULL_DISK.iter().any(|words| self.stderr.contains(words)) {
            return GitError::StorageFull;
        }
        let message = if self.stderr.is_empty() { format!("exit code {:?}", self.code) } else { self.stderr };
        GitError::Git { command, message }
    }
}

// === impl Running ===

impl Running<'_> {
    /// Waits for its end after everything was read; an error unless it succeeded.
    pub(crate) async fn finish(mut self) -> Result<(), GitError> {
        match self.child.wait(TERMINATION, self.command).await? {
            Some(status) if status.success() => Ok(()),
            status => Err(GitError::Git { command: self.command, message: format!("it ended with {status:?}") }),
        }
    }
}

/// A child that leads a process group of its own. Dropping it asks the whole group to end: by `SIGTERM`, on which git
/// removes its lock and temporary files; a `SIGKILL` would leave a branch locked.
#[derive(Debug)]
pub(crate) struct GroupChild {
    child: Child,
}

impl GroupChild {
    fn pipes(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take())
    }

    /// Waits for its end; an error, and its end by force, after the deadline.
    pub(crate) async fn wait(
        &mut self,
        deadline: Duration,
        command: &'static str,
    ) -> Result<Option<ExitStatus>, GitError> {
        match timeout(deadline, self.child.wait()).await {
            Ok(status) => Ok(Some(status.map_err(GitError::io("wait for git"))?)),
            Err(_) => {
                self.end().await;
                Err(GitError::Deadline { command, deadline })
            }
        }
    }

    /// Ends it, by force if need be.
    pub(crate) async fn end(&mut self) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        match timeout(TERMINATION, self.child.wait()).await {
            Ok(status) => status.ok(),
            Err(_) => {
                self.signal(Signal::KILL);
                self.child.wait().await.ok()
            }
        }
    }

    /// `None` once it was waited for, so that it cannot be somebody else's.
    fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // It may have ended in this moment.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for GroupChild {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
    }
}

/// Writes the input and closes the pipe. A git that stopped reading says why by its exit status.
async fn write_all(stdin: Option<ChildStdin>, input: Vec<Bytes>) {
    let Some(mut stdin) = stdin else { return };
    for chunk in input {
        if stdin.write_all(&chunk).await.is_err() {
            return;
        }
    }
}

/// Reads to the end or to the cap; whether there was more. The pipe is closed then, which ends a git that writes on.
async fn read_capped(from: Option<impl AsyncRead + Unpin>, cap: usize) -> std::io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(cap as u64 + 1).read_to_end(&mut bytes).await?;
    }
    let is_cut = bytes.len() > cap;
    bytes.truncate(cap);
    Ok((bytes, is_cut))
}

/// `git version 2.47.3` and the like.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse_version("git version 2.47.3"), Some((2, 47)));
        assert_eq!(parse_version("git version 2.9.5 (Apple Git-12)"), Some((2, 9)));
        assert_eq!(parse_version("nonsense"), None);
        assert!(parse_version("git version 2.9.5") < Some(OLDEST));
    }

    #[test]
    fn the_first_git_that_may_be_run_is_found() {
        use std::os::unix::fs::PermissionsExt;
        let top = tempfile::tempdir().unwrap();
        let folders = ["folder", "data", "program", "other"].map(|name| top.path().join(name));
        folders.iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
        std::fs::create_dir(folders[0].join("git")).unwrap();
        folders[1..].iter().for_each(|folder| std::fs::write(folder.join("git"), "").unwrap());
        for folder in &folders[2..] {
            std::fs::set_permissions(folder.join("git"), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = std::env::join_paths(std::iter::once(&PathBuf::from("relative")).chain(&folders)).unwrap();
        assert_eq!(find_program(&path), Some(folders[2].join("git")));
        assert_eq!(find_program(folders[1].as_os_str()), None);
    }

    #[test]
    fn a_full_disk_is_known_by_the_words_of_git() {
        let failed = |stderr: &str| {
            let stderr = stderr.to_owned();
            Finished { success: false, code: Some(128), stdout: Vec::new(), is_cut: false, stderr }.into_error("x")
        };
        assert!(matches!(failed("fatal: write error: No space left on device"), GitError::StorageFull));
        assert!(matches!(failed("fatal: unable to write: Disk quota exceeded"), GitError::StorageFull));
        let pack = "fatal: sha1 file 'objects/pack/tmp_pack_x' write error. Out of diskspace";
        assert!(matches!(failed(pack), GitError::StorageFull));
        assert!(matches!(failed("fatal: bad object"), GitError::Git { .. }));
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert!(matches!(GitError::io("x")(full), GitError::StorageFull));
    }

    #[tokio::test]
    async fn a_call_that_takes_too_long_is_ended() {
        let git = Git::find().await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let init = Call { command: "init", args: &["-q", "--bare", "."], max_output: 0, deadline: READ_DEADLINE };
        git.run(dir.path(), init, Vec::new()).await.unwrap().ok("init").unwrap();
        // It waits for a name that never comes.
        let (running, stdin, _stdout) = git.start(dir.path(), "cat-file", &["--batch"]).await.unwrap();
        let failed = running.finish().await;
        assert!(matches!(failed, Err(GitError::Deadline { command: "cat-file", .. })), "{failed:?}");
        drop(stdin);
    }

    #[tokio::test]
    async fn the_hosts_environment_and_configuration_stay_outside() {
        let git = Git::find().await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let init = Call { command: "init", args: &["-q", "--bare", "."], max_output: 0, deadline: READ_DEADLINE };
        git.run(dir.path(), init, Vec::new()).await.unwrap().ok("init").unwrap();
        let call =
            Call { command: "config", args: &["--list", "--show-scope"], max_output: 1 << 16, deadline: READ_DEADLINE };
        let listed = git.run(dir.path(), call, Vec::new()).await.unwrap().ok("config").unwrap();
        let listed = String::from_utf8(listed).unwrap();
        for line in listed.lines() {
            assert!(line.starts_with("command\t") || line.starts_with("local\t"), "{line}");
        }
        assert!(listed.contains("core.hookspath=/dev/null"), "{listed}");
    }
}
