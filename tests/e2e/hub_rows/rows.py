"""Every call of the official client that concerns Spaces, one row each, against a started host.

Prints a table, call by call; a red row has its reason. Ends with 1 if a row is red. A row that the installed client has
no call for is left out, and said so.
"""

import inspect
import io
import os
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request
from pathlib import Path

import huggingface_hub
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi
from huggingface_hub import errors as E

api = HfApi()
R = dict(repo_type="space")
ENDPOINT, TOKEN = os.environ["HF_ENDPOINT"], os.environ["HF_TOKEN"]
ID, APP = "ada/rows", "ada/app"
ROWS = []


class Absent(Exception):
    """The installed client has no such call."""


def row(section, call):
    def add(function):
        ROWS.append((section, call, function))
        return function

    return add


def method(name, *older):
    for name in (name, *older):
        if hasattr(api, name):
            return getattr(api, name)
    raise Absent(name)


def takes(function, *names):
    """The function, if it takes these arguments."""
    for name in names:
        if name not in inspect.signature(function).parameters:
            raise Absent(name)
    return function


def fails(kind, function, *args, **more):
    try:
        result = function(*args, **more)
        list(result) if hasattr(result, "__next__") else result
    except kind as error:
        return str(error)
    raise AssertionError("it did not fail")


def hf(*args, ok=True, env=None):
    program = Path(sys.executable).with_name("hf")
    done = subprocess.run([program, *args], capture_output=True, text=True, env=env, timeout=120)
    said = done.stdout + done.stderr
    if "No such command" in said or "invalid choice" in said or "No such option" in said:
        raise Absent(" ".join(args))
    assert (done.returncode == 0) == ok, f"hf {' '.join(args)}: {done.returncode}: {said[-600:]}"
    return said


def raw(verb, path, body=None, headers=()):
    """A call that the Python client does not make: (status, headers, text)."""
    request = urllib.request.Request(ENDPOINT + path, method=verb, data=body)
    request.add_header("authorization", f"Bearer {TOKEN}")
    for name, value in headers:
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def equal(seen, expected):
    assert seen == expected, f"{seen!r} is not {expected!r}"


def upload(path, content, repo=ID, **more):
    return api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=repo, **R, **more)


# 18.1 Accounts


@row("18.1", "whoami")
def _():
    me = api.whoami()
    equal((me["name"], me["type"], me["auth"]["accessToken"]["role"]), ("ada", "user", "admin"))
    assert any(org["name"] == "lab" and org["roleInOrg"] == "admin" for org in me["orgs"]), me["orgs"]


@row("18.1", "whoami, wrong token")
def _():
    assert "nvalid user token" in fails(Exception, HfApi(token="hf_wrong").whoami)


@row("18.1", "get_user_overview")
def _():
    overview = api.get_user_overview("ada")
    equal(overview.username, "ada")
    equal(api.get_user_overview(api.whoami()["id"]).username, "ada")


@row("18.1", "get_organization_overview")
def _():
    equal(method("get_organization_overview")("lab").name, "lab")


@row("18.1", "list_organization_members")
def _():
    equal([member.username for member in api.list_organization_members("lab")], ["ada"])


@row("18.1", "list_organization_followers")
def _():
    equal(list(method("list_organization_followers")("lab")), [])


@row("18.1", "list_user_followers, list_user_following")
def _():
    equal((list(api.list_user_followers("ada")), list(api.list_user_following("ada"))), ([], []))


@row("18.1", "hf auth whoami")
def _():
    assert "ada" in hf("auth", "whoami")


@row("18.1", "hf auth login, logout")
def _():
    env = {name: value for name, value in os.environ.items() if name != "HF_TOKEN"}
    hf("auth", "login", "--token", TOKEN, env=env)
    assert "ada" in hf("auth", "whoami", env=env)
    hf("auth", "logout", env=env)


# 18.2 Create, delete, move, settings


@row("18.2", "create_repo, all options")
def _():
    url = api.create_repo(
        ID,
        space_sdk="static",
        space_hardware="cpu-basic",
        space_secrets=[dict(key="S", value="hidden", description="d")],
        space_variables=[dict(key="V", value="1")],
        **R,
    )
    equal((str(url), url.repo_id, url.repo_type), (f"{ENDPOINT}/spaces/{ID}", ID, "space"))


