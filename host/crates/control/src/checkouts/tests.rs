use bytes::Bytes;
use spaceport_core::revision::DEPLOY_BRANCH;
use spaceport_git::{Author, Change, CommitSpec, FileMode, RepoPath};

use super::*;

const SPACE: SpaceId = SpaceId::from_bytes([7; 12]);

async fn commit(repos: &Repos, content: &'static str) -> Oid {
    let repo = repos.create(SPACE).await.unwrap();
    let put = |path: &str| Change::Put {
        path: RepoPath::parse(path).unwrap(),
        mode: FileMode::Regular,
        content: Bytes::from(content),
    };
    let spec = CommitSpec {
        branch: DEPLOY_BRANCH.into(),
        parent: None,
        author: Author { name: "ada".into(), email: "ada@localhost".into(), at: 1000 },
        message: "a change".into(),
        changes: vec![put("index.html"), put("a/b.txt")],
    };
    repo.commit(spec).await.unwrap()
}

async fn repos(data: &Path) -> Arc<Repos> {
    Arc::new(Repos::open(&data.join("repos")).await.unwrap())
}

#[tokio::test]
async fn a_revision_is_checked_out_once_with_its_list() {
    let temp = tempfile::tempdir().unwrap();
    let repos = repos(temp.path()).await;
    let revision = commit(&repos, "one").await;
    let checkouts = Checkouts::open(temp.path(), repos).unwrap();
    let mount = checkouts.ensure(SPACE, revision).await.unwrap();
    assert_eq!(std::fs::read(mount.path.join("index.html")).unwrap(), b"one");
    let files = checkouts.files(SPACE, revision).await.unwrap();
    assert_eq!(
        files.iter().map(|(path, file)| (path.as_str(), file.size)).collect::<Vec<_>>(),
        [("a/b.txt", 3), ("index.html", 3)]
    );
    std::fs::write(mount.path.join("mark"), "").unwrap();
    assert!(checkouts.ensure(SPACE, revision).await.unwrap().dir.exists("mark"));
}

#[tokio::test]
async fn two_checkouts_of_one_revision_at_once_are_one() {
    let temp = tempfile::tempdir().unwrap();
    let repos = repos(temp.path()).await;
    let revision = commit(&repos, "one").await;
    let checkouts = Checkouts::open(temp.path(), repos).unwrap();
    let (a, b) = tokio::join!(checkouts.ensure(SPACE, revision), checkouts.ensure(SPACE, revision));
    assert_eq!(a.unwrap().path, b.unwrap().path);
    let left = names(&checkouts.shared.checkouts.dir.open_dir(SPACE.to_string()).unwrap()).unwrap();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[tokio::test]
async fn old_revisions_are_removed_and_others_stay() {
    let temp = tempfile::tempdir().unwrap();
    let repos = repos(temp.path()).await;
    let (one, two) = (commit(&repos, "one").await, commit(&repos, "two").await);
    let checkouts = Checkouts::open(temp.path(), repos).unwrap();
    let old = checkouts.ensure(SPACE, one).await.unwrap();
    let new = checkouts.ensure(SPACE, two).await.unwrap();
    checkouts.prune(SPACE, BTreeSet::from([two])).await;
    assert!(!old.path.exists() && new.path.exists());
    checkouts.remove_copies(SPACE).await.unwrap();
    assert!(!new.path.exists());
    assert_eq!(checkouts.spaces().await.unwrap(), BTreeSet::new());
}

#[tokio::test]
async fn a_start_sweeps_what_was_in_work_and_keeps_what_is_whole() {
    let temp = tempfile::tempdir().unwrap();
    let repos = repos(temp.path()).await;
    let revision = commit(&repos, "one").await;
    let first = Checkouts::open(temp.path(), repos.clone()).unwrap();
    let mount = first.ensure(SPACE, revision).await.unwrap();
    let tmp = first.make_tmp(SPACE, InstanceId(3)).await.unwrap();
    std::fs::write(tmp.path.join("file"), "x").unwrap();
    let data = first.storage(SPACE).await.unwrap();
    std::fs::write(data.path.join("file"), "x").unwrap();
    let unfinished = mount.path.with_file_name(format!("{WORK}9"));
    std::fs::create_dir(&unfinished).unwrap();

    Checkouts::open(temp.path(), repos.clone()).unwrap();
    assert!(mount.path.exists() && data.path.join("file").exists());
    assert!(!unfinished.exists() && !tmp.path.exists());

    std::fs::write(temp.path().join("checkouts").join(BOOT_FILE), "another boot").unwrap();
    let third = Checkouts::open(temp.path(), repos).unwrap();
    assert!(!mount.path.exists() && data.path.join("file").exists());
    third.ensure(SPACE, revision).await.unwrap();
    assert!(mount.path.exists());
}

#[tokio::test]
async fn a_revision_that_is_not_there_leaves_nothing_behind() {
    let temp = tempfile::tempdir().unwrap();
    let repos = repos(temp.path()).await;
    commit(&repos, "one").await;
    let checkouts = Checkouts::open(temp.path(), repos).unwrap();
    let missing = Oid::from_bytes([9; 20]);
    assert!(matches!(checkouts.ensure(SPACE, missing).await, Err(CheckoutError::Git(GitError::NoCommit(_)))));
    let left = names(&checkouts.shared.checkouts.dir.open_dir(SPACE.to_string()).unwrap()).unwrap();
    assert_eq!(left, [""; 0]);
}
