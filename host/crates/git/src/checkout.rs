//! A revision's files written into a directory.
//!
//! From `git cat-file`, never by git itself: no hook, no filter, no attribute of the repository takes part. Everything is
//! created below the given [`Dir`], files before links, so that nothing is ever written through a link. What is written
//! need not survive a crash: it can be written again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};

use cap_std::fs::{Dir, OpenOptions};
use spaceport_core::revision::Oid;
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdout;
use tokio::time::timeout;

use crate::error::GitError;
use crate::path::RepoPath;
use crate::process::BULK_DEADLINE;
use crate::repo::{Repo, is_file};
use crate::tree::{FileMode, Listing};

/// What is read from git at once.
const BUFFER: usize = 256 << 10;

/// What a checkout has written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckoutReport {
    /// Every file by path, also those that are reached through a symbolic link to a file.
    pub files: BTreeMap<String, CheckedOutFile>,
    /// Bytes of all files together.
    pub bytes: u64,
}

/// One file of a checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedOutFile {
    /// Bytes.
    pub size: u64,
    /// The id of its content.
    pub oid: Oid,
}

/// Writes the files of a listing, which keeps to the rules, into an empty directory.
pub(crate) async fn write(repo: &Repo, listing: Listing, into: &Dir) -> Result<CheckoutReport, GitError> {
    let into = into.try_clone().map_err(GitError::io("open the directory of a checkout"))?;
    let report = report(&listing);
    let (running, mut stdin, stdout) = repo.start("cat-file", &["--batch", "--buffer"]).await?;
    let names: String = files(&listing).map(|(_, oid, _)| format!("{oid}\n")).collect();
    let ask = async move {
        // A git that stopped reading says why by what it does not write.
        let _ = stdin.write_all(names.as_bytes()).await;
    };
    // Cancelled by the end of git: when this future is dropped git ends, and with it what the thread reads.
    let writing = tokio::task::spawn_blocking(move || write_all(stdout, &listing, &into));
    let both = async { tokio::join!(ask, writing).1 };
    let written = timeout(BULK_DEADLINE, both)
        .await
        .map_err(|_| GitError::Deadline { command: "cat-file", deadline: BULK_DEADLINE })?;
    match written {
        Ok(written) => written.map_err(GitError::io("write the files of a revision"))?,
        Err(_) => {
            return Err(GitError::Io { doing: "write the files of a revision", source: io::ErrorKind::Other.into() });
        }
    }
    running.finish().await?;
    Ok(report)
}

fn report(listing: &Listing) -> CheckoutReport {
    let mut report = CheckoutReport::default();
    for (path, entry) in &listing.files {
        let entry = if is_file(entry.mode) {
            report.bytes += entry.size;
            entry
        } else {
            match listing.link_destination(path) {
                Some(destination) => destination,
                None => continue,
            }
        };
        report.files.insert(path.to_string(), CheckedOutFile { size: entry.size, oid: entry.oid });
    }
    report
}

/// The files to be written, in the order in which git is asked for them.
fn files(listing: &Listing) -> impl Iterator<Item = (&RepoPath, Oid, u64)> {
    listing.files.iter().filter(|(_, entry)| is_file(entry.mode)).map(|(path, entry)| (path, entry.oid, entry.size))
}

fn write_all(stdout: ChildStdout, listing: &Listing, into: &Dir) -> io::Result<()> {
    let mut stdout = BufReader::with_capacity(BUFFER, File::from(stdout.into_owned_fd()?));
    let mut last_folder = "";
    for (path, oid, size) in files(listing) {
        expect_header(&mut stdout, oid, size)?;
        if let Some(folder) = path.parents().last()
            && folder != last_folder
        {
            into.create_dir_all(folder)?;
            last_folder = folder;
        }
        let mut file = into.open_with(path.as_str(), OpenOptions::new().write(true).create_new(true))?;
        copy_exactly(&mut stdout, &mut file, size)?;
        stdout.read_exact(&mut [0])?;
    }
    for (path, target) in &listing.links {
        debug_assert!(listing.files.get(path).is_some_and(|entry| entry.mode == FileMode::Symlink));
        if let Some(folder) = path.parents().last() {
            into.create_dir_all(folder)?;
        }
        into.symlink(target, path.as_str())?;
    }
    Ok(())
}

/// `<oid> blob <size>`, as it was listed.
fn expect_header(from: &mut impl BufRead, oid: Oid, size: u64) -> io::Result<()> {
    let mut header = String::new();
    from.read_line(&mut header)?;
    if header.trim_end() == format!("{oid} blob {size}") {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("git cat-file wrote {header:?} for {oid}")))
    }
}

fn copy_exactly(from: &mut impl Read, to: &mut impl Write, size: u64) -> io::Result<()> {
    let copied = io::copy(&mut from.take(size), to)?;
    if copied == size { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