@row("18.2", "create_repo, exist_ok and conflict")
def _():
    equal(api.create_repo(ID, space_sdk="static", exist_ok=True, **R).repo_id, ID)
    assert "already" in fails(E.HfHubHTTPError, api.create_repo, ID, space_sdk="static", **R)


@row("18.2", "create_repo, private")
def _():
    api.create_repo("ada/hidden", space_sdk="static", private=True, **R)
    assert api.space_info("ada/hidden").private
    fails(E.RepositoryNotFoundError, HfApi(token=False).space_info, "ada/hidden")


@row("18.2", "create_repo, visibility=protected")
def _():
    takes(api.create_repo, "visibility")("ada/half", space_sdk="static", visibility="protected", **R)
    fails(E.RepositoryNotFoundError, HfApi(token=False).space_info, "ada/half")


@row("18.2", "create_repo, in an organization")
def _():
    equal(api.create_repo("lab/shared", space_sdk="static", **R).repo_id, "lab/shared")
    equal(api.space_info("lab/shared").author, "lab")


@row("18.2", "create_repo, in another's namespace")
def _():
    fails(E.HfHubHTTPError, api.create_repo, "nobody-here/x", space_sdk="static", **R)


@row("18.2", "create_repo, unknown sdk and hardware")
def _():
    assert "warp" in fails(E.HfHubHTTPError, api.create_repo, "ada/no", space_sdk="static", space_hardware="warp", **R)
    fails((E.HfHubHTTPError, ValueError), api.create_repo, "ada/no", space_sdk="cobol", **R)
    assert not api.repo_exists("ada/no", **R)


@row("18.2", "move_repo")
def _():
    api.create_repo("ada/old-name", space_sdk="static", **R)
    api.move_repo("ada/old-name", "ada/new-name", **R)
    equal(api.space_info("ada/old-name").id, "ada/new-name")


@row("18.2", "move_repo, into an organization")
def _():
    api.move_repo("ada/new-name", "lab/new-name", **R)
    equal(api.space_info("lab/new-name").author, "lab")


@row("18.2", "delete_repo, missing_ok")
def _():
    api.delete_repo("lab/new-name", **R)
    assert not api.repo_exists("lab/new-name", **R)
    fails(E.RepositoryNotFoundError, api.delete_repo, "lab/new-name", **R)
    api.delete_repo("lab/new-name", missing_ok=True, **R)


@row("18.2", "update_repo_settings, private")
def _():
    api.update_repo_settings("ada/hidden", private=False, **R)
    assert not api.space_info("ada/hidden").private
    api.update_repo_settings("ada/hidden", private=True, **R)
    assert api.space_info("ada/hidden").private


@row("18.2", "list_user_repos (GET /api/settings/repositories)")
def _():
    assert ID in {repo.id for repo in method("list_user_repos")()}


@row("18.2", "duplicate")
def _():
    if hasattr(api, "duplicate_repo"):
        copy = api.duplicate_repo(ID, "ada/copy", private=True, space_secrets=[dict(key="K", value="v")], **R)
    else:
        copy = api.duplicate_space(ID, "ada/copy", private=True, secrets=[dict(key="K", value="v")])
    equal(copy.repo_id, "ada/copy")
    info = api.space_info("ada/copy")
    assert info.private and info.sha == api.space_info(ID).sha, info
    assert "V" in api.get_space_variables("ada/copy")


@row("18.2", "duplicate, exist_ok")
def _():
    duplicate = method("duplicate_repo", "duplicate_space")
    more = R if duplicate.__name__ == "duplicate_repo" else {}
    equal(duplicate(ID, "ada/copy", exist_ok=True, **more).repo_id, "ada/copy")
    fails(E.HfHubHTTPError, duplicate, ID, "ada/copy", **more)


# 18.6 Uploading


@row("18.6", "upload_file")
def _():
    done = upload("d/e.txt", b"x")
    equal(done.oid, api.space_info(ID).sha)
    assert done.commit_url.startswith(f"{ENDPOINT}/spaces/{ID}/commit/"), done.commit_url


@row("18.6", "upload_file, the same again")
def _():
    before = api.space_info(ID).sha
    equal((upload("d/e.txt", b"x").oid, api.space_info(ID).sha), (before, before))


