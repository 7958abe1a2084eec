//! The hub's API for one Space, by the official client and by plain requests: revisions, moving, copies, lists, going
//! back to a release, quotas and passes.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use spaceport_tests::python::{hf, hf_ok, program};
use spaceport_tests::{Files, TestHost, TestSpace, guest};

/// Runs a script of the official client, which must get to its end.
#[track_caller]
pub(crate) fn script(host: &TestHost, text: &str) {
    let text = format!("{PREAMBLE}{text}\nprint('all good')\n");
    let output = program(host, "python").args(["-c", &text]).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(out.contains("all good"), "{out}\n{}", String::from_utf8_lossy(&output.stderr));
}

const PREAMBLE: &str = r#"
from huggingface_hub import HfApi
from huggingface_hub.errors import *
api = HfApi()
R = dict(repo_type="space")
def fails(kind, operation, *args, **more):
    try:
        result = operation(*args, **more)
        if hasattr(result, "__next__"):
            list(result)
    except kind as error:
        return str(error)
    raise SystemExit(f"{operation} did not fail")
"#;

#[test]
fn huggingface_hub_works_on_every_kind_of_revision() {
    let host = TestHost::start();
    script(
        &host,
        r#"
id = "ada/revisions"
api.create_repo(id, space_sdk="static", **R)
first = api.upload_file(path_or_fileobj=b"x", path_in_repo="d/e.txt", repo_id=id, **R)
api.create_branch(id, branch="dev", **R)
api.create_branch(id, branch="dev", exist_ok=True, **R)
fails(HfHubHTTPError, api.create_branch, id, branch="dev", **R)
api.create_branch(id, branch="f/x", revision=first.oid[:8], **R)
api.create_tag(id, tag="v1", tag_message="hello", **R)
api.create_tag(id, tag="v1", exist_ok=True, **R)
fails(HfHubHTTPError, api.create_tag, id, tag="v1", **R)
refs = api.list_repo_refs(id, include_pull_requests=True, **R)
assert [b.name for b in refs.branches] == ["dev", "f/x", "main"], refs
assert [(t.name, t.target_commit) for t in refs.tags] == [("v1", first.oid)] and refs.pull_requests == [], refs
for revision in ["dev", "f/x", "v1", first.oid, first.oid[:7], "refs/tags/v1"]:
    assert api.space_info(id, revision=revision).sha == first.oid, revision
    assert api.list_repo_commits(id, revision=revision, formatted=True, **R)[0].commit_id == first.oid
    assert api.file_exists(id, "d/e.txt", revision=revision, **R)
    assert api.get_paths_info(id, ["d", "nope"], revision=revision, expand=True, **R)[0].last_commit.oid == first.oid
    assert {e.path for e in api.list_repo_tree(id, revision=revision, recursive=True, expand=True, **R)} >= {"d", "d/e.txt"}
for revision in ["nope", "refs/pr/1", "0" * 40]:
    fails(RevisionNotFoundError, api.space_info, id, revision=revision)
    fails(RevisionNotFoundError, api.list_repo_commits, id, revision=revision, **R)
    fails(RevisionNotFoundError, api.hf_hub_download, id, "d/e.txt", revision=revision, **R)
    assert not api.revision_exists(id, revision, **R)
api.upload_file(path_or_fileobj=b"y", path_in_repo="d/f.txt", repo_id=id, revision="dev", **R)
assert api.file_exists(id, "d/f.txt", revision="dev", **R) and not api.file_exists(id, "d/f.txt", **R)
api.snapshot_download(id, revision="f/x", **R)
fails(HfHubHTTPError, api.delete_branch, id, branch="main", **R)
api.delete_branch(id, branch="f/x", **R)
fails(RevisionNotFoundError, api.delete_branch, id, branch="f/x", **R)
api.delete_tag(id, tag="v1", **R)
fails(RevisionNotFoundError, api.delete_tag, id, tag="v1", **R)
api.super_squash_history(id, **R)
assert len(api.list_repo_commits(id, **R)) == 1
fails(RevisionNotFoundError, api.super_squash_history, id, branch="nope", **R)
"#,
    );
}

