//! Against the real git, on a repository in a temporary directory.

mod merging;

use cap_std::ambient_authority;
use tempfile::TempDir;

use super::*;
use crate::commit::{Author, Change};
use crate::repos::Repos;
use crate::tree::{MAX_FILES, blob_oid};

struct Fixture {
    repo: Repo,
    _repos: Repos,
    folder: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repos = Repos::open(&folder.path().join("repos")).await.unwrap();
        let repo = repos.create(SpaceId::from_bytes([7; 12])).await.unwrap();
        Self { repo, _repos: repos, folder }
    }

    fn spec(&self, changes: Vec<Change>) -> CommitSpec {
        CommitSpec {
            branch: "main".into(),
            parent: None,
            author: Author { name: "Ada".into(), email: "ada@example.org".into(), at: 1_700_000_000_000 },
            message: "A summary\n\nand more\n".into(),
            changes,
        }
    }

    async fn commit(&self, files: &[(&str, &str)]) -> Oid {
        self.repo.commit(self.spec(files.iter().map(|(path, content)| put(path, content)).collect())).await.unwrap()
    }

    /// Runs a plumbing command of git; its output.
    async fn git(&self, command: &'static str, args: &[&str], input: Vec<u8>) -> String {
        let call = Call { command, args, max_output: 1 << 20, deadline: READ_DEADLINE };
        let input = if input.is_empty() { Vec::new() } else { vec![Bytes::from(input)] };
        let output = self.repo.run(call, input).await.unwrap().ok(command).unwrap();
        String::from_utf8(output).unwrap().trim().to_owned()
    }

    async fn blob(&self, content: &str) -> String {
        self.git("hash-object", &["-w", "--stdin"], content.as_bytes().to_vec()).await
    }

    /// A commit of a tree made of these entries, which nobody checked.
    async fn unchecked(&self, entries: &[(&str, &str, &str)]) -> Oid {
        let lines: Vec<u8> = entries
            .iter()
            .flat_map(|(mode, oid, name)| {
                let kind = match *mode {
                    "040000" => "tree",
                    "160000" => "commit",
                    _ => "blob",
                };
                format!("{mode} {kind} {oid}\t{name}\0").into_bytes()
            })
            .collect();
        let tree = self.git("mktree", &["-z", "--missing"], lines).await;
        self.commit_of(&tree).await
    }

    async fn commit_of(&self, tree: &str) -> Oid {
        let commit = format!("tree {tree}\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nx\n").into_bytes();
        self.git("hash-object", &["-w", "--stdin", "-t", "commit"], commit).await.parse().unwrap()
    }

    fn target(&self, name: &str) -> Dir {
        let path = self.folder.path().join(name);
        Dir::create_ambient_dir_all(&path, ambient_authority()).unwrap();
        Dir::open_ambient_dir(&path, ambient_authority()).unwrap()
    }
}

fn put(path: &str, content: &str) -> Change {
    let content = Bytes::from(content.to_owned());
    Change::Put { path: RepoPath::parse(path).unwrap(), mode: FileMode::Regular, content }
}

fn paths(tree: &[TreeEntry]) -> Vec<&str> {
    tree.iter().map(|entry| entry.path.as_str()).collect()
}

#[tokio::test]
async fn heads_are_found_however_git_keeps_them_and_mostly_without_it() {
    let fixture = Fixture::new().await;
    let head = fixture.commit(&[("a", "1")]).await;
    let (main, folder) = (("main", Some(head)), fixture.repo.folder().join("refs/heads"));
    let alone = async {
        let _turns = fixture.repo.git.all_turns().await;
        (fixture.repo.head("main").await.unwrap(), fixture.repo.resolve("main").await.unwrap())
    };
    let alone = tokio::time::timeout(READ_DEADLINE / 10, alone).await;
    assert_eq!(alone.expect("no process of git is waited for"), (Some(head), Some(head)));

    fixture.git("symbolic-ref", &["refs/heads/alias", "refs/heads/main"], Vec::new()).await;
    std::fs::write(folder.join("torn"), &head.to_string()[..20]).unwrap();
    std::fs::create_dir(folder.join("empty")).unwrap();
    for (branch, expected) in [main, ("alias", Some(head)), ("torn", None), ("empty", None), ("none", None)] {
        assert_eq!(fixture.repo.head(branch).await.unwrap(), expected, "{branch}");
    }
    std::fs::remove_file(folder.join("torn")).unwrap();
    fixture.git("pack-refs", &["--all"], Vec::new()).await;
    assert!(!folder.join("main").exists());
    assert_eq!(fixture.repo.head("main").await.unwrap(), Some(head));
    let next = fixture.commit(&[("a", "2")]).await;
    assert_eq!(fixture.repo.head("main").await.unwrap(), Some(next));
}

