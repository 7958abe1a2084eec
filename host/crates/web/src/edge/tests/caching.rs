use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use spaceport_control::routes::RouteTarget;
use spaceport_core::space::{Sdk, Visibility};
use spaceport_core::stage::Stage;
use tokio::sync::Semaphore;

use super::harness::*;

const KEEP: (&str, &str) = ("cdn-cache-control", "max-age=31536000");

fn page() -> String {
    format!("<!doctype html><title>page</title>{}", "<p>words words words</p>".repeat(200))
}

/// A Space whose answers may be kept, as the static plugin's.
fn static_space(front: &Front) -> Space {
    let space = front.space("site", |_| async {
        says(&[KEEP, ("content-type", "text/html"), ("etag", "\"v1\""), ("cache-control", "max-age=60")], page())
    });
    space.change(|entry| entry.sdk = Sdk::Static);
    space
}

#[tokio::test]
async fn a_hot_answer_costs_no_call() {
    let front = Front::start().await;
    let space = static_space(&front);
    for round in 0..5 {
        let reply = front.get(&space.host, "/").await;
        assert_eq!(reply.text(), page());
        assert_eq!(reply.headers.contains_key("age"), round > 0);
        assert_eq!(reply.header("cache-control"), "max-age=60");
        assert!(!reply.headers.contains_key("cdn-cache-control"));
        assert_eq!(reply.header("content-length"), page().len().to_string());
    }
    assert_eq!(space.calls(), 1);
    let counts = space.slot.metrics.counts();
    assert_eq!((counts.requests, counts.cache_hits, counts.faults), (5, 4, 0));
    assert_eq!(counts.response_bytes, 5 * page().len() as u64);
}

#[tokio::test]
async fn every_spelling_of_a_static_address_is_the_same_answer() {
    let front = Front::start().await;
    let space = static_space(&front);
    front.get(&space.host, "/a b".replace(' ', "%20").as_str()).await;
    for target in ["/a%20b?1", "/%61%20b", "/a%20%62?2"] {
        front.get(&space.host, target).await;
        front.get("site.localhost:1", target).await;
    }
    assert_eq!(space.calls(), 1);
    // What is no path and what only reads like it are two things.
    front.get(&space.host, "/%ff").await;
    front.get(&space.host, "/%25ff").await;
    assert_eq!(space.calls(), 3);
}

#[tokio::test]
async fn one_call_serves_all_who_wait_for_the_same_page() {
    let front = Front::start().await;
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let space = front.space("site", move |_| {
        let gate = opened.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            says(&[KEEP, ("content-type", "text/html")], page())
        }
    });
    space.change(|entry| entry.sdk = Sdk::Static);
    let visits: Vec<_> = (0..20).map(|n| format!("/?{n}")).collect();
    let waiting = futures_util::future::join_all(visits.iter().map(|target| front.get(&space.host, target)));
    let slot = space.slot.clone();
    let opening = async {
        eventually("all visits", move || slot.in_flight() == 20).await;
        gate.add_permits(visits.len());
    };
    let (replies, ()) = tokio::join!(waiting, opening);
    assert!(replies.iter().all(|reply| reply.text() == page()));
    assert_eq!(space.calls(), 1);
}

#[tokio::test]
async fn a_request_with_a_body_neither_fills_the_cache_nor_is_answered_from_it() {
    let front = Front::start().await;
    let space = front.space("app", |request| async move {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        says(&[KEEP], if body.is_empty() { Bytes::from_static(b"plain") } else { body })
    });
    let fat = || Request::get("/").header("host", &space.host).body(Full::from("poison")).unwrap();
    assert_eq!(front.send(fat()).await.text(), "poison");
    assert_eq!(front.get(&space.host, "/").await.text(), "plain");
    assert_eq!(front.send(fat()).await.text(), "poison");
    assert_eq!(front.get(&space.host, "/").await.text(), "plain");
    assert_eq!(space.calls(), 3);
}

