//! What users write is shown and never run.

use serde_json::json;
use spaceport_tests::{Files, TestHost};

use crate::browser::Browser;

/// Would tell of itself, were any of it more than text.
const MARKUP: &str = "<img src onerror=window.ran=1><script>window.ran=1</script>";
const README: &str = r#"
# A heading <script>window.ran = 1</script>

[a link](javascript:window.ran=1) and <a href="javascript:window.ran=1">another</a>, <img src="x" onerror="window.ran=1">

<iframe srcdoc="<script>parent.ran = 1</script>"></iframe>

<svg onload="window.ran=1"></svg> <style>body { display: none }</style>
"#;

/// A Space in which everything that can hold a text holds a hostile one.
fn hostile_space(host: &TestHost) -> String {
    let title = json!(MARKUP).to_string();
    let front = format!("---\ntitle: {title}\nshort_description: {title}\nsdk: wasm\n---\n{README}");
    let files = Files::guest("env", "").with("README.md", front).with("<b onclick=ran=1>.md", README);
    let space =
        host.push("odd", files.with("code.html", MARKUP).with("code.js", "</code></pre><script>ran = 1</script>"));
    space.reaches("RUNNING");
    let committed = space.commit_as("", MARKUP, &Files::default().with("more.txt", MARKUP));
    let commit = committed.json()["commitOid"].as_str().unwrap().to_owned();
    space.propose(MARKUP, &Files::default().with("proposed.txt", MARKUP));
    space.serves(&commit);
    space.post("/discussions", json!({ "title": MARKUP, "description": README }));
    space.post("/discussions/2/comment", json!({ "comment": README }));
    space.post("/variables", json!({ "key": "ODD", "value": MARKUP, "description": MARKUP }));
    let line: String = MARKUP.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(space.get(&format!("/?say={line}")).status, 200);
    commit
}

#[test]
fn what_users_write_is_text() {
    let host = TestHost::start();
    let commit = hostile_space(&host);
    let Some(browser) = Browser::signed_in(&host) else { return };
    for (path, css) in [
        ("/", ".card .title"),
        ("/ada", ".card .description"),
        (
            "/?search=%3Cscript%3Ewindow.ran%3D1%3C%2Fscript%3E&tag=%22%3E%3Cimg%20src%3Dx%20onerror%3Dran%3D1%3E",
            "main",
        ),
        ("/spaces/ada/odd", "title"),
        ("/spaces/ada/odd/tree/main", ".files"),
        ("/spaces/ada/odd/tree/main", ".rendered"),
        ("/spaces/ada/odd/blob/main/code.html", ".code code"),
        ("/spaces/ada/odd/blob/main/code.js", ".code code"),
        ("/spaces/ada/odd/blob/main/%3Cb%20onclick%3Dran%3D1%3E.md", ".rendered"),
        ("/spaces/ada/odd/edit/main/code.html", "textarea"),
        ("/spaces/ada/odd/commits/main", ".commits"),
        (&format!("/spaces/ada/odd/commit/{commit}"), "h1"),
        ("/spaces/ada/odd/discussions", ".commits"),
        ("/spaces/ada/odd/discussions/1", ".patch"),
        ("/spaces/ada/odd/discussions/2", ".talk"),
        ("/spaces/ada/odd/settings", "#settings"),
        ("/spaces/ada/odd/logs", "#lines"),
        ("/login?next=javascript:window.ran=1", "form"),
    ] {
        browser.open(&host.at(path));
        browser.finds(css);
        if !path.starts_with("/login") && !path.contains("search") && !path.ends_with(".js") {
            browser.shows(css, "window.ran");
        }
        assert_runs_nothing(&browser, path);
    }
}

/// Nothing has run, and nothing on the page would.
#[track_caller]
fn assert_runs_nothing(browser: &Browser, place: &str) {
    let found = browser.value(
        "[window.ran, [...document.querySelectorAll('*')].flatMap((element) => [...element.attributes]
            .filter(({ name, value }) => name.startsWith('on') || /^\\s*javascript:/i.test(value) || name === 'srcdoc')
            .filter(({ name }) => !['value', 'placeholder', 'content', 'alt', 'title', 'aria-label'].includes(name))
            .map(({ name, value }) => `${element.tagName} ${name}=${value}`)),
          [...document.scripts].filter((script) => !script.src).length]",
    );
    assert_eq!(found, json!([null, [], 0]), "{place}");
}
