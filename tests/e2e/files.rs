//! What a guest finds in its file system, and how much it may put there.

use serde_json::json;
use spaceport_tests::{Files, TestHost, TestSpace};

fn write(space: &TestSpace<'_>, path: &str, bytes: usize) -> String {
    space.get(&format!("/?op=write&path={path}&bytes={bytes}")).text()
}

#[test]
fn the_repository_is_read_only() {
    let host = TestHost::start();
    let files = Files::guest("files", "").with("data.txt", "from the repository");
    let space = host.push("files", files);
    space.reaches("RUNNING");
    assert!(space.get("/?op=read&path=/app/data.txt").text().contains("from the repository"));
    for attempt in
        ["/?op=write&path=/app/new.txt&bytes=1", "/?op=write&path=/app/data.txt&bytes=1", "/?op=mkdir&path=/app/dir"]
    {
        let answer = space.get(attempt).text();
        assert!(!answer.starts_with("ok"), "{attempt}: {answer}");
    }
    assert!(space.get("/?op=read&path=/app/data.txt").text().contains("from the repository"));
}

#[test]
fn tmp_holds_what_the_hardware_says_and_is_empty_after_a_restart() {
    let host = TestHost::start();
    let space = host.run_guest("files", "files", "");
    space.post("/hardware", json!({"flavor": "test-small"}));
    space.reaches("RUNNING");
    assert!(write(&space, "/tmp/a", 700_000).starts_with("ok"));
    let answer = write(&space, "/tmp/b", 700_000);
    assert!(!answer.starts_with("ok"), "1 MiB is the limit: {answer}");
    assert!(space.get("/?op=remove&path=/tmp/a").text().starts_with("ok"));
    assert!(space.get("/?op=remove&path=/tmp/b").text().starts_with("ok"));
    assert!(write(&space, "/tmp/c", 700_000).starts_with("ok"), "freed space is usable again");
    space.post("/restart", json!({}));
    space.reaches("RUNNING");
    assert!(!space.get("/?op=read&path=/tmp/c").text().starts_with("ok"), "/tmp is emptied at a restart");
}

#[test]
fn data_needs_a_storage_tier_and_survives() {
    let mut host = TestHost::start();
    {
        let space = host.run_guest("files", "files", "");
        assert!(!write(&space, "/data/a", 10).starts_with("ok"), "no tier, no /data");
        space.post("/storage", json!({"tier": "test-tiny"}));
        space.reaches("RUNNING");
        let written = spaceport_tests::wait::until(std::time::Duration::from_secs(10), || {
            write(&space, "/data/a", 40_000).starts_with("ok").then_some(())
        });
        assert!(written.is_some(), "{}", write(&space, "/data/a", 40_000));
        assert!(!write(&space, "/data/b", 40_000).starts_with("ok"), "64 KiB is the limit");
    }
    host.kill();
    host.boot();
    let space = TestSpace::named(&host, "files", "");
    assert!(space.get("/?op=read&path=/data/a").text().starts_with("ok"));
    assert!(!write(&space, "/data/c", 40_000).starts_with("ok"), "use is counted anew at start");
}

#[test]
fn no_path_leads_out() {
    let host = TestHost::start();
    let space = host.run_guest("files", "files", "");
    for path in ["/etc/passwd", "/app/../../etc/passwd", "/tmp/../etc/passwd", "../../etc/passwd", "/proc/self/environ"]
    {
        let answer = space.get(&format!("/?op=read&path={path}")).text();
        assert!(!answer.starts_with("ok"), "{path}: {answer}");
    }
    let answer = space.get("/?op=symlink&path=/tmp/link&target=/etc/passwd").text();
    let read = space.get("/?op=read&path=/tmp/link").text();
    assert!(!read.starts_with("ok"), "{answer}; {read}");
}

#[test]
fn a_hard_link_from_one_mount_into_another_is_refused() {
    let host = TestHost::start();
    let space = host.run_guest("files", "files", "");
    let answer = space.get("/?op=hardlink&path=/tmp/hard&target=/app/app.wasm").text();
    assert!(!answer.starts_with("ok"), "{answer}");
}
