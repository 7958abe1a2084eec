//! A look at everything that a push brings, in every commit of it and not only in the newest: what is too large, and
//! which small files may stand for large ones that are kept elsewhere.

use spaceport_core::leaks;
use spaceport_core::lfs::{LfsPointer, MAX_POINTER, MIN_POINTER};
use spaceport_core::revision::Oid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use crate::error::GitError;
use crate::process::{BULK_DEADLINE, Piped, Place};
use crate::repo::Repo;

/// Objects that a push may bring: the history of a large project, and an end for packs of a million tiny ones.
const MAX_OBJECTS: usize = 1_000_000;
/// Files that are too large, as far as they are named: the author sees the pattern in a few.
const MAX_NAMED: usize = 10;
/// Small files, which may be pointers, whose paths are kept.
const MAX_NAMED_CANDIDATES: usize = 1_000;
/// Of a path that is named, the bytes that are shown.
const MAX_SHOWN: usize = 200;
/// Longest path that is noted as it is, in bytes: systems have none that are longer.
const MAX_NOTED: usize = 4096;
/// How long a line of git's may be: an id and a path.
const MAX_LINE: usize = 64 << 10;

/// A file that a push brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroughtFile {
    /// A path that it has in some commit.
    pub path: String,
    /// Its content.
    pub oid: Oid,
    /// Bytes of it.
    pub size: u64,
}

/// What a push brings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// Objects.
    pub objects: usize,
    /// Files larger than allowed, the first of them: path and size.
    pub too_large: Vec<(String, u64)>,
    /// Files that stand for large ones.
    pub pointers: Vec<(String, LfsPointer)>,
    /// Files that may be looked through for secrets, those of the newest commits first.
    pub files: Vec<BroughtFile>,
}

impl Repo {
    /// Looks at every object that these tips lead to and no ref does yet. Fails if one of them is missing.
    pub(super) async fn audit(&self, tips: &[Oid], largest: u64) -> Result<Audit, GitError> {
        let audited = timeout(BULK_DEADLINE, self.look(tips, largest)).await;
        audited.map_err(|_| GitError::Deadline { command: "rev-list", deadline: BULK_DEADLINE })?
    }

    async fn look(&self, tips: &[Oid], largest: u64) -> Result<Audit, GitError> {
        let place = Place { is_bounded: true, ..self.place() };
        let walk = self.git.start_piped(place, "rev-list", &["--objects", "--stdin", "--not", "--all"])?;
        let format = "--batch-check=%(objecttype) %(objectsize) %(objectname) %(rest)";
        let sizes = self.git.start_piped(place, "cat-file", &["--buffer", format])?;
        let Piped { child: mut walker, stdin: mut ask, stdout: walked, stderr: mut complaint } = walk;
        let Piped { child: mut sizer, stdin: mut names, stdout: sized, stderr: _quiet } = sizes;
        let tips: String = tips.iter().map(|tip| format!("{tip}\n")).collect();
        let ask = async move {
            // A walk that stopped reading says why by its end.
            let _ = ask.write_all(tips.as_bytes()).await;
        };
        let pass_on = async move {
            let copied = tokio::io::copy(&mut BufReader::new(walked), &mut names).await;
            let _ = names.shutdown().await;
            copied.map(drop).map_err(GitError::io("list what was pushed"))
        };
        let said = async {
            let mut text = Vec::new();
            let _ = (&mut complaint).take(4096).read_to_end(&mut text).await;
            String::from_utf8_lossy(&text).trim().to_owned()
        };
        let ((), passed, said, found) = tokio::join!(ask, pass_on, said, sort(sized, largest));
        let (mut audit, candidates) = found?;
        let status = walker.wait(BULK_DEADLINE, "rev-list").await?;
        if !status.is_some_and(|status| status.success()) {
            return Err(GitError::Request(format!("objects are missing from this push: {said}")));
        }
        passed?;
        // One that was killed has not told of all.
        let status = sizer.wait(BULK_DEADLINE, "cat-file").await?;
        if !status.is_some_and(|status| status.success()) {
            return Err(GitError::Git { command: "cat-file", message: "it ended before its work was done".to_owned() });
        }
        let pointers = self.lfs_pointers(&candidates.iter().map(|(oid, _)| *oid).collect()).await?;
        let pointer = |(oid, path)| Some((path, *pointers.get(&oid)?));
        audit.pointers = candidates.into_iter().filter_map(pointer).collect();
        Ok(audit)
    }
}

/// Notes a file that may be looked through, as far as such are noted.
fn note(files: &mut Vec<BroughtFile>, path: &str, oid: Oid, size: u64) {
    if files.len() < leaks::MAX_FILES && path.len() <= MAX_NOTED && leaks::is_scanned(path, size) {
        files.push(BroughtFile { path: path.to_owned(), oid, size });
    }
}

/// Reads `<type> <size> <id> <path>` line by line; with the files that may be pointers.
async fn sort(from: impl tokio::io::AsyncRead + Unpin, largest: u64) -> Result<(Audit, Vec<(Oid, String)>), GitError> {
    let mut from = BufReader::new(from);
    let mut audit = Audit::default();
    let mut candidates = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut from).take(MAX_LINE as u64).read_until(b'\n', &mut line).await;
        if read.map_err(GitError::io("read from git cat-file"))? == 0 {
            return Ok((audit, candidates));
        }
        audit.objects += 1;
        if audit.objects > MAX_OBJECTS {
            return Err(GitError::Request(format!("a push may bring at most {MAX_OBJECTS} objects")));
        }
        let text = String::from_utf8_lossy(&line);
        let mut words = text.trim_end_matches('\n').splitn(4, ' ');
        let (Some("blob"), Some(size), Some(oid)) = (words.next(), words.next(), words.next()) else { continue };
        let (Ok(size), Ok(oid)) = (size.parse::<u64>(), oid.parse::<Oid>()) else { continue };
        let whole = words.next().unwrap_or_default();
        let path = || whole.chars().take(MAX_SHOWN).collect::<String>();
        note(&mut audit.files, whole, oid, size);
        if size > largest && audit.too_large.len() < MAX_NAMED {
            audit.too_large.push((path(), size));
        } else if (MIN_POINTER..=MAX_POINTER).contains(&size) {
            // Small files may be many and their paths long; a name is only for telling which pointer lacks its content.
            let name = if candidates.len() < MAX_NAMED_CANDIDATES { path() } else { String::new() };
            candidates.push((oid, name));
        }
    }
}
