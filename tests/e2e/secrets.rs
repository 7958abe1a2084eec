//! The scanner for secrets as the host embeds it: what is pushed is looked through, by git and through the API.

use serde_json::Value;
use spaceport_tests::git::{clone, commit, git};
use spaceport_tests::python::program;
use spaceport_tests::{Files, TestHost, TestSpace};

/// A token of a well-known shape; put together here, so that this file has none.
fn foreign_token() -> String {
    format!("{}{}", "ghp_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8")
}

/// Rule, path, line, and whether it was revoked or is only in the history.
fn findings(space: &TestSpace<'_>) -> Vec<(String, String, u64, bool, bool)> {
    let answer = space.api("GET", "/scan", &[], &[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = |item: &Value, key: &str| item[key].as_str().unwrap().to_owned();
    let flag = |item: &Value, key: &str| item[key].as_bool().unwrap();
    let row = |item: &Value| {
        let line = item["line"].as_u64().unwrap();
        (text(item, "rule"), text(item, "path"), line, flag(item, "revoked"), flag(item, "in_history"))
    };
    let mut rows: Vec<_> = answer.json()["items"].as_array().unwrap().iter().map(row).collect();
    rows.sort();
    rows
}

fn row(rule: &str, path: &str, line: u64, revoked: bool, in_history: bool) -> (String, String, u64, bool, bool) {
    (rule.to_owned(), path.to_owned(), line, revoked, in_history)
}

#[test]
fn a_token_of_this_host_that_is_pushed_is_revoked_and_its_author_reads_so() {
    let mut host = TestHost::start();
    host.run(&["user", "create", "bob"]);
    let leaked =
        host.run(&["token", "create", "--user", "bob", "--role", "write", "--name", "leaked"]).trim().to_owned();
    let whoami = |host: &TestHost| {
        let bearer = format!("Bearer {leaked}");
        host.visitor().send("GET", &host.domain(), "/api/whoami-v2", &[("authorization", &bearer)], &[]).status
    };
    assert_eq!(whoami(&host), 200);
    let space = TestSpace::create(&host, "site", "static");
    let work = clone(&host, "site", "work");
    let text = format!("import os\nTOKEN = \"{leaked}\"\nOTHER = '{}'\n", foreign_token());
    let head = commit(&host, &work, "app.py", &text);
    let said = git(&host, &work, &["push", "origin", "main"]).ok();
    for words in [
        "app.py line 2: spaceport-token (TOKEN = sp_…), a valid token of this host: it is revoked now",
        "app.py line 3: github-token (OTHER = ghp_…)",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains(&leaked) && !host.log().contains(&leaked), "{said}");
    assert_eq!(whoami(&host), 401);
    space.serves(&head);
    let both = [row("github-token", "app.py", 3, false, false), row("spaceport-token", "app.py", 2, true, false)];
    assert_eq!(findings(&space), both);
    commit(&host, &work, "app.py", "import os\n");
    let said = git(&host, &work, &["push", "origin", "main"]).ok();
    assert!(!said.contains("WARNING"), "{said}");

    // All of it is on disk.
    host.kill();
    host.boot();
    let space = TestSpace::named(&host, "site", ".static");
    let gone = [row("github-token", "app.py", 3, false, true), row("spaceport-token", "app.py", 2, true, true)];
    assert_eq!(findings(&space), gone);
    assert_eq!(whoami(&host), 401);
}

#[test]
fn a_commit_of_the_official_client_is_warned_about() {
    let host = TestHost::start();
    let space = host.push("site", Files::site(&[("index.html", "fine")]));
    let script = format!(
        "import os, warnings\nfrom huggingface_hub import HfApi\n\
         api = HfApi()\n\
         api.upload_file(path_or_fileobj=b'KEY = \"{}\"', path_in_repo='app.py', repo_id='ada/site', repo_type='space')\n",
        foreign_token()
    );
    let output = program(&host, "python").args(["-c", &script]).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("github-token in app.py line 1"), "{said}");
    assert_eq!(findings(&space), [row("github-token", "app.py", 1, false, false)]);
}

#[test]
fn what_only_looks_like_a_secret_is_left_alone() {
    let host = TestHost::start();
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let files = Files::site(&[("index.html", "fine")])
        .with("README.md", format!("---\nsdk: static\n---\nSet HF_TOKEN=hf_{}.\n", "x".repeat(34)))
        .with("app.py", "token = os.environ[\"HF_TOKEN\"]\napi_key = \"your-api-key-goes-here-1a2b3c\"\n")
        .with("requirements.lock", format!("token = \"{hash}\" --hash=sha256:{hash}\n"))
        .with("data.bin", foreign_token());
    let space = host.push("site", files);
    assert_eq!(findings(&space), []);
}
