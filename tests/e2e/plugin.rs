//! Plugins of the operator: a component in the data directory brings an `sdk:` kind, and none of them stops the host.

use serde_json::{Value, json};
use spaceport_tests::{Answer, Files, TestHost, TestSpace, guest};

const README: &str = "---\ntitle: Demo\nsdk: markdown-demo\n---\n# Hello from a file\n";
/// What is wrong with each file of the folder, and a word of the reason that the log gives.
const BAD: [(&str, &str); 7] = [
    ("a-broken.wasm", "not a component"),
    ("b-app.wasm", "it is an app"),
    ("c-nonsense.wasm", "lower-case letters"),
    ("d-trap.wasm", "unreachable"),
    ("e-spin.wasm", "what it serves"),
    ("f-folder.wasm", "it is no file"),
    ("z-again.wasm", "served by m-upper.wasm already"),
];

fn demo() -> Files {
    let lines = "line\n".repeat(2000);
    Files::default().with("README.md", README).with("docs/lines.txt", lines)
}

/// Fills the folder with one plugin that works and some that do not.
fn install(host: &TestHost) {
    host.put_data("plugins/a-broken.wasm", b"\0asm\x0d\0\x01\0 and then nothing");
    host.put_data("plugins/b-app.wasm", &guest("hello"));
    host.put_data("plugins/c-nonsense.wasm", &guest("plugin_nonsense"));
    host.put_data("plugins/d-trap.wasm", &guest("plugin_trap"));
    host.put_data("plugins/e-spin.wasm", &guest("plugin_spin"));
    host.put_data("plugins/f-folder.wasm/x", b"");
    host.put_data("plugins/m-upper.wasm", &guest("plugin_upper"));
    host.put_data("plugins/z-again.wasm", &guest("plugin_upper"));
    host.put_data("plugins/notes.txt", b"not looked at");
}

/// What the log says of a file of the folder since the host was started last.
fn said(host: &TestHost, file: &str) -> Vec<String> {
    let lines = host.log();
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_file = lines.filter(|line| line["file"] == file);
    of_file.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
}

fn create(host: &TestHost, name: &str, sdk: &str) -> Answer {
    let body = json!({"type": "space", "name": name, "sdk": sdk}).to_string();
    let headers = [("content-type", "application/json")];
    host.client().send("POST", &host.domain(), "/api/repos/create", &headers, body.as_bytes())
}

#[track_caller]
fn serves_the_demo(space: &TestSpace<'_>) {
    space.reaches("RUNNING");
    let answer = space.get("/");
    assert_eq!((answer.status, answer.text()), (200, README.to_uppercase()));
    assert_eq!(answer.header("cdn-cache-control"), None, "that is between plugin and host");
    assert_eq!(space.get("/space").text(), space.id);
}

#[test]
fn a_plugin_of_the_operator_serves_a_kind_of_its_own() {
    let mut host = TestHost::start();
    // Without it nobody knows the word.
    for (answer, offered) in [
        (create(&host, "early", "markdown-demo"), "static, wasm, docker, gradio"),
        (TestSpace::create(&host, "page", "static").commit(&demo()), "static, wasm, docker, gradio"),
    ] {
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("markdown-demo") && answer.text().contains(offered), "{}", answer.text());
    }
    assert_eq!(host.stop(), 0);
    install(&host);
    host.boot();
    assert_eq!(said(&host, "m-upper.wasm"), ["a plugin is ready"]);
    for (file, reason) in BAD {
        let said = said(&host, file);
        assert!(said.len() == 1 && said[0].starts_with("a plugin is skipped"), "{file}: {said:?}");
        assert!(said[0].contains(reason) && !said[0].contains('\n'), "{file}: {said:?}");
    }
    assert!(!host.log().contains("notes.txt"));

    let space = host.push("demo", demo());
    serves_the_demo(&space);
    assert!(space.authority.starts_with("ada-demo.localhost"), "{}", space.authority);
    assert_eq!(space.runtime()["hardware"]["current"], "cpu-basic", "it runs as an app does");
    let part = space.send("GET", "/raw/docs/lines.txt", &[("range", "bytes=5-8")], b"");
    assert_eq!((part.status, part.text()), (206, "line".to_owned()));
    let packed = space.send("GET", "/raw/docs/lines.txt", &[("accept-encoding", "gzip")], b"");
    assert_eq!((packed.status, packed.header("content-encoding")), (200, Some("gzip")));
    assert_eq!(space.get("/raw/none.txt").status, 404);
    // A client that cannot name the kind creates another; the README decides.
    let other = TestSpace::named(&host, "page", "");
    other.serves(&other.push(demo()));
    serves_the_demo(&other);
    let refused = other.commit(&Files::default().with("README.md", "---\nsdk: markdown\n---\n"));
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("static, wasm, docker, gradio, markdown-demo"), "{}", refused.text());

    assert_eq!(host.stop(), 0);
    host.boot();
    serves_the_demo(&TestSpace::named(&host, "demo", ""));
    serves_the_demo(&TestSpace::named(&host, "page", ""));
}