@row("18.6", "upload_folder, patterns and deletions")
def _():
    with tempfile.TemporaryDirectory() as folder:
        for name in ["a.txt", "b.txt", "c.log", "index.html"]:
            Path(folder, name).write_text(f"<head></head>{name}")
        api.upload_folder(repo_id=ID, folder_path=folder, ignore_patterns="*.log", delete_patterns="d/*", **R)
    files = set(api.list_repo_files(ID, **R))
    assert {"a.txt", "b.txt"} <= files and not {"c.log", "d/e.txt"} & files, files


@row("18.6", "create_commit, parent_commit")
def _():
    head = api.space_info(ID).sha
    operations = [CommitOperationAdd("p.txt", b"1"), CommitOperationDelete("b.txt")]
    api.create_commit(ID, operations, commit_message="both", parent_commit=head, **R)
    refused = fails(E.HfHubHTTPError, api.create_commit, ID, [CommitOperationAdd("p.txt", b"2")],
                    commit_message="late", parent_commit=head, **R)
    assert "412" in refused, refused


@row("18.6", "create_commit, bad front matter")
def _():
    for front in [b"sdk: cobol", b"sdk: ["]:
        fails((ValueError, E.HfHubHTTPError), upload, "README.md", b"---\n" + front + b"\n---\n")


@row("18.6", "delete_file, delete_files, delete_folder")
def _():
    upload("x/1", b"1"), upload("x/2", b"2"), upload("y", b"y")
    api.delete_file("y", ID, **R)
    api.delete_files(ID, ["p.*"], **R)
    api.delete_folder("x", ID, **R)
    assert not {"y", "p.txt", "x/1"} & set(api.list_repo_files(ID, **R))
    fails(E.EntryNotFoundError, api.delete_file, "y", ID, **R)


@row("18.6", "upload_file to a revision")
def _():
    api.create_branch(ID, branch="work", **R)
    upload("w.txt", b"w", revision="work")
    assert api.file_exists(ID, "w.txt", revision="work", **R) and not api.file_exists(ID, "w.txt", **R)


@row("18.6", "hf upload")
def _():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "README.md").write_text("---\ntitle: By hand\nsdk: static\n---\n")
        Path(folder, "index.html").write_text("<head></head>by hf")
        hf("upload", "ada/by-hand", folder, ".", "--repo-type", "space")
    assert api.file_exists("ada/by-hand", "index.html", **R)


# 18.7 LFS


@row("18.7", "large file by LFS, and back")
def _():
    content = os.urandom(1 << 20) * 130
    upload("blob.bin", content)
    info = api.get_paths_info(ID, "blob.bin", **R)[0]
    equal((info.size, info.lfs.size), (len(content), len(content)))
    assert Path(api.hf_hub_download(ID, "blob.bin", **R)).read_bytes() == content


@row("18.7", "copy of a large file (CommitOperationCopy)")
def _():
    api.create_commit(ID, [CommitOperationCopy("blob.bin", "copied.bin")], commit_message="copy", **R)
    found = {info.path: info.lfs.sha256 for info in api.get_paths_info(ID, ["blob.bin", "copied.bin"], **R)}
    equal(found["blob.bin"], found["copied.bin"])


@row("18.7", "list_lfs_files")
def _():
    assert "blob.bin" in {file.filename for file in api.list_lfs_files(ID, **R)}


@row("18.7", "permanently_delete_lfs_files: refused in words")
def _():
    files = list(api.list_lfs_files(ID, **R))
    assert "older revisions" in fails(E.BadRequestError, api.permanently_delete_lfs_files, ID, files, **R)


# 18.3 Reading


@row("18.3", "space_info")
def _():
    info = api.space_info(ID, files_metadata=True)
    equal((info.id, info.author, info.sdk, info.private), (ID, "ada", "static", False))
    assert info.host.startswith("http") and info.subdomain in info.host and info.card_data is not None, info
    assert all(sibling.size is not None and sibling.blob_id for sibling in info.siblings), info.siblings


@row("18.3", "space_info, every expand")
def _():
    names = ["author", "cardData", "createdAt", "datasets", "disabled", "lastModified", "likes", "models", "private",
             "runtime", "sdk", "sha", "siblings", "subdomain", "tags", "trendingScore", "usedStorage"]
    for name in names:
        api.space_info(ID, expand=[name])
    info = api.space_info(ID, expand=names)
    assert info.sha and info.runtime.stage and info.author is not None, info


