//! git, git-lfs and the Hub's own client on one repository: what each of them sends is served, and seen by the others.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use spaceport_tests::git::{clone, command, commit, git, url};
use spaceport_tests::python::{hf_ok, program};
use spaceport_tests::{Files, TestHost, TestSpace, wait};

/// Rounds of pushing and killing.
const ROUNDS: u32 = 6;
/// What a host may grow by while a large file passes through it, in bytes.
const GROWTH: u64 = 64 << 20;
/// A file that would show if it were held in memory; the benchmark `large-file` sends larger ones.
const LARGE: u64 = 256 << 20;

#[test]
fn a_push_is_served_and_says_where() {
    let host = TestHost::start();
    let space = TestSpace::create(&host, "site", "static");
    let work = clone(&host, "site", "work");
    assert!(work.join("README.md").is_file() && work.join("index.html").is_file());
    let head = commit(&host, &work, "index.html", "<head></head>pushed by git");
    let said = git(&host, &work, &["push", "origin", "main"]).ok();
    assert!(said.contains(&format!("{}/spaces/{}", host.hub(), space.id)), "{said}");
    assert!(said.contains(&space.authority), "{said}");
    let runtime = space.runtime();
    let is_new = runtime["sha"].as_str().is_none_or(|sha| sha == head);
    assert!(runtime["stage"] != "RUNNING" || is_new, "a poller would take the old revision for the new: {runtime}");
    space.serves(&head);
    assert!(space.get("/").text().contains("pushed by git"));

    space.push(Files::default().with("new.txt", "committed by the API"));
    git(&host, &work, &["pull", "--quiet"]).ok();
    assert_eq!(std::fs::read_to_string(work.join("new.txt")).unwrap(), "committed by the API");
}

#[test]
fn a_component_pushed_by_git_runs() {
    let host = TestHost::start();
    let space = TestSpace::create(&host, "app", "wasm");
    let work = clone(&host, "app", "work");
    let head = commit(&host, &work, "app.wasm", spaceport_tests::guest("hello"));
    git(&host, &work, &["push", "origin", "main"]).ok();
    space.serves(&head);
    assert_eq!(space.get("/").text().trim(), "hello");
}

#[test]
fn a_refused_push_says_why_and_what_serves_goes_on() {
    let host = TestHost::start();
    let space = host.push("site", Files::site(&[("index.html", "good")]));
    let good = space.reaches("RUNNING")["sha"].clone();
    let work = clone(&host, "site", "work");
    commit(&host, &work, "README.md", "---\nsdk: cobol\n---\n");
    git(&host, &work, &["push", "origin", "main"]).refused(&["pre-receive hook declined", "README.md", "cobol"]);
    git(&host, &work, &["reset", "--quiet", "--hard", "origin/main"]).ok();
    commit(&host, &work, "big.bin", vec![1; 11 << 20]);
    git(&host, &work, &["push", "origin", "main"]).refused(&["larger than 10 MiB", "big.bin", "git lfs migrate"]);
    assert_eq!(space.runtime()["sha"], good);
    let page = space.get("/").text();
    assert!(page.ends_with("good"), "{page}");

    let stranger = host.hub().replacen("://", "://ada:wrong@", 1) + "/spaces/ada/site";
    git(&host, &work, &["push", &stranger, "main"]).refused(&["Authentication failed"]);
}

