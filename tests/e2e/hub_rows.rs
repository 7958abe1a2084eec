//! Every call of the official clients, row by row, and the client of Gradio apps.

use spaceport_tests::TestHost;
use spaceport_tests::python::{Clients, program_of};

/// The rows, as a program for Python.
const ROWS: &str = include_str!("hub_rows/rows.py");

/// Runs the rows and prints their table; every one must pass.
#[track_caller]
fn every_row_passes(clients: Clients) {
    let host = TestHost::start();
    host.run(&["org", "create", "lab", "--owner", "ada"]);
    let mut python = program_of(clients, &host, "python");
    let output = python.env("HF_HUB_DISABLE_XET", "1").args(["-c", ROWS]).output().unwrap();
    let table = String::from_utf8_lossy(&output.stdout);
    println!("{table}");
    assert!(output.status.success(), "{table}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_newest_client_finds_every_row() {
    every_row_passes(Clients::Newest);
}

#[test]
fn an_older_client_finds_every_row_it_knows() {
    every_row_passes(Clients::Older);
}

/// Calls the app's function, again and again.
const GREET: &str = r#"
import sys
from gradio_client import Client
client = Client("ada/app", token=sys.argv[1] or None, verbose=False)
for name in ["Ada", "Grace", "Alan"]:
    assert client.predict(name, api_name="/greet") == f"Hello, {name}!"
print("all good")
"#;

#[test]
fn the_client_of_gradio_apps_calls_one_that_is_a_component() {
    let host = TestHost::start();
    let space = host.run_guest("app", "gradio", "");
    let calls = |token: &str| {
        let mut python = program_of(Clients::Older, &host, "python");
        let output = python.env_remove("HF_TOKEN").args(["-c", GREET, token]).output().unwrap();
        (String::from_utf8_lossy(&output.stdout).contains("all good"), String::from_utf8(output.stderr).unwrap())
    };
    for token in ["", host.token()] {
        let (is_good, said) = calls(token);
        assert!(is_good, "{said}");
    }
    let json = [("content-type", "application/json")];
    assert_eq!(space.api("PUT", "/settings", &json, br#"{"private":true}"#).status, 200);
    let (is_good, said) = calls(host.token());
    assert!(is_good, "{said}");
    assert!(!calls("").0, "a stranger calls a private app");
}
