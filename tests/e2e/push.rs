//! From a commit to an answer.

use spaceport_tests::{Files, TestHost};

#[test]
fn a_static_space_serves_what_was_committed() {
    let host = TestHost::start();
    let space = host.push("site", Files::site(&[("index.html", "<!doctype html><head></head>first")]));
    space.reaches("RUNNING");
    let answer = space.get("/");
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("first"), "{}", answer.text());
}

#[test]
fn a_component_of_either_version_answers() {
    let host = TestHost::start();
    for (name, guest) in [("two", "hello"), ("three", "hello_p3")] {
        let space = host.run_guest(name, guest, "");
        let answer = space.get("/");
        assert_eq!((answer.status, answer.text().trim()), (200, "hello"), "{guest}");
        assert!(answer.is_complete);
    }
}

#[test]
fn the_stage_has_left_running_when_a_commit_is_answered_and_the_new_revision_follows() {
    let host = TestHost::start();
    let space = host.push("site", Files::site(&[("index.html", "one")]));
    space.reaches("RUNNING");
    for round in 0..5 {
        let commit = space.push(Files::default().with("index.html", format!("round {round}")));
        let runtime = space.runtime();
        let is_new = runtime["sha"].as_str().is_none_or(|sha| sha == commit);
        assert!(runtime["stage"] != "RUNNING" || is_new, "a poller would take the old revision for the new: {runtime}");
        space.serves(&commit);
        assert!(space.get("/").text().contains(&format!("round {round}")));
    }
}

#[test]
fn a_failed_build_keeps_the_old_revision_serving() {
    let host = TestHost::start();
    let space = host.run_guest("app", "hello", "");
    let good = space.runtime()["sha"].clone();
    space.push(Files::default().with("app.wasm", b"this is no component"));
    let runtime = space.reaches("BUILD_ERROR");
    assert_eq!(runtime["sha"], good, "the stage names what is served");
    assert!(runtime["errorMessage"].as_str().is_some_and(|message| message.contains("app.wasm")), "{runtime}");
    assert_eq!(space.get("/").text().trim(), "hello");
}

#[test]
fn a_missing_app_file_has_a_stage_of_its_own() {
    let host = TestHost::start();
    let space = host.push("empty", Files::default().with("README.md", "---\nsdk: wasm\n---\n"));
    space.reaches("NO_APP_FILE");
    let answer = space.get("/");
    assert_eq!((answer.status, answer.fault()), (503, Some("space_error")), "{}", answer.text());
}

#[test]
fn docker_spaces_say_that_no_backend_is_here() {
    let host = TestHost::start();
    let files = Files::default().with("README.md", "---\nsdk: docker\n---\n").with("Dockerfile", "FROM scratch\n");
    let space = host.push("boxed", files);
    let runtime = space.reaches("RUNTIME_ERROR");
    assert_eq!(runtime["errorMessage"], "no container backend on this host");
}

#[test]
fn many_commits_in_a_row_end_with_the_last_one() {
    let host = TestHost::start();
    let space = host.push("burst", Files::site(&[("index.html", "0")]));
    let commits: Vec<_> = (1..=20).map(|n| space.push(Files::default().with("index.html", format!("n{n}")))).collect();
    space.serves(commits.last().unwrap());
    assert!(space.get("/").text().contains("n20"));
}

#[test]
fn a_folder_is_published_from_the_shell() {
    let host = TestHost::start();
    let push = |dir: &std::path::Path, to: &str| {
        std::process::Command::new(spaceport_tests::host::binary())
            .arg("push")
            .arg(dir)
            .args(["--to", to, "--endpoint", &host.hub()])
            .env("HF_TOKEN", host.token())
            .output()
            .unwrap()
    };
    let output = push(&spaceport_tests::guests::demo("static-hello"), "ada/shell");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("ada/shell is RUNNING at http://ada-shell.static."), "{text}");
    let output = push(host.scratch(), "ada/nothing");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("README.md"), "{output:?}");
}

#[test]
fn a_python_component_runs() {
    let host = TestHost::start();
    let folder = spaceport_tests::guests::demo("python-hello");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let files = Files::default().with("README.md", read("README.md")).with("app.wasm", read("app.wasm"));
    let space = host.push("python", files);
    space.reaches("RUNNING");
    let answer = space.get("/?name=Grace");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("Grace") && answer.text().contains("ada/python"), "{}", answer.text());
}
