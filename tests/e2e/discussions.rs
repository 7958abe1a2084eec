//! Discussions and pull requests by the official client and by git, as two people use them: one who owns the Space and one
//! who does not.

use serde_json::{Value, json};
use spaceport_tests::git::git;
use spaceport_tests::python::hf_ok;
use spaceport_tests::{Files, TestHost, TestSpace};

use crate::hub_api::script;

/// A token that writes, of a user who owns nothing.
fn bob(host: &TestHost) -> String {
    host.run(&["user", "create", "bob"]);
    host.run(&["token", "create", "--user", "bob", "--role", "write"]).trim().to_owned()
}

#[test]
fn huggingface_hub_talks_and_merges() {
    let host = TestHost::start();
    let bob = bob(&host);
    script(&host, &format!("BOB = {bob:?}\n{SCRIPT}"));
}

const SCRIPT: &str = r#"
import warnings
from huggingface_hub import CommitOperationAdd, CommitOperationDelete
bob, id = HfApi(token=BOB), "ada/talk"
api.create_repo(id, space_sdk="static", **R)

d = bob.create_discussion(id, title="  It does not load  ", description="at all", **R)
assert (d.num, d.title, d.status, d.author, d.is_pull_request) == (1, "It does not load", "open", "bob", False), d
assert d.events[0].content == "at all" and d.diff is None and d.conflicting_files is None and d.git_reference is None
assert d.url.endswith("/spaces/ada/talk/discussions/1")
said = api.comment_discussion(id, 1, comment="since *when*?", **R)
assert (said.type, said.author, said.content, said.edited, said.hidden) == ("comment", "ada", "since *when*?", False, False)
assert "since <em>when</em>?" in said.rendered
edited = api.edit_discussion_comment(id, 1, said.id.upper(), new_content="since when?", **R)
assert (edited.id, edited.edited, edited.number_of_edits, edited.last_edited_by) == (said.id, True, 1, "ada")
assert edited.edit_history[0]["raw"] == "since *when*?" and edited.last_edited_at >= edited.created_at
fails(HfHubHTTPError, bob.edit_discussion_comment, id, 1, said.id, new_content="x", **R)
renamed = bob.rename_discussion(id, 1, new_title="It loads slowly", **R)
assert (renamed.old_title, renamed.new_title) == ("It does not load", "It loads slowly")
closed = api.change_discussion_status(id, 1, new_status="closed", comment="done", **R)
assert closed.new_status == "closed"
fails(BadRequestError, api.change_discussion_status, id, 1, new_status="closed", **R)
bob.change_discussion_status(id, 1, new_status="open", **R)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    hidden = api.hide_discussion_comment(id, 1, said.id, **R)
assert hidden.hidden and hidden.content == ""
fails(BadRequestError, api.edit_discussion_comment, id, 1, said.id, new_content="x", **R)
events = [e.type for e in api.get_discussion_details(id, 1, **R).events]
assert events == ["comment", "comment", "title-change", "comment", "status-change", "status-change"], events

draft = bob.create_pull_request(id, title="A new page", **R)
assert (draft.num, draft.status, draft.is_pull_request, draft.git_reference) == (2, "draft", True, "refs/pr/2"), draft
assert draft.target_branch == "refs/heads/main" and draft.merge_commit_oid is None and draft.conflicting_files == []
added = bob.upload_file(path_or_fileobj=b"new", path_in_repo="new.html", repo_id=id, revision="refs/pr/2", **R)
assert api.list_repo_refs(id, include_pull_requests=True, **R).pull_requests[0].target_commit == added.oid
assert api.file_exists(id, "new.html", revision="refs/pr/2", **R) and not api.file_exists(id, "new.html", **R)
seen = api.get_discussion_details(id, 2, **R)
assert (seen.events[-1].type, seen.events[-1].oid, seen.events[-1].author) == ("commit", added.oid, "bob"), seen.events
assert "+++ b/new.html" in seen.diff
fails(HfHubHTTPError, bob.merge_pull_request, id, 2, **R)
assert "draft" in fails(BadRequestError, api.merge_pull_request, id, 2, **R)
bob.change_discussion_status(id, 2, new_status="open", **R)
api.merge_pull_request(id, 2, comment="well done", **R)
merged = bob.get_discussion_details(id, 2, **R)
assert merged.status == "merged" and merged.merge_commit_oid == api.space_info(id).sha, merged
assert [e.type for e in merged.events[-2:]] == ["comment", "status-change"] and merged.events[-1].new_status == "merged"
assert api.file_exists(id, "new.html", **R)
assert [c.title for c in api.list_repo_commits(id, **R)][0] == "A new page (#2)"

fails(HfHubHTTPError, bob.upload_file, path_or_fileobj=b"x", path_in_repo="x", repo_id=id, **R)
made = bob.create_commit(id, operations=[CommitOperationAdd("index.html", b"theirs"), CommitOperationDelete("style.css")],
                         commit_message="Mine", commit_description="better", create_pr=True, **R)