#[tokio::test]
async fn the_guest_sees_the_host_that_the_answer_is_kept_under() {
    let front = Front::start().await;
    let space =
        front.space("app", |request| async move { says(&[KEEP], request.headers()["host"].as_bytes().to_vec()) });
    let odd = format!("APP.localhost.:{}", front.addr.port());
    assert_eq!(front.get(&odd, "/").await.text(), space.host);
    assert_eq!(front.get(&space.host, "/").await.text(), space.host);
    assert_eq!(front.get("app.localhost:", "/").await.text(), "app.localhost");
    assert_eq!(space.calls(), 2);
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_visitor() {
    let front = Front::start().await;
    let space = front.space("app", |request| async move {
        let status = if request.uri().query().is_some() { 500 } else { 200 };
        let response = Response::builder().status(status).header(KEEP.0, KEEP.1).header("vary", "accept-language");
        Ok(response.body(full("x")).unwrap())
    });
    let post = |target: &str| Request::post(target).header("host", &space.host).body(Full::default()).unwrap();
    for target in ["/", "/", "/other"] {
        front.get(&space.host, target).await;
    }
    assert_eq!(space.calls(), 2);
    front.send(post("/?failed")).await;
    front.get(&space.host, "/").await;
    assert_eq!(space.calls(), 3);
    front.send(post("/")).await;
    front.get(&space.host, "/other").await;
    assert_eq!(space.calls(), 4);
    front.get(&space.host, "/").await;
    assert_eq!(space.calls(), 5);
}

#[tokio::test]
async fn events_are_not_waited_for() {
    let front = Front::start().await;
    let space = front.space("app", |_| async {
        let first = stream::iter([Ok(http_body::Frame::data(Bytes::from_static(b"data: 1\n\n")))]);
        let response =
            Response::builder().header(KEEP.0, KEEP.1).header("content-type", "Text/Event-Stream; charset=utf-8");
        Ok(response.body(StreamBody::new(first.chain(stream::pending())).boxed_unsync()).unwrap())
    });
    let mut sender = front.h1().await;
    let first = async {
        let response = sender.send_request(get(&space.host, "/", &[])).await.unwrap();
        response.into_body().frame().await.unwrap().unwrap().into_data().unwrap()
    };
    let first = tokio::time::timeout(PATIENCE, first).await.expect("the first event arrives");
    assert_eq!(first, "data: 1\n\n");
}

#[tokio::test]
async fn without_the_spaces_word_nothing_is_kept() {
    let front = Front::start().await;
    let space = front.space("app", |_| async { says(&[("cache-control", "public, max-age=60")], "x") });
    for _ in 0..2 {
        front.get(&space.host, "/").await;
    }
    assert_eq!(space.calls(), 2);
}

#[tokio::test]
async fn a_new_generation_starts_anew() {
    let front = Front::start().await;
    let space = static_space(&front);
    front.get(&space.host, "/").await;
    space.change(|entry| entry.generation = 2);
    front.get(&space.host, "/").await;
    assert_eq!(space.calls(), 2);
}

#[tokio::test]
async fn a_sleeping_space_answers_from_the_cache_and_a_paused_one_does_not() {
    let front = Front::start().await;
    let space = static_space(&front);
    front.get(&space.host, "/").await;
    space.change(|entry| entry.target = RouteTarget::Asleep);
    assert_eq!(front.get(&space.host, "/").await.text(), page());
    space.change(|entry| entry.target = RouteTarget::Unavailable { stage: Stage::Paused, message: None });
    assert_eq!(front.get(&space.host, "/").await.error(), "space_paused");
}

#[tokio::test]
async fn what_is_kept_of_a_private_space_is_kept_from_strangers() {
    let front = Front::start().await;
    let space = static_space(&front);
    space.change(|entry| entry.visibility = Visibility::Private);
    let member = [("authorization", "Bearer sp_member")];
    for _ in 0..2 {
        assert_eq!(front.get_with(&space.host, "/", &member).await.text(), page());
    }
    assert_eq!(space.calls(), 1);
    assert_eq!(front.get_with(&space.host, "/", &member).await.header("cache-control"), "private, max-age=60");
    assert_eq!(front.get(&space.host, "/").await.error(), "not_found");
}

#[tokio::test]
async fn answers_to_those_who_sign_in_to_the_app_are_not_shared() {
    let front = Front::start().await;
    let space = front.space("app", |request| async move {
        let name =
            request.headers().get("authorization").map_or("nobody".into(), |value| value.to_str().unwrap().to_owned());
        says(&[KEEP], name)
    });
    let ada = [("authorization", "Basic ada")];
    assert_eq!(front.get_with(&space.host, "/", &ada).await.text(), "Basic ada");
    assert_eq!(front.get(&space.host, "/").await.text(), "nobody");
    assert_eq!(front.get_with(&space.host, "/", &ada).await.text(), "Basic ada");
}

#[tokio::test]
async fn conditions_heads_and_reloads_are_answered_from_the_cache() {
    let front = Front::start().await;
    let space = static_space(&front);
    front.get(&space.host, "/").await;
    let unchanged = front.get_with(&space.host, "/", &[("if-none-match", "\"v1\"")]).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.text()), (304, ""));
    assert_eq!(unchanged.header("etag"), "\"v1\"");
    assert!(!unchanged.headers.contains_key("content-type"));
    let changed = front.get_with(&space.host, "/", &[("if-none-match", "\"v0\""), ("cache-control", "no-cache")]).await;
    assert_eq!(changed.status, 200);
    let head = Request::head("/").header("host", &space.host).body(Full::default()).unwrap();
    let head = front.send(head).await;
    assert_eq!((head.status.as_u16(), head.text()), (200, ""));
    assert_eq!(head.header("content-length"), page().len().to_string());
    assert_eq!(space.calls(), 1);
}