#[test]
fn a_space_whose_plugin_is_gone_says_so() {
    let mut host = TestHost::start_with_data(&[("plugins/upper.wasm", &guest("plugin_upper"))]);
    serves_the_demo(&host.push("demo", demo()));
    let file = host.data().join("plugins/upper.wasm");
    assert_eq!(host.stop(), 0);
    std::fs::remove_file(&file).unwrap();
    host.boot();
    {
        let space = TestSpace::named(&host, "demo", "");
        let runtime = space.reaches("RUNTIME_ERROR");
        assert_eq!(runtime["errorMessage"], "no backend on this host for sdk: markdown-demo");
        let answer = space.get("/");
        assert_eq!((answer.status, answer.fault()), (503, Some("space_error")), "{}", answer.text());
    }
    assert_eq!(host.stop(), 0);
    host.put_data("plugins/upper.wasm", &guest("plugin_upper"));
    host.boot();
    // It may have been tried in vain too often to be tried again unasked.
    let space = TestSpace::named(&host, "demo", "");
    space.post("/restart", json!({}));
    serves_the_demo(&space);
}

/// Sends a component to be installed.
fn send(host: &TestHost, component: &[u8]) -> Answer {
    let headers = [("content-type", "application/wasm")];
    host.client().send("POST", &host.domain(), "/api/admin/plugins", &headers, component)
}

fn remove(host: &TestHost) -> Answer {
    host.client().send("DELETE", &host.domain(), "/api/admin/plugins/markdown-demo", &[], b"")
}

#[test]
fn a_plugin_is_installed_while_the_host_runs_and_removed() {
    let mut host = TestHost::start();
    for (component, reason) in [
        (&b"no component"[..], "not a component"),
        (&guest("hello"), "it is an app"),
        (&guest("plugin_nonsense"), "lower-case letters"),
        (&guest("plugin_trap"), "unreachable"),
        (b"", "not a component"),
    ] {
        let refused = send(&host, component);
        assert!(refused.status == 400 && refused.text().contains(reason), "{}: {}", refused.status, refused.text());
    }
    let nobody = host.visitor().send("POST", &host.domain(), "/api/admin/plugins", &[], &guest("plugin_upper"));
    assert_eq!(nobody.status, 401);
    assert!(!host.data().join("plugins").exists(), "nothing of them is kept");

    // The second takes the place of the first.
    for _ in 0..2 {
        let installed = send(&host, &guest("plugin_upper"));
        assert_eq!(installed.status, 200, "{}", installed.text());
        assert_eq!(installed.json()["name"], "markdown-demo");
        let files: Vec<_> = std::fs::read_dir(host.data().join("plugins")).unwrap().flatten().collect();
        assert_eq!(files.len(), 1, "{files:?}");
    }
    serves_the_demo(&host.push("demo", demo()));
    host.kill();
    host.boot();
    serves_the_demo(&TestSpace::named(&host, "demo", ""));

    let kept = remove(&host);
    assert!(kept.status == 409 && kept.text().contains("1 Spaces are of the kind"), "{}", kept.text());
    TestSpace::named(&host, "demo", "").delete();
    assert_eq!(remove(&host).status, 200);
    assert_eq!(remove(&host).status, 404);
    assert_eq!(create(&host, "late", "markdown-demo").status, 400);
    assert_eq!(host.stop(), 0);
    host.boot();
    assert_eq!(create(&host, "later", "markdown-demo").status, 400);
}