#[tokio::test]
async fn a_commit_is_read_back_as_it_was_made() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.repo.head("main").await.unwrap(), None);
    let first = fixture
        .commit(&[("README.md", "hello\n"), ("a b/\"q\".txt", "quoted"), ("empty", ""), ("ü/日本.txt", "x")])
        .await;
    assert_eq!(fixture.repo.head("main").await.unwrap(), Some(first));

    let tree = fixture.repo.tree(first).await.unwrap();
    assert_eq!(paths(&tree), ["README.md", "a b/\"q\".txt", "empty", "ü/日本.txt"]);
    assert_eq!((tree[0].oid, tree[0].size, tree[0].mode), (blob_oid(b"hello\n"), 6, FileMode::Regular));

    for (path, content) in [
        ("README.md", Some("hello\n")),
        ("a b/\"q\".txt", Some("quoted")),
        ("empty", Some("")),
        ("ü", None),
        ("x", None),
        ("../x", None),
    ] {
        assert_eq!(fixture.repo.read(first, path).await.unwrap(), content.map(Bytes::from), "{path}");
    }

    let second = fixture.commit(&[("README.md", "changed")]).await;
    let log = fixture.repo.log(second, 10).await.unwrap();
    assert_eq!(log.iter().map(|entry| entry.oid).collect::<Vec<_>>(), [second, first]);
    let entry = &log[0];
    assert_eq!((entry.author.as_str(), entry.at), ("Ada", 1_700_000_000_000));
    assert_eq!((entry.summary.as_str(), entry.description.as_str()), ("A summary", "and more"));
    assert_eq!(fixture.repo.log(second, 1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_commit_that_changes_nothing_leaves_the_head() {
    let fixture = Fixture::new().await;
    let head = fixture.commit(&[("a", "1"), ("b", "2")]).await;
    assert_eq!(fixture.commit(&[("a", "1")]).await, head);
    assert_eq!(fixture.commit(&[]).await, head);
    assert_ne!(fixture.commit(&[("a", "2")]).await, head);
}

#[tokio::test]
async fn files_and_folders_are_deleted() {
    let fixture = Fixture::new().await;
    fixture.commit(&[("a", "1"), ("d/b", "2"), ("d/e/c", "3"), ("dd", "4")]).await;
    let path = |text: &str| RepoPath::parse_folder(text).unwrap();
    let spec = fixture.spec(vec![Change::Delete { path: path("a") }, Change::DeleteFolder { path: path("d/") }]);
    let head = fixture.repo.commit(spec).await.unwrap();
    assert_eq!(paths(&fixture.repo.tree(head).await.unwrap()), ["dd"]);

    let spec = fixture.spec(vec![put("new", "x"), Change::Delete { path: path("gone") }]);
    let error = fixture.repo.commit(spec).await.unwrap_err();
    assert_eq!(error.to_string(), "gone: A file with this name doesn't exist");
    assert_eq!(fixture.repo.head("main").await.unwrap(), Some(head), "nothing of a refused commit is there");
}

#[tokio::test]
async fn a_commit_on_another_head_is_a_conflict() {
    let fixture = Fixture::new().await;
    let first = fixture.commit(&[("a", "1")]).await;
    let second = fixture.commit(&[("a", "2")]).await;
    let spec = CommitSpec { parent: Some(first.into()), ..fixture.spec(vec![put("a", "3")]) };
    let error = fixture.repo.commit(spec).await.unwrap_err();
    assert!(
        matches!(&error, CommitError::Conflict { expected, actual, .. } if *expected == Some(first.into()) && *actual == Some(second)),
        "{error}"
    );
    let spec = CommitSpec { parent: Some(second.into()), ..fixture.spec(vec![put("a", "3")]) };
    let third = fixture.repo.commit(spec).await.unwrap();
    assert_eq!(fixture.repo.head("main").await.unwrap(), Some(third));
}

#[tokio::test]
async fn a_file_is_streamed_in_pieces_and_from_anywhere() {
    let fixture = Fixture::new().await;
    let content: String = (0..400_000).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    let head = fixture.commit(&[("big", &content)]).await;
    let oid = fixture.repo.tree(head).await.unwrap()[0].oid;
    for part in [0..400_000u64, 0..1, 70_000..200_001, 399_999..400_000, 5..5] {
        let mut stream = fixture.repo.stream(oid, part.clone()).await.unwrap();
        let mut read = Vec::new();
        while let Some(piece) = stream.next().await {
            let piece = piece.unwrap();
            assert!(piece.len() <= 64 << 10);
            read.extend_from_slice(&piece);
        }
        assert_eq!(read, content.as_bytes()[part.start as usize..part.end as usize], "{part:?}");
    }
    let mut beyond = fixture.repo.stream(oid, 0..400_001).await.unwrap();
    let mut last = None;
    while let Some(piece) = beyond.next().await {
        last = Some(piece);
    }
    assert!(matches!(last, Some(Err(GitError::Git { .. }))), "what ends early is no end: {last:?}");
}

#[tokio::test]
async fn readers_that_stop_reading_leave_git_to_others_and_give_their_turn_back() {
    let fixture = Fixture::new().await;
    let head = fixture.commit(&[("big", &"x".repeat(1 << 20))]).await;
    let oid = fixture.repo.tree(head).await.unwrap()[0].oid;
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(fixture.repo.stream(oid, 0..1 << 20).await.unwrap());
    }
    assert_eq!(fixture.repo.head("main").await.unwrap(), Some(head));
    assert!(matches!(fixture.repo.stream(oid, 0..1).await, Err(GitError::Busy)));
    streams.pop();
    assert!(fixture.repo.stream(oid, 0..1).await.is_ok());
}

#[tokio::test]
async fn a_commit_that_is_sent_again_is_the_head_it_made() {
    let fixture = Fixture::new().await;
    let first = fixture.commit(&[("a", "1"), ("b", "1")]).await;
    let spec = |parent: Option<Oid>| CommitSpec {
        parent: parent.map(Into::into),
        ..fixture.spec(vec![put("a", "2"), Change::Delete { path: RepoPath::parse("b").unwrap() }])
    };
    let second = fixture.repo.commit(spec(Some(first))).await.unwrap();
    for parent in [Some(first), None] {
        assert_eq!(fixture.repo.commit(spec(parent)).await.unwrap(), second, "{parent:?}");
    }
    let other = CommitSpec { message: "another".into(), ..spec(Some(first)) };
    assert!(matches!(fixture.repo.commit(other).await, Err(CommitError::Conflict { .. })));
    let more = CommitSpec { changes: vec![put("a", "2")], ..spec(Some(first)) };
    assert!(matches!(fixture.repo.commit(more).await, Err(CommitError::Conflict { .. })));
    assert!(matches!(fixture.repo.commit(spec(Some(second))).await, Err(CommitError::NotThere(_))));
    assert_eq!(fixture.repo.head("main").await.unwrap(), Some(second));
}

#[tokio::test]
async fn a_branch_moves_only_from_where_it_was() {
    let fixture = Fixture::new().await;
    let first = fixture.commit(&[("a", "1")]).await;
    let second = fixture.commit(&[("a", "2")]).await;
    assert!(!fixture.repo.move_branch("main", first, Some(first)).await.unwrap());
    assert!(!fixture.repo.move_branch("main", first, None).await.unwrap());
    assert_eq!(fixture.repo.head("main").await.unwrap(), Some(second));
    assert!(fixture.repo.move_branch("main", first, Some(second)).await.unwrap());
}

#[tokio::test]
async fn commits_at_the_same_time_all_arrive() {
    let fixture = Fixture::new().await;
    let commits = (0..8).map(|n| {
        let (repo, spec) = (fixture.repo.clone(), fixture.spec(vec![put(&format!("f{n}"), "x")]));
        tokio::spawn(async move { repo.commit(spec).await })
    });
    for commit in commits.collect::<Vec<_>>() {
        commit.await.unwrap().unwrap();
    }
    let head = fixture.repo.head("main").await.unwrap().unwrap();
    assert_eq!(fixture.repo.tree(head).await.unwrap().len(), 8);
    assert_eq!(fixture.repo.log(head, 100).await.unwrap().len(), 8);
}

#[tokio::test]
async fn a_revision_is_found_by_branch_and_by_id() {
    let fixture = Fixture::new().await;
    let first = fixture.commit(&[("a", "1")]).await;
    let spec = CommitSpec { branch: "feature/x".into(), ..fixture.spec(vec![put("b", "1")]) };
    let other = fixture.repo.commit(spec).await.unwrap();
    let first_text = first.to_string();
    for (revision, expected) in [
        ("main", Some(first)),
        ("feature/x", Some(other)),
        ("refs/heads/feature/x", Some(other)),
        (first_text.as_str(), Some(first)),
        (&first_text[..10], Some(first)),
        ("HEAD", None),
        ("nothing", None),
        ("main^", None),
        ("main:a", None),
        ("0123456789012345678901234567890123456789", None),
        (&blob_oid(b"1").to_string(), None),
    ] {
        assert_eq!(fixture.repo.resolve(revision).await.unwrap(), expected, "{revision}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let fixture = Fixture::new().await;
    let unknown = Oid::from_bytes([9; 20]);
    assert!(matches!(fixture.repo.tree(unknown).await, Err(GitError::NoCommit(oid)) if oid == unknown));
    assert!(matches!(fixture.repo.read(unknown, "a").await, Err(GitError::NoCommit(_))));
    assert!(matches!(fixture.repo.log(unknown, 1).await, Err(GitError::NoCommit(_))));
    let space = SpaceId::from_bytes([8; 12]);
    let missing = fixture._repos.repo(space);
    assert!(matches!(missing.head("main").await, Err(GitError::NoRepository(named)) if named == space));
    assert!(matches!(
        missing.commit(fixture.spec(vec![put("a", "")])).await,
        Err(CommitError::Git(GitError::NoRepository(_)))
    ));
    assert!(matches!(fixture.repo.head("a..b").await, Err(GitError::Branch(_))));
}

#[tokio::test]
async fn a_checkout_holds_every_file_and_reports_it() {
    let fixture = Fixture::new().await;
    let large = "0123456789".repeat(300_000);
    let link = |path: &str, target: &str| Change::Put {
        path: RepoPath::parse(path).unwrap(),
        mode: FileMode::Symlink,
        content: Bytes::from(target.to_owned()),
    };
    let run = Change::Put {
        path: RepoPath::parse("bin/run").unwrap(),
        mode: FileMode::Executable,
        content: Bytes::from_static(b"#!/bin/sh\n"),
    };
    let spec = fixture.spec(vec![
        put("README.md", "hello\n"),
        put("a/b/c.txt", "deep"),
        put("large", &large),
        put("empty", ""),
        run,
        link("a/link", "../README.md"),
        link("folder", "a/b"),
    ]);
    let head = fixture.repo.commit(spec).await.unwrap();
    let into = fixture.target("out");
    let report = fixture.repo.checkout(head, &into).await.unwrap();

    assert_eq!(report.bytes, 6 + 4 + large.len() as u64 + 10);
    let names: Vec<&str> = report.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["README.md", "a/b/c.txt", "a/link", "bin/run", "empty", "large"]);
    assert_eq!(report.files["a/link"], report.files["README.md"]);
    assert_eq!(
        report.files["large"],
        crate::CheckedOutFile { size: large.len() as u64, oid: blob_oid(large.as_bytes()) }
    );
    for (path, content) in [
        ("README.md", "hello\n"),
        ("a/b/c.txt", "deep"),
        ("large", &large),
        ("empty", ""),
        ("a/link", "hello\n"),
        ("folder/c.txt", "deep"),
    ] {
        assert_eq!(into.read_to_string(path).unwrap(), content, "{path}");
    }
    assert!(into.symlink_metadata("a/link").unwrap().is_symlink());

    let again = fixture.repo.checkout(head, &into).await;
    assert!(matches!(again, Err(GitError::Io { .. })), "a directory that is not empty is not written over");
}

#[tokio::test]
async fn a_tree_that_reaches_outside_is_neither_listed_nor_written() {
    let fixture = Fixture::new().await;
    let blob = fixture.blob("evil").await;
    let inner = fixture.git("mktree", &["-z"], format!("100644 blob {blob}\tconfig\0").into_bytes()).await;
    let link = |target: &'static str| fixture.blob(target);
    let (absolute, above, circle) = (link("/etc/passwd").await, link("../../x").await, link("circle").await);
    let long = "x".repeat(5000);
    let long = fixture.blob(&long).await;
    let into = fixture.target("out");
    for entries in [
        vec![("100644", blob.as_str(), "..")],
        vec![("040000", inner.as_str(), "..")],
        vec![("040000", inner.as_str(), ".git")],
        vec![("040000", inner.as_str(), ".GiT")],
        vec![("040000", inner.as_str(), "git~1")],
        vec![("040000", inner.as_str(), ".g\u{200c}it")],
        vec![("100644", blob.as_str(), "a\\b")],
        vec![("100644", blob.as_str(), "a\nb")],
        vec![("100644", blob.as_str(), "x"), ("100644", blob.as_str(), "x")],
        vec![("120000", above.as_str(), "x"), ("040000", inner.as_str(), "x")],
        vec![("160000", "ce013625030ba8dba906f756967f9e9ca394464a", "lib")],
        vec![("120000", absolute.as_str(), "l")],
        vec![("120000", above.as_str(), "l")],
        vec![("120000", circle.as_str(), "circle")],
        vec![("120000", long.as_str(), "l")],
        // A link to a folder outside and, in it, a file.
        vec![("120000", absolute.as_str(), "d"), ("040000", inner.as_str(), "d")],
    ] {
        let commit = fixture.unchecked(&entries).await;
        for failed in [
            fixture.repo.tree(commit).await.map(|_| ()),
            fixture.repo.check(commit).await,
            fixture.repo.checkout(commit, &into).await.map(|_| ()),
        ] {
            assert!(matches!(failed, Err(GitError::Tree(_))), "{entries:?}: {failed:?}");
        }
        assert_eq!(into.entries().unwrap().count(), 0, "{entries:?}");
    }
}

#[tokio::test]
async fn a_tree_that_multiplies_itself_is_cut_off() {
    let fixture = Fixture::new().await;
    let mut tree = fixture.blob("x").await;
    let mut line = format!("100644 blob {tree}");
    for _ in 0..8 {
        let entries: String = (0..10).map(|n| format!("{line}\tname-that-takes-some-room-{n}\0")).collect();
        tree = fixture.git("mktree", &["-z"], entries.into_bytes()).await;
        line = format!("040000 tree {tree}");
    }
    let bomb = fixture.commit_of(&tree).await;
    let listed = fixture.repo.tree(bomb).await;
    assert!(matches!(listed, Err(GitError::Tree(TreeError::TooManyFiles))), "{listed:?}");
}

#[tokio::test]
async fn ten_thousand_files_are_committed_and_no_more() {
    let fixture = Fixture::new().await;
    let changes = |count: usize| (0..count).map(|n| put(&format!("d{}/f{n}", n % 100), &n.to_string())).collect();
    let error = fixture.repo.commit(fixture.spec(changes(MAX_FILES + 1))).await.unwrap_err();
    assert!(matches!(error, CommitError::Tree(TreeError::TooManyFiles)), "{error}");
    assert_eq!(fixture.repo.head("main").await.unwrap(), None);

    let head = fixture.repo.commit(fixture.spec(changes(MAX_FILES))).await.unwrap();
    let error = fixture.repo.commit(fixture.spec(vec![put("one-more", "")])).await.unwrap_err();
    assert!(matches!(error, CommitError::Tree(TreeError::TooManyFiles)), "{error}");
    let report = fixture.repo.checkout(head, &fixture.target("out")).await.unwrap();
    assert_eq!(report.files.len(), MAX_FILES);
}

#[tokio::test]
async fn nothing_temporary_remains_after_commits() {
    let fixture = Fixture::new().await;
    fixture.commit(&[("a", "1")]).await;
    fixture.commit(&[("a", "2")]).await;
    assert_eq!(fixture.git("for-each-ref", &["--format=%(refname)"], Vec::new()).await, "refs/heads/main");
    let packs = Dir::open_ambient_dir(fixture.repo.folder().join("objects/pack"), ambient_authority()).unwrap();
    for entry in packs.entries().unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(name.starts_with("pack-"), "{name}");
    }
    assert_eq!(fixture.git("fsck", &["--full", "--strict", "--no-dangling"], Vec::new()).await, "");
}

#[tokio::test]
async fn packs_are_merged_when_they_become_many() {
    let fixture = Fixture::new().await;
    for n in 0..40 {
        fixture.commit(&[("a", &n.to_string())]).await;
        fixture.repo.tidy().await;
    }
    let packs = Dir::open_ambient_dir(fixture.repo.folder().join("objects/pack"), ambient_authority()).unwrap();
    let count = packs
        .entries()
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".pack"))
        .count();
    assert!(count < 32, "{count}");
    let head = fixture.repo.head("main").await.unwrap().unwrap();
    assert_eq!(fixture.repo.log(head, 100).await.unwrap().len(), 40);
    assert_eq!(fixture.git("fsck", &["--full", "--strict", "--no-dangling"], Vec::new()).await, "");
}