#[test]
fn huggingface_hub_moves_and_duplicates() {
    let host = TestHost::start();
    script(
        &host,
        r#"
id = "ada/original"
api.create_repo(id, space_sdk="static", **R)
api.add_space_variable(id, "A", "1")
api.add_space_secret(id, "S", "hidden")
head = api.upload_file(path_or_fileobj=b"x", path_in_repo="e.txt", repo_id=id, **R).oid
copy = api.duplicate_repo(id, "ada/copy", private=True, space_secrets=[{"key": "K", "value": "v"}],
                          space_variables=[{"key": "B", "value": "2"}], **R)
assert copy.repo_id == "ada/copy" and not copy.files_copy_pending
assert api.duplicate_repo(id, "ada/copy", exist_ok=True, **R) == copy
fails(HfHubHTTPError, api.duplicate_repo, id, "ada/copy", **R)
info = api.space_info("ada/copy")
assert info.private and info.sha == head, info
assert api.get_space_variables("ada/copy").keys() == {"A", "B"} and api.get_space_secrets("ada/copy").keys() == {"K"}
fails(RepositoryNotFoundError, api.duplicate_repo, "ada/none", "ada/x", **R)

api.move_repo(id, "ada/renamed", **R)
assert api.space_info(id).id == "ada/renamed"
assert api.get_space_runtime(id).stage.startswith("RUNNING")
api.hf_hub_download(id, "e.txt", **R)
api.upload_file(path_or_fileobj=b"z", path_in_repo="f.txt", repo_id=id, **R)
assert api.file_exists("ada/renamed", "f.txt", **R) and "A" in api.get_space_variables("ada/renamed")
fails(HfHubHTTPError, api.move_repo, "ada/renamed", "ada/copy", **R)
fails(RepositoryNotFoundError, api.move_repo, "ada/none", "ada/x", **R)
api.create_repo(id, space_sdk="static", **R)
assert api.space_info(id).id == id
fails(BadRequestError, api.enable_space_dev_mode, "ada/renamed")
fails(BadRequestError, api.delete_space_volumes, "ada/renamed")
api.delete_repo("ada/renamed", **R)
fails(RepositoryNotFoundError, api.delete_repo, "ada/renamed", **R)
api.delete_repo("ada/renamed", missing_ok=True, **R)
"#,
    );
}

#[test]
fn huggingface_hub_lists_searches_and_likes() {
    let host = TestHost::start();
    for (name, matter) in [
        ("one", "title: Image Upscaler\ntags: [vision, template]\nmodels: [a/m1]"),
        ("two", "title: Words\ndatasets: [a/d1]"),
    ] {
        let space = TestSpace::create(&host, name, "static");
        space.push(
            Files::site(&[]).with("README.md", format!("---\nsdk: static\n{matter}\n---\n")).with("index.html", "x"),
        );
        space.reaches("RUNNING");
    }
    let like = host.client().send("POST", &host.domain(), "/api/spaces/ada/one/like", &[], b"");
    assert_eq!(like.status, 200, "{}", like.text());
    script(
        &host,
        r#"
ids = lambda spaces: [space.id for space in spaces]
assert ids(api.list_spaces(author="ada", sort="created_at")) == ["ada/two", "ada/one"]
assert ids(api.list_spaces(filter="vision")) == ids(api.list_spaces(models="a/m1")) == ["ada/one"]
assert ids(api.list_spaces(datasets="a/d1")) == ids(api.list_spaces(search="WORDS")) == ["ada/two"]
assert len(ids(api.list_spaces(linked=True))) == 2 and ids(api.list_spaces(sort="likes", limit=1)) == ["ada/one"]
full = next(iter(api.list_spaces(full=True, filter="vision")))
assert full.card_data.title == "Image Upscaler" and "index.html" in [s.rfilename for s in full.siblings]
assert next(iter(api.list_spaces(expand=["likes"], filter="vision"))).likes == 1
fails(BadRequestError, api.list_spaces, sort="price")
assert [user.username for user in api.list_repo_likers("ada/one", **R)] == ["ada"]
assert api.list_liked_repos().spaces == ["ada/one"]
api.unlike("ada/one", **R)
assert api.list_liked_repos().spaces == []
assert api.get_user_overview("ada").num_spaces == 2
fails(HfHubHTTPError, api.get_organization_overview, "nobody")
assert [found.id for found in api.search_spaces("upscaler image")] == ["ada/one"]
assert [template.repo_id for template in api.list_space_templates()] == ["ada/one"]
assert api.get_zero_gpu_quota().base == 0
fails(HfHubHTTPError, HfApi(token=False).get_zero_gpu_quota)
api.create_repo("ada/three", space_sdk="static", space_template="ada/one", **R)
assert api.space_info("ada/three").card_data.title == "Image Upscaler"
assert list(api.get_repo_discussions("ada/one", **R)) == []
"#,
    );
}

#[test]
fn hf_repos_has_all_its_verbs() {
    let host = TestHost::start();
    let space = ["--repo-type", "space"];
    let ok = |args: &[&str]| hf_ok(&host, &[args, &space].concat());
    ok(&["repos", "create", "ada/cli", "--space-sdk", "static"]);
    ok(&["repos", "branch", "create", "ada/cli", "dev"]);
    ok(&["repos", "tag", "create", "ada/cli", "v1", "-m", "hello"]);
    assert!(ok(&["repos", "tag", "list", "ada/cli"]).contains("refs/tags/v1"));
    ok(&["repos", "tag", "delete", "ada/cli", "v1", "--yes"]);
    ok(&["repos", "branch", "delete", "ada/cli", "dev"]);
    assert!(!hf(&host, &["repos", "branch", "delete", "ada/cli", "main", "--repo-type", "space"]).status.success());
    let file = host.scratch().join("x.txt");
    std::fs::write(&file, "x").unwrap();
    ok(&["upload", "ada/cli", file.to_str().unwrap(), "x.txt", "--revision", "feature"]);
    ok(&["download", "ada/cli", "--revision", "feature"]);
    ok(&["repos", "delete-files", "ada/cli", "x.txt", "--revision", "feature"]);
    ok(&["repos", "duplicate", "ada/cli", "ada/cli2"]);
    ok(&["repos", "move", "ada/cli2", "ada/cli3"]);
    ok(&["repos", "settings", "ada/cli3", "--private"]);
    assert!(hf_ok(&host, &["spaces", "info", "ada/cli3"]).contains("ada/cli3"));
    assert!(hf_ok(&host, &["spaces", "list", "--author", "ada", "--format", "json"]).contains("ada/cli3"));
    assert!(!hf(&host, &["spaces", "dev-mode", "ada/cli3"]).status.success());
    ok(&["repos", "delete", "ada/cli3", "--yes"]);
    ok(&["repos", "delete", "ada/cli3", "--yes", "--missing-ok"]);
}