@row("18.3", "space_info, revisions and absences")
def _():
    equal(api.space_info(ID, revision="main").sha, api.space_info(ID).sha)
    fails(E.RevisionNotFoundError, api.space_info, ID, revision="absent")
    fails(E.RepositoryNotFoundError, api.space_info, "ada/absent")


@row("18.3", "repo_info, repo_exists, file_exists, revision_exists")
def _():
    equal(api.repo_info(ID, **R).id, ID)
    equal((api.repo_exists(ID, **R), api.repo_exists("ada/absent", **R)), (True, False))
    equal((api.file_exists(ID, "a.txt", **R), api.file_exists(ID, "absent", **R)), (True, False))
    equal((api.revision_exists(ID, "main", **R), api.revision_exists(ID, "absent", **R)), (True, False))


@row("18.3", "list_spaces: author, search, sort, limit, full, expand")
def _():
    equal({space.author for space in api.list_spaces(author="ada")}, {"ada"})
    assert ID in {space.id for space in api.list_spaces(search="rows", full=True)}
    for sort in ["created_at", "last_modified", "likes", "trending_score"]:
        equal(len(list(api.list_spaces(sort=sort, limit=2))), 2)
    assert next(iter(api.list_spaces(author="ada", expand=["runtime", "sdk"]))).runtime.stage


@row("18.3", "list_spaces: models, datasets, linked, filter")
def _():
    upload("README.md", b"---\ntitle: Rows\nsdk: static\nmodels: [org/model]\ndatasets: [org/data]\ntags: [demo]\n---\n")
    method("wait_for_space")(ID, timeout=60) if hasattr(api, "wait_for_space") else time.sleep(5)
    for more in [dict(models="org/model"), dict(datasets="org/data"), dict(models="org/model", linked=True), dict(filter="demo")]:
        assert ID in {space.id for space in api.list_spaces(**more)}, more
    equal(list(api.list_spaces(models="org/other")), [])
    info = api.space_info(ID)
    equal((info.models, info.datasets), (["org/model"], ["org/data"]))


@row("18.3", "list_spaces, space_info: models and datasets that the code names")
def _():
    upload("README.md", b"---\ntitle: Rows\nsdk: static\n---\n")
    upload("code.py", b"from datasets import load_dataset\nload_dataset('org/read-data')\nX.from_pretrained('org/read-model')\n")
    method("wait_for_space")(ID, timeout=60) if hasattr(api, "wait_for_space") else time.sleep(5)
    for more in [dict(models="org/read-model"), dict(datasets="org/read-data", linked=True)]:
        assert ID in {space.id for space in api.list_spaces(**more)}, more
    info = api.space_info(ID)
    equal((info.models, info.datasets), (["org/read-model"], ["org/read-data"]))


@row("18.3", "search_spaces")
def _():
    search = method("search_spaces")
    assert ID in {found.id for found in search("rows", include_non_running=True)}


@row("18.3", "list_space_templates, list_spaces_hardware")
def _():
    assert all(template.sdk for template in method("list_space_templates")())
    assert "cpu-basic" in {hardware.name for hardware in method("list_spaces_hardware")()}


@row("18.3", "auth_check")
def _():
    api.auth_check(ID, **R)
    fails(E.RepositoryNotFoundError, api.auth_check, "ada/absent", **R)


@row("18.3", "likes")
def _():
    equal(raw("POST", f"/api/spaces/{ID}/like")[0], 200)
    assert ID in api.list_liked_repos("ada").spaces
    equal([user.username for user in api.list_repo_likers(ID, **R)], ["ada"])
    api.unlike(ID, **R)
    equal(list(api.list_repo_likers(ID, **R)), [])


@row("18.3", "host, by-subdomain, jwt (JS client)")
def _():
    import json

    host = json.loads(raw("GET", f"/api/spaces/{ID}/host")[2])
    equal(json.loads(raw("GET", f"/api/spaces/by-subdomain/{host['subdomain']}")[2])["id"], ID)
    assert json.loads(raw("GET", f"/api/spaces/{ID}/jwt")[2])["token"]


# 18.4 Runtime and control


@row("18.4", "get_space_runtime, wait_for_space")
def _():
    assert api.get_space_runtime(ID).stage
    equal(method("wait_for_space")(ID, timeout=60).stage, "RUNNING")


