//! Uploads by the official clients: many small files, and one that is large. What the host needs of memory meanwhile is
//! the difference between what was resident before and the most that was.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spaceport_tests::git::{clone, commit, git};
use spaceport_tests::python::program;
use spaceport_tests::{TestHost, TestSpace};

use crate::table::Table;

/// Small files of one upload.
const FILES: usize = 2000;
/// How many are in a folder.
const PER_FOLDER: usize = 50;
/// Bytes of the large file.
const LARGE: u64 = 1 << 30;
/// What the host may grow by, in MiB.
const GROWTH_MIB: f64 = 64.0;

/// A folder of small files by `hf upload`.
pub fn small_files(table: &mut Table) {
    let host = TestHost::start();
    let space = awake(&host);
    let folder = host.scratch().join("small");
    for number in 0..FILES {
        let path = folder.join(format!("part-{:02}/file-{number:04}.txt", number / PER_FOLDER));
        write(&path, format!("file {number}, and what is in it: {}\n", number * number).repeat(8).as_bytes());
    }
    let time = grown(table, &host, "2000 small files by hf upload", || upload(&host, &folder));
    table.note("2000 small files by hf upload", time.as_secs_f64(), "s");
    let info = space.api("GET", "", &[], &[]).json();
    let arrived = info["siblings"].as_array().map_or(0, |files| {
        files.iter().filter(|file| file["rfilename"].as_str().is_some_and(|name| name.starts_with("part-"))).count()
    });
    assert_eq!(arrived, FILES, "not all files have arrived");
}

/// One large file by `hf upload`, another by `git push` with git-lfs.
pub fn large_file(table: &mut Table) {
    let host = TestHost::start();
    let space = awake(&host);
    let folder = host.scratch().join("large");
    zeros(&folder.join("by-hf.bin"), LARGE + 1);
    let time = grown(table, &host, "1 GiB by hf upload", || upload(&host, &folder));
    table.note("1 GiB by hf upload", time.as_secs_f64(), "s");
    let work = clone_without_content(&host);
    zeros(&work.join("by-git.bin"), LARGE);
    let head = commit(&host, &work, "note.txt", "with a large file");
    let time = grown(table, &host, "1 GiB by git lfs push", || {
        git(&host, &work, &["push", "--quiet", "origin", "main"]).ok();
    });
    table.note("1 GiB by git lfs push", time.as_secs_f64(), "s");
    space.serves(&head);
    for (file, size) in [("by-hf.bin", LARGE + 1), ("by-git.bin", LARGE)] {
        let end = space.send("GET", &format!("/{file}"), &[("range", "bytes=-1")], &[]);
        let range = end.header("content-range").unwrap_or_default().to_owned();
        assert!(range.ends_with(&format!("/{size}")), "{file}: {} {range}", end.status);
    }
}

/// A Space that has answered, so that what a host has once for all is there.
fn awake(host: &TestHost) -> TestSpace<'_> {
    let space = TestSpace::create(host, "uploads", "static");
    space.reaches("RUNNING");
    assert_eq!(space.get("/").status, 200);
    space
}

/// Does something and adds a row of what it made the host grow by; the time it took.
fn grown(table: &mut Table, host: &TestHost, what: &str, work: impl FnOnce()) -> Duration {
    host.forget_peak();
    let (resident, own) = (host.resident(), host.own_memory());
    let started = Instant::now();
    work();
    let time = started.elapsed();
    let mib = |now: u64, before: u64| now.saturating_sub(before) as f64 / f64::from(1 << 20);
    table.at_most(format!("{what}, the host's growth at its peak"), mib(host.peak(), resident), "MiB", GROWTH_MIB);
    table.note(format!("{what}, the host's growth that stays"), mib(host.own_memory(), own), "MiB");
    time
}

fn upload(host: &TestHost, folder: &Path) {
    let folder = folder.to_string_lossy();
    let mut hf = program(host, "hf");
    hf.args(["upload", "ada/uploads", &folder, ".", "--repo-type", "space"]).env("HF_HUB_DISABLE_XET", "1");
    let output = hf.output().unwrap_or_else(|error| panic!("run hf: {error}"));
    assert!(output.status.success(), "hf upload: {}", String::from_utf8_lossy(&output.stderr));
}

/// A clone with git-lfs that leaves the large files where they are.
fn clone_without_content(host: &TestHost) -> PathBuf {
    let work = clone(host, "uploads", "work");
    git(host, &work, &["lfs", "install", "--local", "--skip-smudge"]).ok();
    git(host, &work, &["lfs", "track", "*.bin"]).ok();
    work
}

/// A file of this size that takes no room.
fn zeros(path: &Path, size: u64) {
    write(path, b"");
    let file = std::fs::File::options().write(true).open(path).and_then(|file| file.set_len(size));
    file.unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
}

fn write(path: &Path, content: &[u8]) {
    let folder = path.parent().unwrap_or(path);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, content));
    written.unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
}