#[test]
fn going_back_to_a_release_fails_no_request_and_survives_a_crash() {
    let mut host = TestHost::start();
    let (hello, echo) = (guest("hello"), guest("echo"));
    assert_ne!(hello, echo);
    let first = {
        let space = TestSpace::create(&host, "back", "wasm");
        let first = space.push(Files::guest("hello", ""));
        space.serves(&first);
        let second = space.push(Files::guest("echo", ""));
        space.serves(&second);
        let releases = space.api("GET", "/releases", &[], &[]).json();
        let number = |commit: &str| {
            let all = releases["items"].as_array().unwrap();
            all.iter().find(|release| release["revision"] == commit).unwrap()["number"].as_u64().unwrap()
        };
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let visitor = scope.spawn(|| {
                let mut statuses = Vec::new();
                while !is_over.load(Ordering::SeqCst) {
                    statuses.push(space.get("/").status);
                }
                statuses
            });
            let runtime = space.post(&format!("/releases/{}/rollback", number(&first)), Value::Null);
            assert_eq!((&runtime["stage"], &runtime["sha"]), (&json!("RUNNING"), &json!(first)));
            is_over.store(true, Ordering::SeqCst);
            let statuses = visitor.join().unwrap();
            assert!(!statuses.is_empty() && statuses.iter().all(|status| *status == 200), "{statuses:?}");
        });
        first
    };
    host.kill();
    host.boot();
    let space = TestSpace::named(&host, "back", "");
    space.serves(&first);
    let newer = space.push(Files::guest("echo", "").with("newer.txt", "1"));
    space.serves(&newer);
}

#[test]
fn a_moved_space_answers_at_its_new_host() {
    let mut host = TestHost::start();
    {
        let space = TestSpace::create(&host, "old", "static");
        space.push(Files::site(&[("index.html", "<head></head>here")]));
        space.reaches("RUNNING");
        let body = json!({ "fromRepo": "ada/old", "toRepo": "ada/new", "type": "space" }).to_string();
        let headers = [("content-type", "application/json")];
        let moved = host.client().send("POST", &host.domain(), "/api/repos/move", &headers, body.as_bytes());
        assert_eq!(moved.status, 200, "{}", moved.text());
        assert_eq!(space.get("/").status, 404);
        let old = space.api("GET", "/tree/main?recursive=true", &[], &[]);
        assert_eq!((old.status, old.header("location")), (307, Some("/api/spaces/ada/new/tree/main?recursive=true")));
        assert!(TestSpace::named(&host, "new", ".static").get("/").text().contains("here"));
    }
    host.kill();
    host.boot();
    assert!(TestSpace::named(&host, "new", ".static").get("/").text().contains("here"));
    assert_eq!(TestSpace::named(&host, "old", ".static").api("GET", "", &[], &[]).status, 307);
}

#[test]
fn the_operator_sets_the_quotas() {
    let host = TestHost::start_with("[rate_limits]\napi = 3\n");
    let call = |path: &str| host.client().get(&host.domain(), path);
    for left in [2, 1, 0] {
        let answer = call("/api/spaces");
        assert!(answer.header("ratelimit").unwrap().starts_with(&format!("\"api\";r={left};t=")), "{answer:?}");
    }
    let refused = call("/api/spaces");
    assert_eq!((refused.status, refused.header("x-error-code")), (429, Some("TooManyRequests")));
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() <= 300);
    assert_eq!(call("/").status, 200);
}

#[test]
fn an_address_with_a_pass_opens_a_private_space() {
    let host = TestHost::start();
    let space = TestSpace::create(&host, "hidden", "static");
    space.push(Files::site(&[("index.html", "<head></head>secret"), ("a.txt", "too")]));
    space.reaches("RUNNING");
    let settings = space.api("PUT", "/settings", &[("content-type", "application/json")], br#"{"private":true}"#);
    assert_eq!(settings.status, 200, "{}", settings.text());
    assert_eq!(space.get("/").status, 404);
    let pass = space.api("GET", "/jwt", &[], &[]).json()["token"].as_str().unwrap().to_owned();
    let page = space.get(&format!("/?__sign={pass}"));
    assert!(page.status == 200 && page.text().contains("secret"), "{page:?}");
    let cookie = page.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(space.send("GET", "/a.txt", &[("cookie", &cookie)], &[]).text(), "too");
    assert_eq!(space.get(&format!("/?__sign={pass}x")).status, 404);
}