@row("18.4", "add, get and delete variables")
def _():
    api.add_space_variable(ID, "MODEL", "one", description="which")
    equal(api.get_space_variables(ID)["MODEL"].value, "one")
    assert "MODEL" not in api.delete_space_variable(ID, "MODEL")


@row("18.4", "add, get and delete secrets")
def _():
    api.add_space_secret(ID, "KEY", "hidden", description="for it")
    if hasattr(api, "get_space_secrets"):
        equal(api.get_space_secrets(ID)["KEY"].description, "for it")
    api.delete_space_secret(ID, "KEY")
    api.delete_space_secret(ID, "KEY")


@row("18.4", "request_space_hardware, set_space_sleep_time")
def _():
    api.create_repo(APP, space_sdk="gradio", **R)
    equal(api.request_space_hardware(APP, "cpu-upgrade", sleep_time=3600).requested_hardware, "cpu-upgrade")
    equal(api.set_space_sleep_time(APP, 7200).sleep_time, 7200)
    equal(api.request_space_hardware(APP, "cpu-basic").requested_hardware, "cpu-basic")
    assert "warp" in fails(E.HfHubHTTPError, api.request_space_hardware, APP, "warp")


@row("18.4", "pause_space, restart_space")
def _():
    equal(api.pause_space(APP).stage, "PAUSED")
    assert api.restart_space(APP).stage != "PAUSED"
    api.restart_space(APP, factory_reboot=True)
    fails(E.BadRequestError, api.pause_space, ID)


@row("18.4", "fetch_space_logs")
def _():
    text = "".join(method("fetch_space_logs")(ID, build=True))
    assert "Building" in text, text


@row("18.4", "storage")
def _():
    if hasattr(api, "request_space_storage"):
        equal(api.request_space_storage(APP, "small").storage, "small")
        assert api.delete_space_storage(APP).storage is None
    else:
        raise Absent("request_space_storage")


@row("18.4", "volumes: refused in words")
def _():
    assert "olume" in fails(E.BadRequestError, method("delete_space_volumes"), ID)


@row("18.4", "dev mode: refused in words")
def _():
    assert "ev mode" in fails(E.BadRequestError, method("enable_space_dev_mode"), ID)


# 18.5 Git data


@row("18.5", "list_repo_tree, get_paths_info, list_repo_files")
def _():
    upload("t/u/v.txt", b"v")
    equal({entry.path for entry in api.list_repo_tree(ID, "t", recursive=True, expand=True, **R)}, {"t/u", "t/u/v.txt"})
    equal([entry.path for entry in api.get_paths_info(ID, ["t", "absent", "a.txt"], **R)], ["t", "a.txt"])
    fails(E.EntryNotFoundError, api.list_repo_tree, ID, "absent", **R)


@row("18.5", "list_repo_commits")
def _():
    commits = api.list_repo_commits(ID, formatted=True, **R)
    equal((commits[0].commit_id, commits[-1].title), (api.space_info(ID).sha, "initial commit"))


@row("18.5", "branches, tags, refs")
def _():
    api.create_branch(ID, branch="b/1", **R)
    fails(E.HfHubHTTPError, api.create_branch, ID, branch="b/1", **R)
    api.create_tag(ID, tag="v1", tag_message="first", **R)
    refs = api.list_repo_refs(ID, include_pull_requests=True, **R)
    assert {"b/1", "main"} <= {branch.name for branch in refs.branches} and refs.tags[0].name == "v1", refs
    api.delete_branch(ID, branch="b/1", **R)
    api.delete_tag(ID, tag="v1", **R)


@row("18.5", "super_squash_history")
def _():
    api.super_squash_history(ID, branch="work", commit_message="one", **R)
    equal([commit.title for commit in api.list_repo_commits(ID, revision="work", **R)], ["one"])


# 18.8 Downloading


@row("18.8", "hf_hub_download, cached absence, metadata")
def _():
    equal(Path(api.hf_hub_download(ID, "a.txt", **R)).read_text(), "<head></head>a.txt")
    fails(E.EntryNotFoundError, api.hf_hub_download, ID, "absent", **R)
    fails(E.RevisionNotFoundError, api.hf_hub_download, ID, "a.txt", revision="absent", **R)
    meta = api.get_hf_file_metadata(url=huggingface_hub.hf_hub_url(ID, "a.txt", **R))
    equal((meta.commit_hash, meta.size), (api.space_info(ID).sha, len("<head></head>a.txt")))