#[tokio::test]
async fn a_first_conditional_request_fills_the_cache() {
    let front = Front::start().await;
    let space = static_space(&front);
    let unchanged = front.get_with(&space.host, "/", &[("if-none-match", "\"v1\""), ("range", "bytes=0-1")]).await;
    assert_eq!(unchanged.status, 304);
    assert!(!space.seen().headers().contains_key("if-none-match"));
    assert_eq!(front.get(&space.host, "/").await.text(), page());
    assert_eq!(space.calls(), 1);
}

#[tokio::test]
async fn pages_are_encoded_as_the_visitor_likes() {
    let front = Front::start().await;
    let space = static_space(&front);
    for (accept, encoding) in [("gzip", "gzip"), ("br, gzip", "br"), ("zstd;q=1, br;q=0.5", "zstd"), ("gzip", "gzip")] {
        let reply = front.get_with(&space.host, "/", &[("accept-encoding", accept)]).await;
        assert_eq!(reply.header("content-encoding"), encoding);
        assert_eq!(reply.header("etag"), format!("\"v1-{encoding}\""));
        assert_eq!(reply.header("vary"), "accept-encoding");
        assert_eq!(decoded(&reply.body, encoding).await, page());
        let unchanged = front
            .get_with(&space.host, "/", &[("accept-encoding", accept), ("if-none-match", reply.header("etag"))])
            .await;
        assert_eq!(unchanged.status, 304);
    }
    let plain = front.get_with(&space.host, "/", &[("accept-encoding", "gzip;q=0")]).await;
    assert_eq!((plain.text(), plain.header("vary")), (page().as_str(), "accept-encoding"));
    assert_eq!(space.calls(), 1);
}

#[tokio::test]
async fn the_stream_of_a_plugin_is_encoded_on_its_way() {
    let front = Front::start().await;
    let space = front.space("site", |_| async { says(&[("content-type", "text/html"), ("etag", "\"v1\"")], page()) });
    for sdk in ["static", "markdown-demo"] {
        space.change(|entry| entry.sdk = sdk.parse().unwrap());
        let reply = front.get_with(&space.host, "/", &[("accept-encoding", "gzip")]).await;
        assert_eq!(reply.header("content-encoding"), "gzip");
        assert!(!reply.headers.contains_key("content-length"));
        assert_eq!(decoded(&reply.body, "gzip").await, page());
        assert!(!space.seen().headers().contains_key("accept-encoding"), "a plugin gives the whole");
    }
}

