//! Connections that are used again.

use std::sync::Arc;
use std::time::Duration;

use spaceport_core::egress::EgressPolicy;
use tokio::io::{AsyncWriteExt, BufReader};

use super::super::{EgressLimits, EgressShared, Table};
use super::Space;
use super::server::{Server, head};

#[tokio::test]
async fn a_connection_is_used_again_by_its_space_and_by_no_other() {
    let server = Server::echo("127.40.20.1").await;
    let policy = EgressPolicy { operator_allow: vec!["127.40.20.1/32".parse().unwrap()], ..EgressPolicy::default() };
    let shared = EgressShared::with_resolver(Arc::new(Table::default()));
    let space = || Space::of(policy.clone(), &shared, EgressLimits::default(), Table::default());
    let (mut ours, mut theirs) = (space(), space());
    for _ in 0..3 {
        ours.text("http://127.40.20.1:8080/").await.unwrap();
    }
    assert_eq!((server.connections(), ours.egress.pool().len()), (1, 1));
    theirs.text("http://127.40.20.1:8080/").await.unwrap();
    assert_eq!(server.connections(), 2);
    assert_eq!(shared.counts().requests, 4, "the sum over all Spaces");
}

#[tokio::test]
async fn a_kept_connection_that_died_is_replaced_unnoticed() {
    let server = Server::start("127.40.21.1", |stream| async move {
        let mut stream = BufReader::new(stream);
        head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    })
    .await;
    let mut space = Space::new(&["127.40.21.1/32"]);
    for n in 1..=5 {
        assert_eq!(space.text("http://127.40.21.1:8080/").await.unwrap(), "ok");
        assert_eq!(server.connections(), n);
        while !space.egress.pool().is_dead() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn no_more_are_kept_than_allowed_and_none_for_longer() {
    let _servers = (Server::echo("127.40.22.1").await, Server::echo("127.40.22.2").await);
    let idle = Duration::from_millis(200);
    let limits = EgressLimits { pool_per_origin: 2, pool_per_space: 3, pool_idle: idle, ..EgressLimits::default() };
    let mut space = Space::with_limits(&["127.40.22.0/24"], limits);
    for url in ["http://127.40.22.1:8080/", "http://127.40.22.2:8080/"] {
        let (one, two, three) = (space.get(url), space.get(url), space.get(url));
        let (one, two, three) = tokio::join!(one, two, three);
        for response in [one, two, three] {
            super::text(response.unwrap()).await.unwrap();
        }
    }
    assert_eq!(space.egress.pool().len(), 3, "two to the newer origin, one to the older");
    tokio::time::timeout(Duration::from_secs(5), async {
        while space.egress.pool().len() > 0 {
            tokio::time::sleep(idle / 10).await;
        }
    })
    .await
    .expect("the pool empties itself");
}