@row("18.8", "snapshot_download")
def _():
    folder = Path(api.snapshot_download(ID, ignore_patterns="*.bin", **R))
    assert (folder / "t/u/v.txt").read_text() == "v" and not (folder / "blob.bin").exists()


@row("18.8", "range requests")
def _():
    status, headers, text = raw("GET", f"/spaces/{ID}/resolve/main/a.txt", headers=[("range", "bytes=0-5")])
    equal((status, text, headers["content-range"]), (206, "<head>", "bytes 0-5/18"))
    equal(raw("GET", f"/spaces/{ID}/resolve/main/a.txt", headers=[("range", "bytes=99-")])[0], 416)


@row("18.8", "SpaceCard.load")
def _():
    equal(huggingface_hub.SpaceCard.load(ID).data.title, "Rows")


@row("18.8", "hf download")
def _():
    assert Path(hf("download", ID, "a.txt", "--repo-type", "space", "--quiet").strip().splitlines()[-1]).exists()


# 18.9 Community and webhooks


@row("18.9", "create_discussion, comment, edit, hide, rename, status")
def _():
    discussion = api.create_discussion(ID, "A question", description="why", **R)
    number = discussion.num
    comment = api.comment_discussion(ID, number, "because", **R)
    equal(comment.content, "because")
    equal(api.edit_discussion_comment(ID, number, comment.id, "edited", **R).content, "edited")
    assert api.hide_discussion_comment(ID, number, comment.id, **R).hidden
    equal(api.rename_discussion(ID, number, "Another question", **R).new_title, "Another question")
    equal(api.change_discussion_status(ID, number, "closed", comment="done", **R).new_status, "closed")
    details = api.get_discussion_details(ID, number, **R)
    equal((details.title, details.status), ("Another question", "closed"))
    kinds = [event.type for event in details.events]
    assert {"comment", "title-change", "status-change"} <= set(kinds), kinds


@row("18.9", "create_pull_request, upload to it, merge")
def _():
    opened = api.create_pull_request(ID, "A change", **R)
    equal((opened.status, opened.is_pull_request, opened.git_reference), ("draft", True, f"refs/pr/{opened.num}"))
    upload("from-pr.txt", b"pr", revision=opened.git_reference)
    api.change_discussion_status(ID, opened.num, "open", **R)
    assert "from-pr.txt" in api.get_discussion_details(ID, opened.num, **R).diff
    api.merge_pull_request(ID, opened.num, **R)
    assert api.file_exists(ID, "from-pr.txt", **R)
    equal(api.get_discussion_details(ID, opened.num, **R).status, "merged")


@row("18.9", "create_commit, create_pr=True")
def _():
    done = upload("proposed.txt", b"p", create_pr=True)
    assert done.pr_num and done.pr_url.endswith(f"/discussions/{done.pr_num}"), done
    assert not api.file_exists(ID, "proposed.txt", **R)
    assert api.file_exists(ID, "proposed.txt", revision=done.pr_revision, **R)
    assert done.pr_revision in {ref.ref for ref in api.list_repo_refs(ID, include_pull_requests=True, **R).pull_requests}


@row("18.9", "get_repo_discussions, filters")
def _():
    everything = list(api.get_repo_discussions(ID, **R))
    requests = list(api.get_repo_discussions(ID, discussion_type="pull_request", **R))
    closed = list(api.get_repo_discussions(ID, discussion_status="closed", **R))
    assert len(requests) < len(everything) and all(found.is_pull_request for found in requests), everything
    assert closed and "open" not in {found.status for found in closed}, closed
    equal(list(api.get_repo_discussions(ID, author="nobody-here", **R)), [])


@row("18.9", "webhooks")
def _():
    watched = [dict(type="user", name="ada")]
    made = api.create_webhook(url="https://example.org/hook", watched=watched, domains=["repo"], secret="s")
    equal(api.get_webhook(made.id).url, "https://example.org/hook")
    assert made.id in {hook.id for hook in api.list_webhooks()}
    assert api.disable_webhook(made.id).disabled and not api.enable_webhook(made.id).disabled
    changed = api.update_webhook(made.id, url="https://example.org/other", watched=watched, domains=["discussion"])
    equal((changed.url, changed.domains), ("https://example.org/other", ["discussion"]))
    api.delete_webhook(made.id)
    fails(E.HfHubHTTPError, api.get_webhook, made.id)