#[tokio::test]
async fn small_and_opaque_answers_are_left_as_they_are() {
    let front = Front::start().await;
    let space = front.space("site", |request| async move {
        match request.uri().path() {
            "/small" => says(&[KEEP, ("content-type", "text/html")], "small"),
            "/done" => says(&[KEEP, ("content-type", "text/html"), ("content-encoding", "x")], page()),
            "/fixed" => says(&[KEEP, ("content-type", "text/html"), ("cache-control", "no-transform")], page()),
            _ => says(&[KEEP, ("content-type", "image/png")], page()),
        }
    });
    space.change(|entry| entry.sdk = Sdk::Static);
    for path in ["/small", "/done", "/fixed", "/image"] {
        for _ in 0..2 {
            let reply = front.get_with(&space.host, path, &[("accept-encoding", "gzip, br")]).await;
            let encoding = reply.headers.get("content-encoding").map(|value| value.to_str().unwrap());
            assert_eq!(encoding, (path == "/done").then_some("x"), "{path}");
        }
    }
}

#[tokio::test]
async fn apps_encode_their_answers_themselves() {
    let front = Front::start().await;
    let space = front.space("app", |_| async { says(&[KEEP, ("content-type", "text/html")], page()) });
    for _ in 0..2 {
        let reply = front.get_with(&space.host, "/", &[("accept-encoding", "gzip")]).await;
        assert!(!reply.headers.contains_key("content-encoding"));
    }
    assert_eq!(space.seen().headers()["accept-encoding"], "gzip");
}

#[tokio::test]
async fn a_kept_answer_that_breaks_off_is_told_as_a_fault_and_not_kept() {
    let front = Front::start().await;
    let space = front.space("app", |_| async {
        let frames = stream::iter([Ok(http_body::Frame::data(Bytes::from_static(b"some"))), Err("trapped".into())]);
        let response = Response::builder().header(KEEP.0, KEEP.1);
        Ok(response.body(StreamBody::new(frames).boxed_unsync()).unwrap())
    });
    for _ in 0..2 {
        assert_eq!(front.get(&space.host, "/").await.error(), "guest_bad_response");
    }
    assert_eq!(space.calls(), 2);
}

#[tokio::test]
async fn an_answer_too_large_to_keep_arrives_whole() {
    let front = Front::start().await;
    let large: Bytes = (0..3_000_000u32).map(|n| n as u8).collect::<Vec<_>>().into();
    let sent = large.clone();
    let space = front.space("app", move |_| {
        let body = sent.clone();
        async move {
            let chunks: Vec<Bytes> =
                (0..body.len()).step_by(100_000).map(|at| body.slice(at..body.len().min(at + 100_000))).collect();
            let frames = stream::iter(chunks.into_iter().map(|chunk| Ok(http_body::Frame::data(chunk))));
            Ok(Response::builder().header(KEEP.0, KEEP.1).body(StreamBody::new(frames).boxed_unsync()).unwrap())
        }
    });
    for _ in 0..2 {
        assert!(front.get(&space.host, "/").await.body == large);
    }
    assert_eq!(space.calls(), 2);
}

async fn decoded(body: &[u8], encoding: &str) -> String {
    use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
    use tokio::io::AsyncReadExt;
    let mut text = String::new();
    match encoding {
        "gzip" => GzipDecoder::new(body).read_to_string(&mut text).await.unwrap(),
        "br" => BrotliDecoder::new(body).read_to_string(&mut text).await.unwrap(),
        "zstd" => ZstdDecoder::new(body).read_to_string(&mut text).await.unwrap(),
        other => panic!("{other} was not offered"),
    };
    text
}
