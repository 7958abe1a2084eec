//! What no client would send. Whatever it is, others go on undisturbed.

use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Host, PATIENCE, to_the_end};

async fn others_go_on(host: &Host) {
    host.git("bob", Path::new("/"), &["ls-remote", &host.url("site")]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_ends_the_connection() {
    let (host, _) = Host::with_clone("site").await;
    let noise: Vec<u8> = (0..1 << 20).map(|_| rand::random()).collect();
    for (name, bytes) in [
        ("noise", noise.clone()),
        ("a request of another protocol", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("a line without an end", vec![b'S'; 1 << 20]),
        ("noise after the greeting", [b"SSH-2.0-x\r\n".as_slice(), &noise].concat()),
        ("a packet of four gigabytes", [b"SSH-2.0-x\r\n".as_slice(), &[0xff; 4096]].concat()),
        ("a packet of a megabyte", [b"SSH-2.0-x\r\n\0\x10\0\0\x04".as_slice(), &[20; 1 << 20]].concat()),
        ("a packet of nothing", b"SSH-2.0-x\r\n\0\0\0\0\0\0\0\0\0\0\0\0".to_vec()),
        ("an exchange of keys that is none", [b"SSH-2.0-x\r\n\0\0\0\x0c\x04\x14".as_slice(), &[0xff; 64]].concat()),
    ] {
        let (read, mut write) = host.connect().await.into_split();
        // The other side may have closed it before all is written.
        let sending = tokio::spawn(async move {
            let _ = write.write_all(&bytes).await;
            write
        });
        let answer = to_the_end(read).await;
        assert!(answer.len() < 64 << 10, "{name}: {}", answer.len());
        drop(sending.await.unwrap());
    }
    others_go_on(&host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_never_signs_in_is_sent_away() {
    let (host, _) = Host::with_clone("site").await;
    let silent = host.connect().await;
    let mut greeted = host.connect().await;
    greeted.write_all(b"SSH-2.0-x\r\n").await.unwrap();
    // Says something again and again, and never anything that leads on.
    let mut talking = host.connect().await;
    talking.write_all(b"SSH-2.0-x\r\n").await.unwrap();
    let (read, mut write) = talking.into_split();
    let talk = tokio::spawn(async move {
        let ignore = [0, 0, 0, 12, 5, 2, 0, 0, 0, 1, b'x', 0, 0, 0, 0, 0];
        while write.write_all(&ignore).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    for answer in [to_the_end(silent).await, to_the_end(greeted).await, to_the_end(read).await] {
        assert!(answer.starts_with(b"SSH-2.0-Spaceport\r\n"), "{answer:?}");
    }
    talk.abort();
    others_go_on(&host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_fill_their_places_and_no_others() {
    let (host, clone) = Host::with_clone("site").await;
    let mut strangers = Vec::new();
    for _ in 0..64 {
        let mut stranger = host.connect().await;
        stranger.read_exact(&mut [0; 19]).await.unwrap();
        strangers.push(stranger);
    }
    let refused = to_the_end(host.connect().await).await;
    assert!(refused.is_empty(), "{refused:?}");
    strangers.pop();
    // The host sees that one has left a little later.
    let let_in = async { while !host.git("ada", &clone, &["fetch", "--quiet"]).await.is_ok {} };
    tokio::time::timeout(PATIENCE, let_in).await.expect("there is a place again");
    drop(strangers);
    others_go_on(&host).await;
}
