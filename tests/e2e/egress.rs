//! Where a Space may connect.

use serde_json::json;
use spaceport_tests::origin::Origin;
use spaceport_tests::{Files, TestHost, TestSpace};

fn fetch(space: &TestSpace<'_>, url: &str) -> String {
    space.get(&format!("/?url={}", url.replace(':', "%3A").replace('/', "%2F"))).text()
}

#[test]
fn private_addresses_in_every_spelling_and_other_ports_are_denied_and_logged() {
    let origin = Origin::start("must not be reached");
    let host = TestHost::start();
    let space = host.run_guest("out", "http_out", "");
    for url in [
        format!("http://{}/", origin.address),
        "http://127.0.0.1:8080/".into(),
        "http://localhost:8080/".into(),
        "http://2130706433:8080/".into(),
        "http://0x7f.1:8080/".into(),
        "http://[::1]:8080/".into(),
        "http://[::ffff:127.0.0.1]:8080/".into(),
        "http://169.254.169.254/latest/meta-data".into(),
        "http://10.0.0.1/".into(),
        "http://198.51.100.7:25/".into(),
        "https://198.51.100.7:6379/".into(),
    ] {
        let answer = fetch(&space, &url);
        assert!(answer.to_lowercase().contains("denied"), "{url}: {answer}");
    }
    assert_eq!(origin.hits(), 0);
    space.logs("only ports 80, 443 and 8080 are open");
    space.logs("is not a public address");
}

#[test]
fn the_operator_can_exempt_a_range_but_not_a_port() {
    let origin = Origin::start("hello from outside");
    let host = TestHost::start_with(&format!("[egress]\nallow = [\"{}/32\"]\n", origin.ip()));
    let space = host.run_guest("out", "http_out", "");
    let answer = fetch(&space, &format!("http://{}/", origin.address));
    assert!(answer.contains("200") && answer.contains("hello from outside"), "{answer}");
    let answer = fetch(&space, &format!("http://{}:9999/", origin.ip()));
    assert!(answer.to_lowercase().contains("denied"), "{answer}");
}

#[test]
fn a_space_can_narrow_its_own_network() {
    let origin = Origin::start("hello");
    let host = TestHost::start_with(&format!("[egress]\nallow = [\"{}/32\"]\n", origin.ip()));
    let space = host.run_guest("none", "http_out", "wasm:\n  egress: []");
    let answer = fetch(&space, &format!("http://{}/", origin.address));
    assert!(answer.to_lowercase().contains("denied"), "{answer}");
    space.logs("wasm.egress");
    let readme = format!("---\nsdk: wasm\nwasm:\n  egress: [\"http://{}\"]\n---\n", origin.address);
    let commit = space.push(Files::default().with("README.md", readme));
    space.serves(&commit);
    let answer = fetch(&space, &format!("http://{}/", origin.address));
    assert!(answer.contains("200"), "{answer}");
}

#[test]
fn sockets_are_there_and_every_call_is_denied() {
    let host = TestHost::start();
    let space = host.run_guest("raw", "sockets", "");
    let answer = space.get("/").text();
    assert!(answer.contains("access-denied") || answer.contains("AccessDenied"), "{answer}");
    assert!(!answer.contains("connected"), "{answer}");
    // The Space works all the same.
    assert_eq!(space.post("/variables", json!({"key": "A", "value": "b"}))["A"]["value"], "b");
}
