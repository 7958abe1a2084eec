use super::*;

/// A repository with a pull request: the base's head, and the pull request's.
async fn forked(ours: &[(&str, &str)], theirs: &[(&str, &str)]) -> (Fixture, Oid, Oid) {
    let space = Fixture::new().await;
    let base = space.commit(&[("a.txt", "1"), ("b.txt", "1")]).await;
    assert_eq!(space.repo.set_pull_ref(3, base).await.unwrap(), RefChange::Done);
    let changes = theirs.iter().map(|(path, content)| put(path, content)).collect();
    let spec = CommitSpec { branch: "refs/pr/3".into(), ..space.spec(changes) };
    let theirs = space.repo.commit(spec).await.unwrap();
    let ours = space.commit(ours).await;
    (space, ours, theirs)
}

fn merge_of(ours: Oid, theirs: Oid) -> MergeSpec {
    let author = Author { name: "Ada".into(), email: "ada@example.org".into(), at: 1_700_000_000_000 };
    MergeSpec { branch: "main".into(), ours, theirs, author, message: "Both (#3)".into() }
}

fn left_in_objects(space: &Fixture) -> Vec<String> {
    let names = std::fs::read_dir(space.repo.folder().join("objects")).unwrap();
    let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_merge_has_what_both_have_and_both_as_its_parents() {
    let (space, ours, theirs) = forked(&[("a.txt", "2")], &[("c.txt", "1")]).await;
    assert_eq!(space.repo.head("refs/pr/3").await.unwrap(), Some(theirs));
    let before = left_in_objects(&space);
    let tried = space.repo.try_merge(ours, theirs).await.unwrap();
    let MergeOutcome::Clean(tree) = tried.outcome else { panic!("{tried:?}") };
    assert_eq!(tried.repo.read(tree, "c.txt").await.unwrap().unwrap(), "1");
    assert_ne!(left_in_objects(&space), before, "it is there while it is looked at");
    let removed = async {
        drop(tried);
        while left_in_objects(&space) != before {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(READ_DEADLINE, removed).await.expect("what was tried is gone");
    assert_eq!(space.repo.head("main").await.unwrap(), Some(ours));

    let merged = space.repo.merge(merge_of(ours, theirs)).await.unwrap();
    assert_eq!(space.repo.head("main").await.unwrap(), Some(merged));
    let parents = space.git("log", &["-1", "--format=%P%n%s%n%an", &merged.to_string()], Vec::new()).await;
    assert_eq!(parents, format!("{ours} {theirs}\nBoth (#3)\nAda"));
    assert_eq!(paths(&space.repo.tree(merged).await.unwrap()), ["a.txt", "b.txt", "c.txt"]);
    space.git("fsck", &["--strict"], Vec::new()).await;
    let again = space.repo.merge(merge_of(ours, theirs)).await;
    assert!(matches!(again, Err(CommitError::Conflict { actual: Some(head), .. }) if head == merged), "{again:?}");
}

#[tokio::test]
async fn conflicts_are_named_and_nothing_moves() {
    let (space, ours, theirs) = forked(&[("a.txt", "2"), ("b.txt", "2")], &[("a.txt", "3"), ("c.txt", "1")]).await;
    let tried = space.repo.try_merge(ours, theirs).await.unwrap();
    assert_eq!(tried.outcome, MergeOutcome::Conflicts(vec!["a.txt".to_owned()]));
    let refused = space.repo.merge(merge_of(ours, theirs)).await;
    assert!(matches!(refused, Err(CommitError::Conflict { .. })), "{refused:?}");
    assert_eq!(space.repo.head("main").await.unwrap(), Some(ours));
    let nowhere = space.repo.try_merge(ours, Oid::from_bytes([9; 20])).await;
    assert!(matches!(nowhere, Err(GitError::Git { .. })), "{nowhere:?}");
}

#[tokio::test]
async fn what_is_new_is_found_against_what_is_known() {
    let (space, ours, theirs) = forked(&[("a.txt", "2")], &[("c.txt", "1")]).await;
    let fork = space.repo.merge_base(ours, theirs).await.unwrap().unwrap();
    assert_ne!((fork, fork), (ours, theirs));
    let new = space.repo.new_commits(theirs, &[ours], 10).await.unwrap();
    assert_eq!(new.iter().map(|entry| entry.oid).collect::<Vec<_>>(), [theirs]);
    assert_eq!(space.repo.new_commits(theirs, &[theirs], 10).await.unwrap(), []);
    let (diff, is_cut) = space.repo.diff(fork, theirs, 1 << 20).await.unwrap();
    assert!(diff.starts_with("diff --git a/c.txt b/c.txt\n") && diff.contains("\n+1\n") && !is_cut, "{diff}");
    let (start, is_cut) = space.repo.diff(fork, theirs, 50).await.unwrap();
    assert!(is_cut && diff.starts_with(&start) && start.ends_with('\n'), "{start}");
    let alone = space.unchecked(&[]).await;
    assert_eq!(space.repo.merge_base(ours, alone).await.unwrap(), None);
    space.repo.delete_pull_ref(3).await.unwrap();
    assert_eq!(space.repo.head("refs/pr/3").await.unwrap(), None);
    space.repo.delete_pull_ref(3).await.unwrap();
}

#[tokio::test]
async fn pull_requests_use_up_nobodys_branches() {
    let space = Fixture::new().await;
    let head = space.commit(&[("a.txt", "1")]).await;
    let lines: String = (1..=MAX_REFS).map(|number| format!("create refs/pr/{number} {head}\n")).collect();
    space.git("update-ref", &["--stdin"], lines.into_bytes()).await;
    assert_eq!(space.repo.create_branch("dev", head).await.unwrap(), RefChange::Done);
    assert_eq!(space.repo.set_pull_ref(9_999, head).await.unwrap(), RefChange::TooMany);
    assert_eq!(space.repo.set_pull_ref(7, head).await.unwrap(), RefChange::Done, "this one is there");
}
