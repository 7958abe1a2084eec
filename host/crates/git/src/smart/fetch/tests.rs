use spaceport_core::id::SpaceId;
use tempfile::TempDir;
use tokio::io::DuplexStream;

use super::*;
use crate::commit::{Author, Change, CommitSpec};
use crate::path::RepoPath;
use crate::repos::Repos;
use crate::tree::FileMode;

/// A repository with one commit.
async fn repository() -> (TempDir, Repos, Repo, String) {
    let folder = tempfile::tempdir().unwrap();
    let repos = Repos::open(&folder.path().join("repos")).await.unwrap();
    let repo = repos.create(SpaceId::from_bytes([1; 12])).await.unwrap();
    let put = Change::Put {
        path: RepoPath::parse("a.txt").unwrap(),
        mode: FileMode::Regular,
        content: Bytes::from_static(b"1"),
    };
    let spec = CommitSpec {
        branch: "main".into(),
        parent: None,
        author: Author { name: "Ada".into(), email: "ada@example.org".into(), at: 1_700_000_000_000 },
        message: "first".into(),
        changes: vec![put],
    };
    let head = repo.commit(spec).await.unwrap().to_string();
    (folder, repos, repo, head)
}

/// Reads on until these words have come.
async fn until(stream: &mut PackStream, words: &str) -> Vec<u8> {
    let mut read = Vec::new();
    while !read.windows(words.len()).any(|window| window == words.as_bytes()) {
        let piece = stream.next().await.unwrap_or_else(|| panic!("{words} has not come: {read:?}"));
        read.extend_from_slice(&piece.unwrap());
    }
    read
}

async fn say(client: &mut DuplexStream, lines: &[&str]) {
    for line in lines {
        let line = if line.is_empty() { "0000".to_owned() } else { format!("{:04x}{line}\n", line.len() + 5) };
        client.write_all(line.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_conversation_begins_with_the_refs_and_goes_on() {
    let (_folder, _repos, repo, head) = repository().await;
    let (mut client, server) = tokio::io::duplex(1024);
    let mut stream = repo.upload_pack(None, false, server).await.unwrap();
    until(&mut stream, &format!("{head} refs/heads/main\n0000")).await;
    let absent = "1111111111111111111111111111111111111111";
    say(&mut client, &[&format!("want {head} multi_ack_detailed side-band-64k"), "", &format!("have {absent}"), ""])
        .await;
    until(&mut stream, "NAK").await;
    say(&mut client, &["done"]).await;
    until(&mut stream, "PACK").await;
    while let Some(piece) = stream.next().await {
        piece.unwrap();
    }
}

#[tokio::test]
async fn a_conversation_of_version_2_asks_as_often_as_it_likes() {
    let (_folder, _repos, repo, head) = repository().await;
    let (mut client, server) = tokio::io::duplex(1024);
    let mut stream = repo.upload_pack(Some("version=2"), false, server).await.unwrap();
    until(&mut stream, "version 2").await;
    for _ in 0..2 {
        client.write_all(b"0014command=ls-refs\n00010000").await.unwrap();
        until(&mut stream, &format!("{head} refs/heads/main\n0000")).await;
    }
    drop(client);
    while let Some(piece) = stream.next().await {
        piece.unwrap();
    }
}