#[tokio::test]
async fn a_dropped_commit_leaves_a_repository_that_works() {
    let fixture = Fixture::new().await;
    let large = "0123456789abcdef".repeat(1 << 20);
    let before = fixture.commit(&[("a", "1")]).await;
    for wait_ms in [0, 2, 5, 8, 12, 20, 40] {
        let commit = fixture.repo.commit(fixture.spec(vec![put("large", &format!("{wait_ms}{large}"))]));
        // Cancelling at whatever point it has reached is what is tested; there is no condition to wait for.
        let _ = tokio::time::timeout(std::time::Duration::from_millis(wait_ms), commit).await;
    }
    let after = fixture.commit(&[("a", "2")]).await;
    assert_ne!(before, after);
    assert_eq!(fixture.repo.read(after, "a").await.unwrap().unwrap(), "2");
}

fn author() -> Author {
    Author { name: "Ada".into(), email: "ada@example.org".into(), at: 1_700_000_000_000 }
}

#[tokio::test]
async fn branches_and_tags_are_made_listed_and_removed() {
    let space = Fixture::new().await;
    let first = space.commit(&[("a.txt", "1")]).await;
    let second = space.commit(&[("a.txt", "2")]).await;
    let repo = &space.repo;
    assert_eq!(repo.create_branch("feature/x", first).await.unwrap(), RefChange::Done);
    for taken in ["feature/x", "feature", "feature/x/y", "main"] {
        assert_eq!(repo.create_branch(taken, second).await.unwrap(), RefChange::Exists, "{taken}");
    }
    assert_eq!(repo.create_tag("v1", first, Some("the first\n\nof many"), &author()).await.unwrap(), RefChange::Done);
    assert_eq!(repo.create_tag("v2", second, None, &author()).await.unwrap(), RefChange::Done);
    assert_eq!(repo.create_tag("v1", second, None, &author()).await.unwrap(), RefChange::Exists);
    let text = space.git("cat-file", &["tag", "refs/tags/v1"], Vec::new()).await;
    assert!(text.contains("tagger Ada <ada@example.org>") && text.ends_with("the first\n\nof many"), "{text}");

    let listed = repo.refs().await.unwrap();
    let listed: Vec<(&str, Oid)> = listed.iter().map(|entry| (entry.name.as_str(), entry.target)).collect();
    let expected = [
        ("refs/heads/feature/x", first),
        ("refs/heads/main", second),
        ("refs/tags/v1", first),
        ("refs/tags/v2", second),
    ];
    assert_eq!(listed, expected);
    for name in ["v1", "feature/x", "refs/tags/v1", "refs/heads/feature/x", &first.to_string()[..7]] {
        assert_eq!(repo.resolve(name).await.unwrap(), Some(first), "{name}");
    }

    assert_eq!(repo.delete_branch("feature/x").await.unwrap(), RefChange::Done);
    assert_eq!(repo.delete_branch("feature/x").await.unwrap(), RefChange::Missing);
    assert_eq!(repo.delete_tag("v1").await.unwrap(), RefChange::Done);
    assert_eq!(repo.delete_tag("v1").await.unwrap(), RefChange::Missing);
    assert_eq!(repo.resolve("feature/x").await.unwrap(), None);
    assert_eq!(repo.create_branch("feature", first).await.unwrap(), RefChange::Done);
    for bad in ["a b", "../x", "a..b", "-d", ""] {
        assert!(matches!(repo.create_branch(bad, first).await, Err(GitError::Branch(_))), "{bad}");
        assert!(matches!(repo.create_tag(bad, first, None, &author()).await, Err(GitError::Branch(_))), "{bad}");
    }
    let missing = Oid::from_bytes([9; 20]);
    assert!(matches!(repo.create_branch("new", missing).await, Err(GitError::NoCommit(_))));
}