# 18.10 The command line


def cli(*args, words=(), ok=True, name=None):
    @row("18.10", "hf " + (name or " ".join(args)))
    def _():
        said = hf(*args, ok=ok)
        for word in words:
            assert word in said, f"{word!r} is not in {said[-600:]!r}"


cli("spaces", "list", "--author", "ada", "--no-truncate", words=["ada/rows"], name="spaces list")
cli("spaces", "list", ID, words=["README.md"])
cli("spaces", "info", ID, words=["ada/rows"])
cli("spaces", "card", ID, words=["Rows"])
cli("spaces", "templates")
cli("spaces", "search", "rows")
cli("spaces", "hardware", words=["cpu-basic"])
cli("spaces", "zero-gpu", "quota")
cli("spaces", "wait", ID, "--timeout", "60s", name="spaces wait")
cli("spaces", "restart", APP)
cli("spaces", "settings", APP, "--hardware", "cpu-upgrade", "--sleep-time", "3600", name="spaces settings")
cli("spaces", "logs", ID, "--build", words=["Building"])
cli("spaces", "variables", "add", ID, "-e", "CLI=1", name="spaces variables add")
cli("spaces", "variables", "ls", ID, words=["CLI"])
cli("spaces", "variables", "delete", ID, "CLI", "--yes", name="spaces variables delete")
cli("spaces", "secrets", "add", ID, "-s", "CLI_KEY=1", name="spaces secrets add")
cli("spaces", "secrets", "ls", ID, words=["CLI_KEY"])
cli("spaces", "secrets", "delete", ID, "CLI_KEY", "--yes", name="spaces secrets delete")
cli("spaces", "pause", APP)
cli("spaces", "volumes", "ls", ID)
cli("spaces", "dev-mode", ID, ok=False)
cli("repos", "create", "ada/by-cli", "--type", "space", "--space-sdk", "static", name="repos create")
cli("repos", "duplicate", "ada/by-cli", "ada/by-cli-copy", "--type", "space", name="repos duplicate")
cli("repos", "settings", "ada/by-cli", "--private", "--type", "space", name="repos settings")
cli("repos", "branch", "create", "ada/by-cli", "dev", "--type", "space", name="repos branch create")
cli("repos", "branch", "delete", "ada/by-cli", "dev", "--type", "space", name="repos branch delete")
cli("repos", "tag", "create", "ada/by-cli", "v1", "--type", "space", name="repos tag create")
cli("repos", "tag", "list", "ada/by-cli", "--type", "space", words=["v1"], name="repos tag list")
cli("repos", "tag", "delete", "ada/by-cli", "v1", "--type", "space", "--yes", name="repos tag delete")
cli("repos", "delete-files", "ada/by-cli", "style.css", "--type", "space", name="repos delete-files")
cli("repos", "move", "ada/by-cli", "ada/by-cli-moved", "--type", "space", name="repos move")
cli("repos", "delete", "ada/by-cli-moved", "--type", "space", "--yes", name="repos delete")
cli("repos", "list")
cli("discussions", "list", ID, "--type", "space", words=["proposed.txt"], name="discussions list")
cli("webhooks", "list")


def main():
    print(f"huggingface_hub {huggingface_hub.__version__}")
    reds = 0
    for section, call, function in ROWS:
        began, note = time.monotonic(), ""
        try:
            function()
            state = "ok"
        except Absent as absent:
            state, note = "--", f"this client has no {absent}"
        except Exception as error:
            state, reds = "RED", reds + 1
            at = traceback.extract_tb(error.__traceback__)
            line = next((frame.lineno for frame in reversed(at) if frame.filename == __file__ or frame.filename == "<string>"), "?")
            note = f"line {line}: {type(error).__name__}: " + " ".join(str(error).split())[:400]
        print(f"{state:<4}{section:<6}{call:<60}{time.monotonic() - began:6.2f} s  {note}", flush=True)
    print(f"{len(ROWS)} rows, {reds} red")
    sys.exit(1 if reds else 0)


if __name__ == "__main__":
    main()
