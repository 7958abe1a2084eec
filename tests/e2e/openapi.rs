//! The document of the API against the API: it is a document, and whatever it allows to be asked is answered as it says.

use spaceport_tests::TestHost;
use spaceport_tests::python::{Clients, program_of};

/// Reads the document with a validator.
const VALIDATE: &str = include_str!("openapi/validate.py");
/// Asks for everything that is in the document.
const ASK: &str = include_str!("openapi/ask.py");

/// Nobody is to be refused for asking much.
const NO_QUOTAS: &str = "[rate_limits]\napi = 1000000\npages = 1000000\nresolvers = 1000000\n";

/// Runs a program for Python, which must succeed.
#[track_caller]
fn succeeds(host: &TestHost, program: &str, args: &[&str]) {
    let mut python = program_of(Clients::OpenApi, host, "python");
    let output = python.args(["-c", program]).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_document_is_valid() {
    succeeds(&TestHost::start(), VALIDATE, &[]);
}

/// A host with a Space of each kind, a discussion, and other accounts to be changed.
fn furnished() -> TestHost {
    let host = TestHost::start_with(NO_QUOTAS);
    host.run(&["user", "create", "bob"]);
    host.run(&["org", "create", "lab", "--owner", "ada"]);
    host.run_guest("app", "hello", "");
    host.push("page", spaceport_tests::Files::site(&[("index.html", "a page")])).reaches("RUNNING");
    host
}

#[test]
fn whatever_an_administrator_asks_is_answered_as_the_document_says() {
    succeeds(&furnished(), ASK, &["token"]);
}

#[test]
fn whatever_nobody_asks_is_answered_as_the_document_says() {
    succeeds(&furnished(), ASK, &[""]);
}
