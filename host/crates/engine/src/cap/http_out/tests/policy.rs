//! Who is reached and who is not.

use http::Request;
use wasmtime_wasi_http::Error;

use super::super::EgressLimits;
use super::server::Server;
use super::{Space, empty};

#[tokio::test]
async fn a_request_reaches_its_server_with_the_headers_that_are_the_guests() {
    let server = Server::echo("127.40.1.1").await;
    let mut space = Space::new(&["127.40.1.1/32"]);
    space.name("origin.test", &[&["127.40.1.1"]]);
    let request = Request::post("http://Origin.test.:8080/path?q=1")
        .header("x-kept", "yes")
        .header("x-forwarded-for", "6.6.6.6")
        .header("x-spaceport-request-id", "forged")
        .header("host", "evil.example")
        .header("connection", "x-kept")
        .body(empty())
        .unwrap();
    let seen = super::text(space.send(request).await.unwrap()).await.unwrap();
    assert!(seen.starts_with("POST /path?q=1 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("x-kept: yes\r\n") && seen.contains("host: origin.test:8080\r\n"), "{seen}");
    for gone in ["6.6.6.6", "forged", "evil", "connection"] {
        assert!(!seen.contains(gone), "{gone}: {seen}");
    }
    assert_eq!((server.connections(), space.log.all().len()), (1, 0));
    let counts = space.egress.counts();
    assert_eq!((counts.requests, counts.denied, counts.failed), (1, 0, 0));
    assert_eq!(counts.received, seen.len() as u64);
}

#[tokio::test]
async fn private_addresses_in_every_spelling_are_denied_with_one_line_each() {
    let server = Server::echo("127.0.0.1").await;
    let mut space = Space::new(&[]);
    space.name("inside.test", &[&["127.0.0.1", "10.0.0.1"]]);
    let urls = [
        "http://127.0.0.1:8080/",
        "http://2130706433:8080/",
        "http://0x7f.1:8080/",
        "http://127.1:8080/",
        "http://127.0.0.1.:8080/",
        "http://[::1]:8080/",
        "http://[::ffff:127.0.0.1]:8080/",
        "http://[64:ff9b::7f00:1]:8080/",
        "http://inside.test:8080/",
        "http://169.254.169.254/latest/meta-data",
        "http://198.51.100.1:22/",
        "http://user:secret@198.51.100.1/",
        "ftp://198.51.100.1/",
    ];
    for (n, url) in urls.iter().enumerate() {
        let error = space.get(url).await.expect_err(url);
        assert!(matches!(error, Error::HttpRequestDenied), "{url}: {error}");
        assert_eq!(space.log.all().len(), n + 1, "{url}");
    }
    let log = space.log.all().concat();
    assert!(log.contains("inside.test: 127.0.0.1 is not a public address"), "{log}");
    assert!(log.contains("only ports 80, 443 and 8080 are open") && !log.contains("secret"), "{log}");
    assert_eq!(server.connections(), 0);
    assert_eq!(space.egress.counts().denied, urls.len() as u64);
}

#[tokio::test]
async fn a_name_whose_answer_changes_is_looked_up_once_for_each_connection() {
    let (public, private) = (Server::echo("127.40.2.1").await, Server::echo("127.40.2.2").await);
    let no_pool = EgressLimits { pool_per_space: 0, ..EgressLimits::default() };
    let mut space = Space::with_limits(&["127.40.2.1/32"], no_pool);
    space.name("rebind.test", &[&["127.40.2.1"], &["127.40.2.2"]]);
    assert!(space.text("http://rebind.test:8080/").await.is_ok());
    assert_eq!(space.names.lookups(), 1);
    let second = space.text("http://rebind.test:8080/").await;
    assert!(matches!(second, Err(Error::HttpRequestDenied)), "{second:?}");
    assert_eq!((space.names.lookups(), public.connections(), private.connections()), (2, 1, 0));
}

#[tokio::test]
async fn of_mixed_answers_only_the_allowed_address_is_connected_to() {
    let (allowed, metadata) = (Server::echo("127.40.3.1").await, Server::echo("127.40.3.2").await);
    let mut space = Space::new(&["127.40.3.1/32"]);
    space.name("mixed.test", &[&["127.40.3.2", "::1", "127.40.3.1"]]);
    assert!(space.text("http://mixed.test:8080/").await.is_ok());
    assert_eq!((allowed.connections(), metadata.connections(), space.log.all().len()), (1, 0, 0));
}

#[tokio::test]
async fn a_redirect_leads_no_further_than_a_request() {
    let redirect = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:8080/\r\ncontent-length: 0\r\n\r\n";
    let _server = Server::answer("127.40.4.1", redirect).await;
    let mut space = Space::new(&["127.40.4.1/32"]);
    let response = space.get("http://127.40.4.1:8080/").await.unwrap();
    assert_eq!(response.status(), 302, "the guest is told; nobody follows for it");
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert!(matches!(space.get(&location).await, Err(Error::HttpRequestDenied)));
}

#[tokio::test]
async fn a_name_that_is_not_there_is_a_dns_error() {
    let mut space = Space::new(&[]);
    let error = space.get("http://nowhere.test/").await.unwrap_err();
    assert!(matches!(error, Error::DnsError { rcode: Some(ref code), .. } if code == "NXDOMAIN"), "{error}");
    assert_eq!(space.egress.counts().failed, 1);
}

#[tokio::test]
async fn tunnels_and_traces_are_not_offered() {
    let mut space = Space::new(&["127.40.5.1/32"]);
    for method in ["CONNECT", "TRACE"] {
        let request = Request::builder().method(method).uri("http://127.40.5.1:8080/").body(empty()).unwrap();
        assert!(matches!(space.send(request).await, Err(Error::HttpRequestMethodInvalid)), "{method}");
    }
}
