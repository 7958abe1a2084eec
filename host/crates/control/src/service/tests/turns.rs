//! Whoever has waited for a turn may have lost the right to what it is for.

use std::pin::pin;
use std::task::Poll;

use futures_util::poll;
use spaceport_db::Batch;
use tokio::sync::mpsc;

use super::*;

/// Starts an operation of ada's that waits for its turn, gives the Space to somebody else meanwhile, and sees it refused.
async fn is_refused<T: std::fmt::Debug>(host: &Host, space: &Space, operation: impl Future<Output = ServiceResult<T>>) {
    let mut operation = pin!(operation);
    let turn = host.control.bare_turn(space.id).await;
    let begun = poll!(&mut operation);
    assert!(matches!(begun, Poll::Pending), "it does not wait: {begun:?}");
    give(host, space, AccountId::from_bytes([9; 12])).await;
    drop(turn);
    let refused = operation.await;
    assert!(matches!(refused, Err(ServiceError::Denied(Denied::Forbidden))), "{refused:?}");
    give(host, space, space.owner).await;
}

async fn give(host: &Host, space: &Space, owner: AccountId) {
    let db = &host.control.inner.db;
    let mut space = db.spaces().get(&space.id).unwrap().expect("it is there");
    space.owner = owner;
    let mut batch = Batch::default();
    batch.update_space(db, &space);
    db.commit(batch).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_its_turn_is_refused_when_its_right_has_ended() {
    let host = Host::start().await;
    let space = host.create("page").await.unwrap();
    let (control, ada, path) = (&host.control, &host.ada, &space.path);
    is_refused(&host, &space, control.set_variable(ada, path, setting("A", "1"))).await;
    is_refused(&host, &space, control.set_secret(ada, path, setting("B", "1"))).await;
    is_refused(&host, &space, control.delete_secret(ada, path, "FIRST")).await;
    is_refused(&host, &space, control.update_space(ada, path, SpaceChanges::default())).await;
    is_refused(&host, &space, control.create_branch(ada, path, "x", None)).await;
    is_refused(&host, &space, control.delete_branch(ada, path, "x")).await;
    is_refused(&host, &space, control.create_tag(ada, path, "main", "v1", None)).await;
    is_refused(&host, &space, control.delete_tag(ada, path, "v1")).await;
    is_refused(&host, &space, control.super_squash(ada, path, "main", "once")).await;
    let put = FileChange::Put { path: "a.txt".into(), content: "1".into() };
    let new = NewCommit { summary: "a file".into(), changes: vec![put], ..NewCommit::default() };
    is_refused(&host, &space, control.commit(ada, path, "main", new)).await;
    is_refused(&host, &space, control.move_space(ada, path, &"ada/other".parse().unwrap())).await;
    is_refused(&host, &space, control.delete_space(ada, path)).await;
    assert!(control.variables(ada, path).unwrap().is_empty());
    assert!(control.secrets(ada, path).unwrap().contains_key("FIRST"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_moves_nothing_once_its_right_has_ended() {
    let host = Host::start().await;
    let space = host.create("page").await.unwrap();
    host.control.create_branch(&host.ada, &space.path, "x", None).await.unwrap();
    let head = host.repos.repo(space.id).head("x").await.unwrap().expect("it was made");
    let line = format!("{head} {} refs/heads/x\0report-status", "0".repeat(40));
    let request = format!("{:04x}{line}0000", line.len() + 4).into_bytes();
    let (output, mut told) = mpsc::channel(16);
    let mut input = request.as_slice();
    let push = host.control.git_push(&host.ada, &space.path, &mut input, output).await.unwrap().expect("a command");
    // It had the right when it began.
    give(&host, &space, AccountId::from_bytes([9; 12])).await;
    push.run(input).await;
    let mut text = String::new();
    while let Some(bytes) = told.recv().await {
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    assert!(text.contains("ng refs/heads/x this push may not be made any more"), "{text}");
    assert_eq!(host.repos.repo(space.id).head("x").await.unwrap(), Some(head));
}
