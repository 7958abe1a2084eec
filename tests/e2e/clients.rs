//! The official client, unmodified, from the package index.

use spaceport_tests::python::{hf, hf_ok, program};
use spaceport_tests::{Files, TestHost, TestSpace, guest};

fn folder(host: &TestHost, name: &str, files: &[(&str, &[u8])]) -> String {
    let folder = host.scratch().join(name);
    for (path, content) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

#[test]
fn hf_uploads_a_folder_and_drives_the_space() {
    let host = TestHost::start();
    let app = guest("env");
    let readme = b"---\ntitle: From hf\nemoji: \xF0\x9F\x9A\x80\nsdk: wasm\n---\n# Hello\n".as_slice();
    let folder = folder(&host, "space", &[("README.md", readme), ("app.wasm", &app), ("static/a.txt", b"a")]);
    assert!(hf_ok(&host, &["auth", "whoami"]).contains("ada"));
    hf_ok(&host, &["upload", "ada/from-hf", &folder, ".", "--repo-type", "space"]);
    hf_ok(&host, &["spaces", "wait", "ada/from-hf", "--timeout", "60"]);
    let space = TestSpace::named(&host, "from-hf", "");
    assert_eq!(space.get("/").json()["SPACE_TITLE"], "From hf");

    assert!(hf_ok(&host, &["spaces", "info", "ada/from-hf"]).contains("ada/from-hf"));
    assert!(hf_ok(&host, &["spaces", "hardware"]).contains("cpu-basic"));
    hf_ok(&host, &["spaces", "variables", "add", "ada/from-hf", "-e", "COLOUR=green"]);
    assert!(hf_ok(&host, &["spaces", "variables", "ls", "ada/from-hf"]).contains("green"));
    hf_ok(&host, &["spaces", "secrets", "add", "ada/from-hf", "-s", "KEY=hidden"]);
    let secrets = hf_ok(&host, &["spaces", "secrets", "ls", "ada/from-hf"]);
    assert!(secrets.contains("KEY") && !secrets.contains("hidden"), "{secrets}");
    hf_ok(&host, &["spaces", "variables", "delete", "ada/from-hf", "COLOUR", "--yes"]);
    hf_ok(&host, &["spaces", "secrets", "delete", "ada/from-hf", "KEY", "--yes"]);
    assert!(hf_ok(&host, &["spaces", "logs", "ada/from-hf", "--build"]).to_lowercase().contains("compil"));
    hf_ok(&host, &["spaces", "pause", "ada/from-hf"]);
    assert_eq!(space.stage(), "PAUSED");
    hf_ok(&host, &["spaces", "restart", "ada/from-hf"]);
    hf_ok(&host, &["spaces", "wait", "ada/from-hf", "--timeout", "60"]);
    assert_eq!(space.get("/").status, 200);
}

#[test]
fn a_second_upload_of_the_same_folder_changes_nothing() {
    let host = TestHost::start();
    let site =
        folder(&host, "site", &[("README.md", b"---\nsdk: static\n---\n"), ("index.html", b"<head></head>hello")]);
    hf_ok(&host, &["upload", "ada/site", &site, ".", "--repo-type", "space"]);
    let space = TestSpace::named(&host, "site", ".static");
    space.reaches("RUNNING");
    let before = space.api("GET", "", &[], &[]).json()["sha"].clone();
    hf_ok(&host, &["upload", "ada/site", &site, ".", "--repo-type", "space"]);
    assert_eq!(space.api("GET", "", &[], &[]).json()["sha"], before);
    assert!(space.get("/").text().contains("hello"));
}

#[test]
fn two_thousand_small_files_arrive_and_leave_no_trace_in_memory() {
    const FILES: usize = 2000;
    // What a host may grow by, at its peak: the client sends them in requests of its own making, as large as it likes.
    const GROWTH: u64 = 64 << 20;
    let host = TestHost::start();
    let space = host.push("small", Files::site(&[("index.html", "<head></head>hello")]));
    space.reaches("RUNNING");
    assert_eq!(space.get("/").status, 200);
    let names: Vec<String> = (0..FILES).map(|n| format!("part-{:02}/file-{n:04}.txt", n / 50)).collect();
    let contents: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), name.as_bytes())).collect();
    let folder = folder(&host, "small-files", &contents);
    host.forget_peak();
    let before = host.resident();
    hf_ok(&host, &["upload", "ada/small", &folder, ".", "--repo-type", "space"]);
    let grown = host.peak().saturating_sub(before);
    assert!(grown < GROWTH, "the host has grown by {} MiB", grown >> 20);
    let info = space.api("GET", "", &[], &[]).json();
    let there: Vec<&str> =
        info["siblings"].as_array().unwrap().iter().filter_map(|f| f["rfilename"].as_str()).collect();
    assert!(names.iter().all(|name| there.contains(&name.as_str())), "{} files are there", there.len());
    space.serves(info["sha"].as_str().unwrap());
    let last = names.last().unwrap();
    assert_eq!(space.get(&format!("/{last}")).text(), *last);
}

