//! `spaceport import`: a repository arrives with its history, its tags and its large files, and runs.

use std::path::Path;
use std::process::{Command, Stdio};

use spaceport_tests::git::{Said, clone, commit, git};
use spaceport_tests::host::binary;
use spaceport_tests::{Files, TestHost, TestSpace};

/// Bytes of a file that only git-lfs may carry.
const LARGE: usize = 11 << 20;

/// Runs the command against a host, as its user would.
fn import(host: &TestHost, args: &[&str]) -> Said {
    let output = Command::new(binary())
        .arg("import")
        .args(args)
        .env("HF_ENDPOINT", host.hub())
        .env("HF_TOKEN", host.token())
        .env("HOME", host.scratch())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Said { is_ok: output.status.success(), text }
}

/// A repository of its own, with these files in one commit on the branch `trunk`.
fn repository(host: &TestHost, folder: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
    let dir = host.scratch().join(folder);
    git(host, host.scratch(), &["init", "--quiet", "--initial-branch", "trunk", dir.to_str().unwrap()]).ok();
    for (path, content) in files {
        commit(host, &dir, path, content);
    }
    dir
}

fn as_str(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_space_of_another_hub_arrives_whole() {
    let (there, here) = (TestHost::start(), TestHost::start());
    let original = TestSpace::create(&there, "site", "static");
    let work = clone(&there, "site", "work");
    git(&there, &work, &["lfs", "install", "--local"]).ok();
    git(&there, &work, &["lfs", "track", "*.bin"]).ok();
    commit(&there, &work, "large.bin", vec![7; LARGE]);
    commit(&there, &work, "app.py", "import os\nTOKEN = os.environ[\"API_KEY\"]\nHOST = os.getenv('SPACE_HOST')\n");
    let head = commit(&there, &work, "index.html", "<head></head>imported");
    git(&there, &work, &["tag", "v1"]).ok();
    git(&there, &work, &["branch", "dev"]).ok();
    git(&there, &work, &["push", "--quiet", "origin", "main", "dev", "v1"]).ok();
    original.serves(&head);

    let said = import(&here, &["hf://spaces/ada/site", "--hf-base", &there.hub(), "--to", "ada/copy"]).ok();
    assert!(said.contains("a static Space") && said.contains("environment: API_KEY\n"), "{said}");
    let copy = TestSpace::named(&here, "copy", "copy");
    assert_eq!(copy.runtime()["sha"], head.as_str());
    assert!(said.contains("RUNNING"), "{said}");
    let copied = clone(&here, "copy", "copied");
    let count = |host, dir: &Path| git(host, dir, &["rev-list", "--count", "HEAD"]).ok();
    assert_eq!(count(&here, &copied), count(&there, &work));
    let refs = git(&here, &copied, &["ls-remote", "origin"]).ok();
    assert!(refs.contains("refs/heads/dev") && refs.contains("refs/tags/v1"), "{refs}");
    let large = here.client().get(&here.domain(), "/spaces/ada/copy/resolve/main/large.bin");
    assert_eq!((large.status, large.body.len()), (200, LARGE));

    import(&here, &["hf://spaces/ada/site", "--hf-base", &there.hub(), "--to", "ada/copy"])
        .refused(&["ada/copy already", "--force"]);
    let newer = commit(&there, &work, "index.html", "newer");
    git(&there, &work, &["push", "--quiet", "origin", "main"]).ok();
    import(&here, &["hf://spaces/ada/site", "--hf-base", &there.hub(), "--to", "ada/copy", "--force"]).ok();
    assert_eq!(copy.runtime()["sha"], newer.as_str());
}

#[test]
fn a_folder_s_default_branch_becomes_main() {
    let host = TestHost::start();
    let readme = "---\nsdk: gradio\napp_file: app.py\n---\n";
    let dir = repository(&host, "demo", &[("README.md", readme), ("app.py", "print()")]);
    git(&host, &dir, &["branch", "main", "HEAD~1"]).ok();
    let said = import(&host, &[as_str(&dir)]).ok();
    assert!(said.contains("runs in a container") && said.contains("branch main is left out"), "{said}");
    let space = TestSpace::named(&host, "demo", "demo");
    let runtime = space.reaches("RUNTIME_ERROR");
    assert_eq!(runtime["errorMessage"], "no container backend on this host");
    let head = git(&host, &dir, &["rev-parse", "trunk"]).ok();
    let refs = git(&host, &clone(&host, "demo", "copied"), &["ls-remote", "origin", "refs/heads/*"]).ok();
    assert_eq!(refs.trim(), format!("{}\trefs/heads/main", head.trim()));
}

#[test]
fn what_cannot_be_imported_is_refused_in_words_and_leaves_nothing() {
    let host = TestHost::start();
    std::fs::create_dir(host.scratch().join("plain")).unwrap();
    let broken = repository(&host, "broken", &[("README.md", "---\nsdk: [\n---\n")]);
    let empty = repository(&host, "empty", &[]);
    for (source, words) in [
        (as_str(&host.scratch().join("plain")), "spaceport push"),
        (as_str(&broken), "README.md"),
        (as_str(&empty), "nothing to import"),
        ("http://127.0.0.1:1/nobody/here", "could not clone"),
        ("hf://datasets/a/b", "only Spaces"),
    ] {
        import(&host, &[source, "--to", "ada/new"]).refused(&[words]);
    }
    let answer = host.client().get(&host.domain(), "/api/spaces/ada/new");
    assert_eq!(answer.status, 404);

    let unconfigured = repository(&host, "bare", &[("index.html", "<p>")]);
    let said = import(&host, &[as_str(&unconfigured)]);
    assert!(said.text.contains("no configuration") && said.text.contains("CONFIG_ERROR"), "{}", said.text);
    host.push("other", Files::site(&[("index.html", "")])).reaches("RUNNING");
}
