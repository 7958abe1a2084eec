//! Wrong input gets a clear error; what ran goes on; nothing is half-written.

use serde_json::json;
use spaceport_tests::{Files, TestHost, TestSpace};

/// What the repository's files are, by the API.
fn paths(space: &TestSpace<'_>) -> Vec<String> {
    let answer = space.api("GET", "/tree/main?recursive=true", &[], &[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_readme_that_cannot_be_read_refuses_the_whole_commit() {
    let host = TestHost::start();
    let space = host.run_guest("app", "hello", "");
    let before = paths(&space);
    let cases = [
        ("---\nsdk: [\n---\n", "YAML"),
        ("---\nsdk: cobol\n---\n", "static"),
        ("---\nsdk: streamlit\n---\n", "docker"),
        ("---\nsdk: wasm\nwasm:\n  isolation: sometimes\n---\n", "isolation"),
        ("---\nsdk: wasm\nwasm:\n  isolatoin: shared\n---\n", "isolation"),
        ("---\nsdk: wasm\nwasm:\n  egress: everywhere\n---\n", "egress"),
        ("---\nsdk: static\ncolorFrom: mauve\n---\n", "colorFrom"),
        ("---\nsdk: static\napp_file: ../secret\n---\n", "app_file"),
        ("---\nsdk: static\ncustom_headers:\n  set-cookie: a\n---\n", "custom_headers"),
    ];
    for (readme, word) in cases {
        let answer = space.commit(&Files::default().with("README.md", readme).with("new.txt", "x"));
        assert_eq!(answer.status, 400, "{readme}: {}", answer.text());
        assert!(answer.text().contains(word), "{readme}: {}", answer.text());
    }
    assert_eq!(paths(&space), before, "a refused commit changes nothing");
    assert_eq!(space.stage(), "RUNNING");
    assert_eq!(space.get("/").text().trim(), "hello");
}

#[test]
fn a_readme_without_front_matter_is_a_config_error() {
    let host = TestHost::start();
    let space = host.push("app", Files::site(&[("index.html", "the old one")]));
    space.reaches("RUNNING");
    space.push(Files::default().with("README.md", "# only words\n"));
    let runtime = space.reaches("CONFIG_ERROR");
    assert!(runtime["errorMessage"].as_str().unwrap().contains("Missing configuration in README"), "{runtime}");
    let answer = space.get("/");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().ends_with("the old one"), "the old revision goes on: {}", answer.text());
}

#[test]
fn unsafe_paths_are_refused_by_name() {
    let host = TestHost::start();
    let space = TestSpace::create(&host, "paths", "static");
    let before = paths(&space);
    for path in
        ["../up", "/abs", "a/../../b", ".git/config", "a/.GIT/hooks/x", "a//b", "", "a/./b", "nul\0byte", ".git "]
    {
        let answer = space.commit(&Files::default().with(path, "x"));
        assert_eq!(answer.status, 400, "{path:?}: {}", answer.text());
    }
    assert_eq!(paths(&space), before);
}

#[test]
fn too_many_files_are_refused_with_the_number() {
    let host = TestHost::start();
    let space = TestSpace::create(&host, "many", "static");
    let mut lines = vec![json!({"key": "header", "value": {"summary": "many"}}).to_string()];
    for n in 0..=10_000 {
        lines.push(
            json!({"key": "file", "value": {"path": format!("f/{n}"), "content": "", "encoding": "base64"}})
                .to_string(),
        );
    }
    let answer = space.commit_lines(&lines);
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("10") && answer.text().contains("files"), "{}", answer.text());
}

#[test]
fn commits_that_are_not_what_they_say_are_refused() {
    let host = TestHost::start();
    let space = TestSpace::create(&host, "lines", "static");
    let header = json!({"key": "header", "value": {"summary": "x"}}).to_string();
    let file = |path: &str, content: &str| {
        json!({"key": "file", "value": {"path": path, "content": content, "encoding": "base64"}}).to_string()
    };
    let missing = json!({"key": "deletedFile", "value": {"path": "not-there"}}).to_string();
    let cases = [
        (vec![], 400, "header"),
        (vec!["{".into()], 400, "Line 1"),
        (vec![header.clone(), "[]".into()], 400, "Line 2"),
        (vec![file("a", "")], 400, "header"),
        (vec![header.clone(), file("a", "%%%")], 400, "base64"),
        (vec![header.clone(), missing], 404, "not-there"),
        (vec![header, json!({"key": "surprise", "value": {}}).to_string()], 400, "surprise"),
    ];
    for (lines, status, word) in cases {
        let answer = space.commit_lines(&lines);
        assert_eq!(answer.status, status, "{lines:?}: {}", answer.text());
        let error =
            answer.json()["error"].as_str().unwrap_or_else(|| panic!("{lines:?}: {}", answer.text())).to_owned();
        assert!(error.contains(word), "{lines:?}: {error}");
    }
}

#[test]
fn names_and_bodies_are_checked_before_anything_is_made() {
    let host = TestHost::start();
    let client = host.client();
    let json_type = [("content-type", "application/json")];
    for name in ["", "-a", "a--b", "a..b", "x.git", "a b", "ä", "../x"] {
        let body = json!({"type": "space", "name": name, "sdk": "static"}).to_string();
        let answer = client.send("POST", &host.domain(), "/api/repos/create", &json_type, body.as_bytes());
        assert_eq!(answer.status, 400, "{name:?}: {}", answer.text());
    }
    for body in ["", "{", "[]", "null", "{\"name\": 7}"] {
        let answer = client.send("POST", &host.domain(), "/api/repos/create", &json_type, body.as_bytes());
        assert!((400..500).contains(&answer.status), "{body:?}: {} {}", answer.status, answer.text());
    }
    let body = json!({"type": "space", "name": "x", "sdk": "static"}).to_string();
    let answer = client.as_nobody().send("POST", &host.domain(), "/api/repos/create", &json_type, body.as_bytes());
    assert_eq!(answer.status, 401, "{}", answer.text());
}

#[test]
fn hardware_that_cannot_run_it_is_refused_saying_what_is_offered() {
    let host = TestHost::start();
    let space = host.run_guest("app", "hello", "");
    for flavor in ["t4-small", "no-such-flavor"] {
        let headers = [("content-type", "application/json")];
        let answer = space.api("POST", "/hardware", &headers, json!({"flavor": flavor}).to_string().as_bytes());
        assert_eq!(answer.status, 400, "{flavor}: {}", answer.text());
        assert!(answer.text().contains("cpu-basic"), "{flavor}: {}", answer.text());
    }
    assert_eq!(space.stage(), "RUNNING");
}

#[test]
fn components_that_ask_for_what_is_not_offered_are_named() {
    let host = TestHost::start();
    let space = host
        .push("core", Files::default().with("README.md", "---\nsdk: wasm\n---\n").with("app.wasm", b"\0asm\x01\0\0\0"));
    let runtime = space.reaches("BUILD_ERROR");
    assert!(runtime["errorMessage"].as_str().unwrap().contains("component"), "{runtime}");
}

#[test]
fn a_component_larger_than_the_operator_allows_is_refused_with_the_numbers() {
    let host = TestHost::start_with("[limits]\ncomponent = \"1KiB\"\n");
    let runtime = host.push("large", Files::guest("hello", "")).reaches("BUILD_ERROR");
    assert!(runtime["errorMessage"].as_str().unwrap().contains("at most 1024 are taken"), "{runtime}");
}
