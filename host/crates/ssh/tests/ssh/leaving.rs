//! Clients that leave in the middle, and a host that stops.

#![expect(clippy::unwrap_used, reason = "helpers of a test may unwrap as the test may")]

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::harness::{Host, PATIENCE, piped, until};

const PUSH: [&str; 2] = ["git@127.0.0.1", "git-receive-pack 'spaces/ada/site'"];
const FETCH: [&str; 2] = ["git@127.0.0.1", "git-upload-pack 'spaces/ada/site'"];

/// Reads all refs; the rest is to be said by the client.
async fn refs(from: &mut (impl AsyncRead + Unpin)) -> String {
    let read = async {
        let mut text = Vec::new();
        loop {
            let mut length = [0; 4];
            from.read_exact(&mut length).await.unwrap();
            let length = usize::from_str_radix(std::str::from_utf8(&length).unwrap(), 16).unwrap();
            let Some(length) = length.checked_sub(4) else { return String::from_utf8(text).unwrap() };
            let start = text.len();
            text.resize(start + length, 0);
            from.read_exact(&mut text[start..]).await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the refs come")
}

/// What asks for a new branch, and the beginning of a pack.
fn beginning_of_a_push() -> Vec<u8> {
    let line = format!("{} {} refs/heads/x\0report-status side-band-64k", "0".repeat(40), "1".repeat(40));
    let mut bytes = format!("{:04x}{line}0000", line.len() + 4).into_bytes();
    bytes.extend_from_slice(b"PACK\0\0\0\x02\0\0\0\x09");
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_killed_in_the_middle_of_a_push_leaves_nothing() {
    let (host, _) = Host::with_clone("site").await;
    let mut client = piped(&mut host.ssh(&["ada"], &PUSH));
    refs(client.stdout.as_mut().unwrap()).await;
    client.stdin.as_mut().unwrap().write_all(&beginning_of_a_push()).await.unwrap();
    until("the pack is coming in", || !host.leftovers().is_empty() && host.workers() > 0).await;
    client.kill().await.unwrap();
    host.nothing_is_left().await;
    assert_eq!(host.head("site", "x").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_killed_in_the_middle_of_a_fetch_leaves_nothing() {
    let (host, _) = Host::with_clone("site").await;
    let mut client = piped(&mut host.ssh(&["ada"], &FETCH));
    refs(client.stdout.as_mut().unwrap()).await;
    until("git waits for it", || host.workers() == 1).await;
    client.kill().await.unwrap();
    host.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_only_looks_takes_no_turn_to_push() {
    let (host, clone) = Host::with_clone("site").await;
    let mut lookers: Vec<_> = (0..6).map(|_| piped(&mut host.ssh(&["ada"], &PUSH))).collect();
    for looker in &mut lookers {
        refs(looker.stdout.as_mut().unwrap()).await;
    }
    host.commit(&clone, "a.txt", "1").await;
    host.push(&clone, &["main"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_lets_what_runs_end_and_takes_nobody_in() {
    let (mut host, _) = Host::with_clone("site").await;
    let mut client = piped(&mut host.ssh(&["ada"], &FETCH));
    let text = refs(client.stdout.as_mut().unwrap()).await;
    let head = text[..40].to_owned();
    host.stop.cancel();
    until("nobody is let in", || std::net::TcpStream::connect(host.address).is_err()).await;
    let want = format!("want {head} ofs-delta\n");
    let asked = format!("{:04x}{want}00000009done\n", want.len() + 4);
    client.stdin.as_mut().unwrap().write_all(asked.as_bytes()).await.unwrap();
    let mut pack = Vec::new();
    client.stdout.as_mut().unwrap().read_to_end(&mut pack).await.unwrap();
    assert!(pack.starts_with(b"0008NAK\nPACK"), "{pack:?}");
    let ended = tokio::time::timeout(Duration::from_secs(15), &mut host.server).await;
    ended.expect("the server ends").unwrap();
}