#[tokio::test]
async fn the_history_is_read_by_pages_and_by_path() {
    let space = Fixture::new().await;
    let first = space.commit(&[("a.txt", "1"), ("folder/b.txt", "1"), ("[x]*", "1")]).await;
    let second = space.commit(&[("folder/b.txt", "2")]).await;
    let third = space.commit(&[("xx", "3"), ("folder/c/d.txt", "3")]).await;
    let repo = &space.repo;
    let page = async |skip, limit| -> Vec<Oid> {
        repo.log_page(third, skip, limit).await.unwrap().into_iter().map(|entry| entry.oid).collect()
    };
    assert_eq!(page(0, 2).await, [third, second]);
    assert_eq!(page(2, 2).await, [first]);
    assert_eq!(page(3, 2).await, []);
    assert_eq!(repo.count_commits(third).await.unwrap(), 3);

    let paths: Vec<String> =
        ["a.txt", "folder", "folder/b.txt", "folder/c", "[x]*", "nothing"].map(String::from).into();
    let last = repo.last_commits(third, &paths).await.unwrap();
    let last: Vec<(&str, Oid)> = last.iter().map(|(path, entry)| (path.as_str(), entry.oid)).collect();
    let expected =
        [("[x]*", first), ("a.txt", first), ("folder", third), ("folder/b.txt", second), ("folder/c", third)];
    assert_eq!(last, expected);
    let earlier = repo.last_commits(second, &["folder".to_owned()]).await.unwrap();
    assert_eq!((earlier["folder"].oid, earlier["folder"].summary.as_str()), (second, "A summary"));
}

