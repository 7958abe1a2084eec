//! What guests reach outside themselves: files, HTTP and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spaceport_core::manifest::Isolation;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::World;

/// Answers every connection to port 8080 of a loopback address, and counts them.
async fn origin(ip: &str) -> Arc<AtomicU64> {
    let listener = TcpListener::bind(format!("{ip}:8080")).await.unwrap();
    let hits = Arc::new(AtomicU64::new(0));
    let counter = hits.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
        }
    });
    hits
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_writes_within_its_disk_and_not_into_the_repository() {
    let world = World::new();
    std::fs::create_dir(world.dir.path().join("app")).unwrap();
    std::fs::write(world.dir.path().join("app/data.txt"), "from the repository").unwrap();
    let space = world
        .launch_with("files", |spec| {
            spec.limits.disk = 1 << 20;
            spec.limits.inodes = 20;
            spec.data = Some(world.dir.path().join("data"));
            spec.limits.storage = Some(64 << 10);
            std::fs::create_dir(world.dir.path().join("data")).unwrap();
        })
        .await;
    let say = async |query: &str| space.get(&format!("/?{query}")).await.unwrap();
    assert_eq!(say("op=read&path=/app/data.txt").await, "ok from the repository");
    for refused in ["op=write&path=/app/new&bytes=1", "op=mkdir&path=/app/dir", "op=remove&path=/app/data.txt"] {
        assert!(say(refused).await.starts_with("error"), "{refused}");
    }
    assert!(say("op=write&path=/tmp/a&bytes=700000").await.starts_with("ok"));
    let full = say("op=write&path=/tmp/b&bytes=700000").await;
    // The C library of Rust guests calls every failed write of a stream an I/O error.
    assert!(full.starts_with("error"), "{full}");
    let written = ["a", "b"].map(|name| std::fs::metadata(world.dir.path().join("tmp").join(name)).unwrap().len());
    assert_eq!(written.iter().sum::<u64>(), 1 << 20, "to the last byte");
    for name in ["a", "b"] {
        assert!(say(&format!("op=remove&path=/tmp/{name}")).await.starts_with("ok"));
    }
    assert!(say("op=write&path=/tmp/c&bytes=400000").await.starts_with("ok"), "what was removed is room again");
    assert!(say("op=write&path=/data/a&bytes=60000").await.starts_with("ok"));
    assert!(say("op=write&path=/data/b&bytes=60000").await.starts_with("error"), "the tier is smaller than the disk");
    let across = say("op=rename&target=/data/a&path=/tmp/moved").await;
    assert!(across.contains("CrossesDevices"), "{across}");
    assert!(say("op=hardlink&target=/data/a&path=/tmp/linked").await.starts_with("error"));
    let many = say("op=many&path=/tmp&bytes=100").await;
    assert!(many.contains("StorageFull"), "{many}");
    assert!(std::fs::read_dir(world.dir.path().join("tmp")).unwrap().count() <= 20);
    assert_eq!(std::fs::read_to_string(world.dir.path().join("app/data.txt")).unwrap(), "from the repository");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_of_a_guest_leads_out() {
    let world = World::new();
    std::fs::write(world.dir.path().join("outside"), "secret").unwrap();
    let space = world.launch("files").await;
    let say = async |query: &str| space.get(&format!("/?{query}")).await.unwrap();
    for path in ["/etc/passwd", "/tmp/../outside", "/tmp/../../etc/passwd", "../outside", "/proc/self/environ"] {
        let answer = say(&format!("op=read&path={path}")).await;
        assert!(answer.starts_with("error"), "{path}: {answer}");
    }
    for (link, target) in [("up", "../outside"), ("etc", "/etc/passwd"), ("slash", "../")] {
        say(&format!("op=symlink&path=/tmp/{link}&target={target}")).await;
        let answer = say(&format!("op=read&path=/tmp/{link}")).await;
        assert!(answer.starts_with("error"), "{link}: {answer}");
    }
    assert!(say("op=read&path=/tmp/slash/outside").await.starts_with("error"));
    assert!(say("op=write&path=/tmp/up&bytes=3").await.starts_with("error"));
    assert_eq!(std::fs::read_to_string(world.dir.path().join("outside")).unwrap(), "secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_isolation_request_tmp_is_empty_for_every_request() {
    let world = World::new();
    let space = world.launch_with("files", |spec| spec.isolation = Isolation::Request).await;
    assert!(space.get("/?op=write&path=/tmp/a&bytes=10").await.unwrap().starts_with("ok"));
    assert_eq!(space.get("/?op=list&path=/tmp").await.unwrap(), "ok 0");
    space.empties().await;
    crate::harness::eventually("nothing is left behind but empty directories for the next requests", || {
        let kept: Vec<_> = std::fs::read_dir(world.dir.path().join("tmp")).unwrap().map(|it| it.unwrap()).collect();
        kept.len() <= 2 && kept.iter().all(|it| std::fs::read_dir(it.path()).unwrap().count() == 0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_calls_what_the_policy_lets_it_and_is_told_of_the_rest() {
    let world = World::new();
    let (allowed, private) = (origin("127.40.90.1").await, origin("127.40.90.2").await);
    let space = world
        .launch_with("http_out", |spec| spec.egress.operator_allow = vec!["127.40.90.1/32".parse().unwrap()])
        .await;
    let fetch = async |url: &str| space.get(&format!("/?url={url}")).await.unwrap();
    assert_eq!(fetch("http://127.40.90.1:8080/").await, "200 hello");
    for url in ["http://127.40.90.2:8080/", "http://127.40.90.1:9999/", "http://localhost:8080/", "http://[::1]/"] {
        let answer = fetch(url).await;
        assert!(answer.contains("HttpRequestDenied"), "{url}: {answer}");
    }
    assert_eq!((allowed.load(Ordering::SeqCst), private.load(Ordering::SeqCst)), (1, 0));
    let log = space.log.text();
    assert_eq!(log.matches("egress refused").count(), 4, "{log}");
    assert!(log.contains("127.40.90.2 is not a public address") && log.contains("127.40.90.1:9999"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_linked_and_every_call_is_denied() {
    let world = World::new();
    let space = world.launch("sockets").await;
    let answer = space.get("/").await.unwrap();
    for line in ["tcp: Err", "udp: Err", "name: Err"] {
        assert!(answer.contains(line), "{answer}");
    }
    assert_eq!(answer.matches("access-denied").count(), 3, "{answer}");
}