#[test]
fn pushes_that_were_acknowledged_survive_being_killed() {
    let mut host = TestHost::start();
    TestSpace::create(&host, "kept", "static");
    let work = clone(&host, "kept", "work");
    for round in 0..ROUNDS {
        git(&host, &work, &["remote", "set-url", "origin", &url(&host, "kept")]).ok();
        let head = commit(&host, &work, "round.txt", round.to_string());
        let mut push = command(host.scratch(), &work, &["push", "--quiet", "origin", "main"]);
        let mut push = push.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Some rounds kill in the midst of the push, each at another moment, some after its end.
        let moment = Duration::from_millis(u64::from(round) * 40);
        let ended = wait::until(moment, || push.try_wait().unwrap());
        host.kill();
        let is_told = push.wait().unwrap().success() && ended.is_none_or(|status| status.success());
        host.boot();
        let space = TestSpace::named(&host, "kept", ".static");
        let now = space.api("GET", "", &[], &[]).json()["sha"].as_str().unwrap().to_owned();
        assert!(now == head || !is_told, "round {round}: {head} was acknowledged, {now} is there");
        space.serves(&now);
        if now == head {
            assert_eq!(space.get("/round.txt").text(), round.to_string());
        }
        assert_eq!(unfinished(&host.data().join("repos")), Vec::<String>::new(), "round {round}");
    }
    git(&host, &work, &["remote", "set-url", "origin", &url(&host, "kept")]).ok();
    git(&host, &work, &["push", "--quiet", "origin", "main"]).ok();
    git(&host, &clone(&host, "kept", "fresh"), &["fsck", "--strict"]).ok();
}

/// What pushes that are not over have left in repositories.
fn unfinished(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("incoming-") || name.ends_with(".lock") {
            found.push(name);
        } else if entry.file_type().unwrap().is_dir() {
            found.extend(unfinished(&entry.path()));
        }
    }
    found
}

#[test]
fn large_files_pass_through_without_being_held() {
    let host = TestHost::start();
    let space = TestSpace::create(&host, "large", "static");
    let work = clone(&host, "large", "work");
    git(&host, &work, &["lfs", "install", "--local"]).ok();
    git(&host, &work, &["lfs", "track", "*.bin"]).ok();
    space.reaches("RUNNING");
    assert_eq!(space.get("/").status, 200);
    host.forget_peak();
    let before = host.resident();
    zeros(&work.join("by-git.bin"), LARGE);
    let head = commit(&host, &work, "note.txt", "with a large file");
    git(&host, &work, &["push", "origin", "main"]).ok();
    space.serves(&head);

    let folder = host.scratch().join("by-hf");
    std::fs::create_dir(&folder).unwrap();
    zeros(&folder.join("by-hf.bin"), LARGE + 1);
    let upload = ["upload", "ada/large", folder.to_str().unwrap(), ".", "--repo-type", "space"];
    let output = program(&host, "hf").args(upload).env("HF_HUB_DISABLE_XET", "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let grown = host.peak().saturating_sub(before);
    assert!(grown < GROWTH, "the host has grown by {} MiB", grown >> 20);

    // What one has sent the other fetches, and visitors are served.
    git(&host, &work, &["pull", "--quiet"]).ok();
    assert_eq!(std::fs::metadata(work.join("by-hf.bin")).unwrap().len(), LARGE + 1);
    assert_eq!(git(&host, &work, &["status", "--porcelain"]).ok(), "");
    let down = host.scratch().join("down");
    hf_ok(
        &host,
        &["download", "ada/large", "by-git.bin", "--repo-type", "space", "--local-dir", down.to_str().unwrap()],
    );
    assert_eq!(std::fs::metadata(down.join("by-git.bin")).unwrap().len(), LARGE);
    let sha = space.api("GET", "", &[], &[]).json()["sha"].as_str().unwrap().to_owned();
    space.serves(&sha);
    let end = space.send("GET", "/by-hf.bin", &[("range", "bytes=-3")], &[]);
    assert_eq!((end.status, end.body.as_slice()), (206, [0, 0, 0].as_slice()));
    let grown = host.peak().saturating_sub(before);
    assert!(grown < GROWTH, "the host has grown by {} MiB", grown >> 20);
}

/// A file of this size that takes no room.
fn zeros(path: &Path, size: u64) {
    std::fs::File::create(path).unwrap().set_len(size).unwrap();
}

#[test]
fn a_client_with_xet_is_told_what_to_do() {
    let host = TestHost::start();
    TestSpace::create(&host, "large", "static");
    let folder = host.scratch().join("by-hf");
    std::fs::create_dir(&folder).unwrap();
    zeros(&folder.join("large.bin"), 200 << 20);
    let upload = ["upload", "ada/large", folder.to_str().unwrap(), ".", "--repo-type", "space"];
    let output = program(&host, "hf").args(upload).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && text.contains("HF_HUB_DISABLE_XET=1"), "{text}");
}
