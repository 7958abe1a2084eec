//! The way to an instance, with real servers at its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use spaceport_backend::{Proxy, ProxyError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that answers by its path.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .with_upgrades();
            tokio::spawn(connection);
        }
    });
    address
}

type Answer = Response<http_body_util::combinators::BoxBody<Bytes, hyper::Error>>;

async fn answer(mut request: Request<Incoming>) -> Result<Answer, Infallible> {
    let full = |text: String| Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed();
    Ok(match request.uri().path() {
        "/head" => {
            let host = request.headers()[header::HOST].to_str().unwrap().to_owned();
            Response::new(full(format!("{} {} {host}", request.method(), request.uri())))
        }
        "/echo" => Response::new(request.into_body().boxed()),
        "/silent" => std::future::pending().await,
        "/stuck" => Response::builder().header(header::CONTENT_LENGTH, 10).body(Stuck(true).boxed()).unwrap(),
        "/upgrade" => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut stream = TokioIo::new(upgrade.await.unwrap());
                let mut word = [0; 4];
                stream.read_exact(&mut word).await.unwrap();
                word.reverse();
                stream.write_all(&word).await.unwrap();
            });
            let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
            response
                .header(header::CONNECTION, "upgrade")
                .header(header::UPGRADE, "x")
                .body(full(String::new()))
                .unwrap()
        }
        _ => Response::new(full("?".to_owned())),
    })
}

/// One byte, and then nothing.
struct Stuck(bool);

impl Body for Stuck {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, hyper::Error>>> {
        match std::mem::replace(&mut self.0, false) {
            true => std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from_static(b"x"))))),
            false => std::task::Poll::Pending,
        }
    }
}

fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).header(header::HOST, "ada-app.localhost").body(Full::default()).unwrap()
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent() {
    let proxy = Proxy::new(server().await, PATIENCE);
    let response = proxy.call(get("/head?a=b%20c&d")).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "GET /head?a=b%20c&d ada-app.localhost");
}

#[tokio::test]
async fn bodies_pass_both_ways() {
    let proxy = Proxy::new(server().await, PATIENCE);
    let sent = Bytes::from(vec![b'x'; 3 << 20]);
    let response = proxy.call(Request::post("/echo").body(Full::new(sent.clone())).unwrap()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), sent);
}

#[tokio::test]
async fn an_upgrade_is_a_connection_to_go_on_with() {
    let proxy = Proxy::new(server().await, PATIENCE);
    let mut request = get("/upgrade");
    request.headers_mut().insert(header::CONNECTION, "upgrade".parse().unwrap());
    request.headers_mut().insert(header::UPGRADE, "x".parse().unwrap());
    let mut response = proxy.call(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut stream = TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap());
    stream.write_all(b"abcd").await.unwrap();
    let mut word = [0; 4];
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"dcba");
}

#[tokio::test]
async fn silence_has_an_end() {
    let proxy = Proxy::new(server().await, Duration::from_millis(200));
    let error = proxy.call(get("/silent")).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, ProxyError::Silent(_)), "{error}");
    let error = proxy.call(get("/stuck")).await.unwrap().into_body().collect().await.unwrap_err();
    assert!(error.to_string().contains("did not answer within"), "{error}");
}

#[tokio::test]
async fn nobody_there_and_no_http_have_names() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"SSH-2.0-x\r\n").await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
    });
    let proxy = Proxy::new(address, PATIENCE);
    let error = proxy.call(get("/")).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, ProxyError::Broken(_)), "{error}");
    answers.await.unwrap();
    let error = proxy.call(get("/")).await.map(|_| ()).unwrap_err();
    assert!(matches!(&error, ProxyError::Unreachable(why) if why.contains("refused")), "{error}");
}

#[tokio::test]
async fn one_that_is_closed_waits_for_what_is_under_way_and_takes_no_more() {
    let proxy = Proxy::new(server().await, PATIENCE);
    let response = proxy.call(get("/stuck")).await.unwrap();
    // It does not end by itself, so the grace runs out.
    proxy.close(Duration::from_millis(50)).await;
    assert!(matches!(proxy.call(get("/head")).await.map(|_| ()), Err(ProxyError::Stopped)));
    drop(response);
    tokio::time::timeout(PATIENCE, proxy.close(PATIENCE * 2)).await.expect("nothing is under way");
}