#[test]
fn what_the_folder_ignores_is_not_uploaded() {
    let host = TestHost::start();
    let site = folder(
        &host,
        "ignoring",
        &[
            ("README.md", b"---\nsdk: static\n---\n".as_slice()),
            ("index.html", b"<head></head>hello"),
            (".gitignore", b"*.log\n"),
            ("debug.log", b"not for others"),
        ],
    );
    hf_ok(&host, &["upload", "ada/ignoring", &site, ".", "--repo-type", "space"]);
    let space = TestSpace::named(&host, "ignoring", ".static");
    let info = space.api("GET", "", &[], &[]).json();
    let files: Vec<&str> =
        info["siblings"].as_array().unwrap().iter().filter_map(|file| file["rfilename"].as_str()).collect();
    assert!(files.contains(&".gitignore") && files.contains(&"index.html"), "{files:?}");
    assert!(!files.contains(&"debug.log"), "{files:?}");
}

#[test]
fn a_broken_readme_is_reported_in_words() {
    let host = TestHost::start();
    let site = folder(&host, "bad", &[("README.md", b"---\nsdk: cobol\n---\n"), ("index.html", b"x")]);
    let output = hf(&host, &["upload", "ada/bad", &site, ".", "--repo-type", "space"]);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("cobol") && text.contains("static"), "{text}");
}

#[test]
fn huggingface_hub_sees_what_it_expects() {
    let host = TestHost::start();
    let script = r#"
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError, BadRequestError
api = HfApi()
assert api.whoami()["name"] == "ada"
url = api.create_repo("ada/from-python", repo_type="space", space_sdk="static",
                      space_variables=[{"key": "A", "value": "1"}])
again = api.create_repo("ada/from-python", repo_type="space", space_sdk="static", exist_ok=True)
assert url == again, (url, again)
info = api.space_info("ada/from-python")
assert info.sdk == "static" and info.subdomain == "ada-from-python", info
assert {s.rfilename for s in info.siblings} == {".gitattributes", "README.md", "index.html", "style.css"}, info.siblings
assert api.get_space_variables("ada/from-python")["A"].value == "1"
commit = api.upload_file(path_or_fileobj=b"<head></head>v2", path_in_repo="index.html",
                         repo_id="ada/from-python", repo_type="space")
assert api.space_info("ada/from-python").sha == commit.oid
runtime = api.get_space_runtime("ada/from-python")
assert runtime.stage.startswith("RUNNING") or runtime.stage == "BUILDING", runtime
for operation in (api.pause_space, api.restart_space):
    try:
        operation("ada/from-python")
        raise SystemExit("a static Space has no such operation")
    except BadRequestError:
        pass
try:
    api.space_info("ada/not-there")
    raise SystemExit("found what is not there")
except RepositoryNotFoundError:
    pass
api.delete_file("index.html", "ada/from-python", repo_type="space")
api.delete_repo("ada/from-python", repo_type="space")
assert not api.repo_exists("ada/from-python", repo_type="space")
api.delete_repo("ada/from-python", repo_type="space", missing_ok=True)
print("all good")
"#;
    let output = program(&host, "python").args(["-c", script]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("all good"), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}