#[tokio::test]
async fn the_last_commit_of_what_a_merge_brought_is_the_one_that_made_it() {
    let space = Fixture::new().await;
    let base = space.commit(&[("a.txt", "1")]).await;
    space.repo.create_branch("side", base).await.unwrap();
    let side = space.repo.commit(CommitSpec { branch: "side".into(), ..space.spec(vec![put("b.txt", "1")]) }).await;
    let (side, main) = (side.unwrap(), space.commit(&[("a.txt", "2")]).await);
    let tree = space.repo.tree_of(main).await.unwrap();
    let tree = space.git("cat-file", &["-p", &tree.to_string()], Vec::new()).await;
    let entries = format!("{tree}\n100644 blob {}\tb.txt\n", blob_oid(b"1"));
    let tree = space.git("mktree", &[], entries.into_bytes()).await;
    let text = format!(
        "tree {tree}\nparent {main}\nparent {side}\nauthor A <a> 2000000000 +0000\ncommitter A <a> 2000000000 +0000\n\nmerge\n"
    );
    let merge = space.git("hash-object", &["-w", "--stdin", "-t", "commit"], text.into_bytes()).await.parse().unwrap();
    let last = space.repo.last_commits(merge, &["a.txt".to_owned(), "b.txt".to_owned()]).await.unwrap();
    assert_eq!((last["a.txt"].oid, last["b.txt"].oid), (main, side));
}

#[tokio::test]
async fn a_squashed_branch_is_one_commit_with_the_same_files() {
    let space = Fixture::new().await;
    let first = space.commit(&[("a.txt", "1"), ("b/c.txt", "1")]).await;
    let head = space.commit(&[("a.txt", "2")]).await;
    let before = space.repo.tree(head).await.unwrap();
    let squashed = space.repo.squash("main", author(), "all of it").await.unwrap();
    assert_eq!(space.repo.head("main").await.unwrap(), Some(squashed));
    assert_eq!(space.repo.tree(squashed).await.unwrap(), before);
    let log = space.repo.log(squashed, 10).await.unwrap();
    assert_eq!((log.len(), log[0].summary.as_str()), (1, "all of it"));
    space.repo.tidy().await;
    assert_eq!(
        space.repo.read(first, "a.txt").await.unwrap().unwrap(),
        "1",
        "what was built before can be launched again"
    );
    let missing = space.repo.squash("none", author(), "x").await;
    assert!(matches!(missing, Err(CommitError::Conflict { actual: None, .. })), "{missing:?}");
}
