//! Disks that lose what was not synced, fill up or hang: what was acknowledged is there, and who serves goes on.
//!
//! These need a machine that allows mounts.

use std::cell::Cell;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use spaceport_tests::neighbour::Neighbour;
use spaceport_tests::{Client, Disk, Files, TestHost, TestSpace, raw, wait};

use crate::crash;

/// Power cuts; each takes a start of the host.
const CUTS: u32 = 3;
/// Bytes of the disk that is filled: what a host with a few Spaces needs, and some.
const SMALL: u64 = 40 << 20;
/// After how long the host gives up on a writer that gets nowhere, and a little.
const STUCK: Duration = Duration::from_secs(60);
/// What is soon for a visitor.
const SOON: Duration = Duration::from_secs(3);

#[test]
fn acknowledged_writes_survive_a_power_cut() {
    let lost = Cell::new(0);
    crash::lose_nothing(TestHost::start_on("", Disk::on_file), CUTS, |host| {
        let unsynced = [b'x'; 100_000];
        std::fs::write(host.data().join("unsynced"), unsynced).unwrap();
        host.cut_power();
        let is_there = std::fs::read(host.data().join("unsynced")).is_ok_and(|kept| kept == unsynced);
        lost.set(lost.get() + u32::from(!is_there));
        repositories_are_whole(host);
    });
    assert!(lost.get() > 0, "of what nobody synced something is lost, or this is no power cut");
}

/// What is in a folder; nothing if it is none.
fn inside(folder: PathBuf) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Below folders of the first two digits of their ids.
fn repositories(host: &TestHost) -> Vec<PathBuf> {
    let repos = inside(host.data().join("repos")).flat_map(inside).filter(|path| path.join("HEAD").exists());
    repos.collect()
}

fn repositories_are_whole(host: &TestHost) {
    assert!(!repositories(host).is_empty());
    for repo in repositories(host) {
        let mut git = host.disk().command();
        let checked = git.args(["git", "--git-dir"]).arg(&repo).args(["fsck", "--full"]).output().unwrap();
        assert!(checked.status.success(), "{}: {}", repo.display(), String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn a_full_disk_refuses_writes_and_stops_nobody() {
    let host = TestHost::start_on("", |place| Disk::of_size(place, SMALL));
    let filler = host.run_guest("filler", "files", "");
    let site = host.push("site", Files::site(&[("index.html", "before")]));
    let neighbour = Neighbour::of(&host);
    let large = Files::default().with("large.bin", noise(4 << 20));
    neighbour.unharmed_by(|| {
        let filled = wait::until(Duration::from_secs(20), || {
            let answer = filler.get("/?op=append&path=/tmp/all&bytes=1000000");
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.text().starts_with("error").then_some(())
        });
        assert!(filled.is_some(), "the disk did not become full");
        for _ in 0..2 {
            let refused = site.commit(&large);
            assert_eq!(refused.status, 507, "{}", refused.text());
        }
        for repo in repositories(&host) {
            let left = inside(repo.join("objects/pack")).chain(inside(repo)).find(|path| {
                let name = path.file_name().unwrap().to_string_lossy();
                name.starts_with("tmp_") || name.starts_with("fast_import_crash_")
            });
            assert_eq!(left, None, "what was refused takes no space");
        }
        assert_eq!(site.get("/").status, 200);
        assert_eq!(host.client().get(&host.domain(), "/api/whoami-v2").status, 200);
        let tree = site.api("GET", "/tree/main", &[], &[]).text();
        assert!(!tree.contains("large.bin"), "{tree}");
        assert!(filler.get("/?op=remove&path=/tmp/all").text().starts_with("ok"));
        // Without a restart.
        let commit = site.push(large.with("index.html", "after"));
        site.serves(&commit);
        assert!(site.get("/").text().ends_with("after"));
        site.post("/variables", json!({"key": "A", "value": "b"}));
    });
}

/// Bytes that no compression makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(length).collect()
}

#[test]
fn a_disk_that_hangs_ends_the_host_and_what_was_acknowledged_is_there() {
    let mut host = TestHost::start_on("", Disk::on_file);
    let (client, domain) = (host.client(), host.domain());
    let authority = host.run_guest("app", "hello", "").authority;
    TestSpace::named(&host, "app", "").post("/variables", json!({"key": "BEFORE", "value": "kept"}));
    let frozen = host.disk().freeze();
    let told = std::thread::scope(|scope| {
        let write = scope.spawn(|| set_variable(&client, &domain, "DURING"));
        let has_given_up = || host.log().contains("the database's writer is stuck").then_some(());
        let gave_up = wait::until(STUCK, || {
            // Visitors do not wait for the disk; they do for a process that has ended and cannot leave it.
            let is_served = is_served(&host, &authority);
            assert!(is_served || wait::until(SOON, has_given_up).is_some(), "visitors wait for the disk");
            has_given_up()
        });
        drop(frozen);
        assert!(gave_up.is_some(), "the host went on without its database");
        write.join().unwrap()
    });
    assert_eq!(host.wait_for_exit(), -1, "it ends by a signal");
    host.boot();
    let variables = TestSpace::named(&host, "app", "").api("GET", "/variables", &[], &[]).json();
    assert_eq!(variables["BEFORE"]["value"], "kept");
    // The disk may have come back before the process was gone.
    assert!(told != Some(200) || variables["DURING"]["value"] == "x", "told of what is not there: {variables}");
    assert_eq!(set_variable(&host.client(), &host.domain(), "AFTER"), Some(200));
}

/// Whether a visitor is answered soon.
fn is_served(host: &TestHost, authority: &str) -> bool {
    let mut stream = raw::connect(host);
    stream.set_read_timeout(Some(SOON)).unwrap();
    let asked = write!(stream, "GET / HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.ends_with("hello")
}

/// Sets a variable; the status of the answer, if there was one.
fn set_variable(client: &Client, domain: &str, key: &str) -> Option<u16> {
    let body = json!({"key": key, "value": "x"}).to_string();
    let headers = [("content-type", "application/json")];
    let answer = client.try_send("POST", domain, "/api/spaces/ada/app/variables", &headers, body.as_bytes());
    answer.ok().map(|answer| answer.status)
}