assert (made.pr_num, made.pr_revision) == (3, "refs/pr/3") and made.pr_url.endswith("/spaces/ada/talk/discussions/3")
api.upload_file(path_or_fileobj=b"ours", path_in_repo="index.html", repo_id=id, **R)
before = api.get_discussion_details(id, 3, **R)
assert before.conflicting_files == ["index.html"] and before.events[0].content == "better" and before.title == "Mine"
head = api.space_info(id).sha
assert "index.html" in fails(HfHubHTTPError, api.merge_pull_request, id, 3, **R)
assert api.space_info(id).sha == head and api.get_discussion_details(id, 3, **R) == before
bob.upload_file(path_or_fileobj=b"ours", path_in_repo="index.html", repo_id=id, revision="refs/pr/3", **R)
api.merge_pull_request(id, 3, **R)
assert not api.file_exists(id, "style.css", **R)

nums = lambda **more: [d.num for d in api.get_repo_discussions(id, **R, **more)]
assert nums() == [3, 2, 1] and nums(discussion_type="pull_request") == [3, 2] and nums(discussion_type="discussion") == [1]
assert nums(discussion_status="open") == [1] and nums(discussion_status="closed") == [3, 2]
assert nums(author="bob") == [3, 2, 1] and nums(author="ada") == [] and nums(author="nobody") == []
for number in range(60):
    api.create_discussion(id, title=f"Talk {number}", **R)
assert nums() == list(range(63, 0, -1))
fails(BadRequestError, api.create_discussion, id, title="ab", **R)
fails(HfHubHTTPError, api.get_discussion_details, id, 99, **R)
anyone = HfApi(token=False)
assert anyone.get_discussion_details(id, 1, **R).num == 1
fails(HfHubHTTPError, anyone.create_discussion, id, title="hello", token=False, **R)

api.move_repo(id, "ada/moved", **R)
assert len(list(api.get_repo_discussions("ada/moved", **R))) == 63
api.update_repo_settings("ada/moved", private=True, **R)
fails(RepositoryNotFoundError, bob.get_repo_discussions, "ada/moved", **R)
fails(RepositoryNotFoundError, bob.create_discussion, "ada/moved", title="hello", **R)
"#;

#[test]
fn hf_discussions_has_its_verbs() {
    let host = TestHost::start();
    TestSpace::create(&host, "cli", "static");
    let ok = |args: &[&str]| hf_ok(&host, &[&["discussions"], args, &["--repo-type", "space"]].concat());
    ok(&["create", "ada/cli", "--title", "Hello there", "--body", "a body"]);
    ok(&["comment", "ada/cli", "1", "--body", "and more"]);
    ok(&["rename", "ada/cli", "1", "Good evening"]);
    assert!(ok(&["list", "ada/cli"]).contains("Good evening"));
    assert!(ok(&["info", "ada/cli", "1"]).contains("Good evening"));
    ok(&["close", "ada/cli", "1", "--yes"]);
    ok(&["reopen", "ada/cli", "1", "--yes"]);
    let file = host.scratch().join("x.txt");
    std::fs::write(&file, "proposed").unwrap();
    let file = file.to_str().unwrap();
    hf_ok(&host, &["upload", "ada/cli", file, "x.txt", "--repo-type", "space", "--create-pr"]);
    assert!(ok(&["diff", "ada/cli", "2"]).contains("+proposed"));
    ok(&["merge", "ada/cli", "2", "--yes"]);
    assert!(ok(&["list", "ada/cli", "--status", "merged"]).contains("x.txt"));
}

#[test]
fn a_merged_pull_request_is_served_and_survives_a_crash() {
    let mut host = TestHost::start();
    let bob = bob(&host);
    let head = {
        let space = host.push("page", Files::site(&[("index.html", "<head></head>before")]));
        space.reaches("RUNNING");
        let url = host.hub().replacen("://", &format!("://bob:{bob}@"), 1) + "/spaces/ada/page";
        let clone = host.scratch().join("clone");
        git(&host, host.scratch(), &["clone", "--quiet", &url, clone.to_str().unwrap()]).ok();
        let body = json!({ "title": "After", "description": "", "pullRequest": true }).to_string();
        let headers = [("content-type", "application/json"), ("authorization", &*format!("Bearer {bob}"))];
        let opened =
            host.visitor().send("POST", &host.domain(), "/api/spaces/ada/page/discussions", &headers, body.as_bytes());
        assert_eq!((opened.status, &opened.json()["num"]), (200, &json!(1)), "{}", opened.text());
        spaceport_tests::git::commit(&host, &clone, "index.html", "<head></head>after");
        git(&host, &clone, &["push", "--quiet", "origin", "main"]).refused(&["owner"]);
        git(&host, &clone, &["push", "--quiet", "origin", "HEAD:refs/pr/1"]).ok();
        space.post("/discussions/1/status", json!({ "status": "open" }));
        let merged: Value = space.post("/discussions/1/merge", json!({}));
        merged["mergeCommitId"].as_str().unwrap().to_owned()
    };
    host.kill();
    host.boot();
    let space = TestSpace::named(&host, "page", ".static");
    space.serves(&head);
    assert!(space.get("/").text().contains("after"));
    let found = space.api("GET", "/discussions/1?diff=1", &[], &[]).json();
    assert_eq!((&found["status"], &found["changes"]["mergeCommitId"]), (&json!("merged"), &json!(head)));
}
