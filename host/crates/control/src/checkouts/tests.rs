use bytes::Bytes;
use spaceport_core::revision::DEPLOY_BRANCH;
use spaceport_db::{Db, KeyStore, Options};
use spaceport_git::{Author, Change, CommitSpec, FileMode, RepoPath};

use super::*;
use crate::testing::ManualClock;

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

/// A store of large files over a database of its own.
fn lfs(data: &Path) -> LfsStore {
    let keys = KeyStore::open(&data.join("keys")).unwrap();
    let store = tempfile::tempdir_in(data).unwrap().keep();
    let (db, _) = Db::open(&store, &keys, Options::default()).unwrap();
    LfsStore::open(data, Arc::new(db), ManualClock::new(1)).unwrap()
}

#[tokio::test]
async fn a_revision_is_checked_out_once_with_its_list() {
    let temp = tempfile::tempdir().unwrap();
    let repos = repos(temp.path()).await;
    let revision = commit(&repos, "one").await;
    let checkouts = Checkouts::open(temp.path(), repos, lfs(temp.path())).unwrap();
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
    let checkouts = Checkouts::open(temp.path(), repos, lfs(temp.path())).unwrap();
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
    let checkouts = Checkouts::open(temp.path(), repos, lfs(temp.path())).unwrap();
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
    let first = Checkouts::open(temp.path(), repos.clone(), lfs(temp.path())).unwrap();
    let mount = first.ensure(SPACE, revision).await.unwrap();
    let tmp = first.make_tmp(SPACE, InstanceId(3)).await.unwrap();
    std::fs::write(tmp.path.join("file"), "x").unwrap();
    let data = first.storage(SPACE).await.unwrap();
    std::fs::write(data.path.join("file"), "x").unwrap();
    let unfinished = mount.path.with_file_name(format!("{WORK}9"));
    std::fs::create_dir(&unfinished).unwrap();

    Checkouts::open(temp.path(), repos.clone(), lfs(temp.path())).unwrap();
    assert!(mount.path.exists() && data.path.join("file").exists());
    assert!(!unfinished.exists() && !tmp.path.exists());

    std::fs::write(temp.path().join("checkouts").join(BOOT_FILE), "another boot").unwrap();
    let third = Checkouts::open(temp.path(), repos, lfs(temp.path())).unwrap();
    assert!(!mount.path.exists() && data.path.join("file").exists());
    third.ensure(SPACE, revision).await.unwrap();
    assert!(mount.path.exists());
}

#[tokio::test]
async fn a_revision_that_is_not_there_leaves_nothing_behind() {
    let temp = tempfile::tempdir().unwrap();
    let repos = repos(temp.path()).await;
    commit(&repos, "one").await;
    let checkouts = Checkouts::open(temp.path(), repos, lfs(temp.path())).unwrap();
    let missing = Oid::from_bytes([9; 20]);
    assert!(matches!(checkouts.ensure(SPACE, missing).await, Err(CheckoutError::Git(GitError::NoCommit(_)))));
    let left = names(&checkouts.shared.checkouts.dir.open_dir(SPACE.to_string()).unwrap()).unwrap();
    assert_eq!(left, [""; 0]);
}

#[tokio::test]
async fn large_files_stand_where_their_pointers_were() {
    use spaceport_core::lfs::LfsPointer;
    let temp = tempfile::tempdir().unwrap();
    let repos = repos(temp.path()).await;
    let keys = KeyStore::open(&temp.path().join("keys")).unwrap();
    let db = Arc::new(Db::open(&temp.path().join("store"), &keys, Options::default()).unwrap().0);
    let space = crate::testing::space("one");
    let mut batch = spaceport_db::Batch::default();
    batch.insert_space(&db, &space);
    db.commit(batch).await.unwrap();
    let lfs = LfsStore::open(temp.path(), db, ManualClock::new(1)).unwrap();
    let content = vec![7; 100_000];
    let pointer = LfsPointer { oid: sha(&content), size: content.len() as u64 };
    lfs.receive(space.id, pointer.oid, pointer.size, content.as_slice()).await.unwrap();
    let strange = LfsPointer { oid: sha(b"another"), size: 7 };

    let put = |path: &str, mode, content: String| Change::Put {
        path: RepoPath::parse(path).unwrap(),
        mode,
        content: Bytes::from(content),
    };
    let changes = vec![
        put("model.bin", FileMode::Regular, pointer.to_string()),
        put("a/same.bin", FileMode::Executable, pointer.to_string()),
        put("link", FileMode::Symlink, "model.bin".to_owned()),
        put("strange.bin", FileMode::Regular, strange.to_string()),
        put("index.html", FileMode::Regular, "small".to_owned()),
    ];
    let author = Author { name: "ada".into(), email: "ada@localhost".into(), at: 1000 };
    let message = "large".to_owned();
    let spec = CommitSpec { branch: DEPLOY_BRANCH.into(), parent: None, author, message, changes };
    let revision = repos.create(space.id).await.unwrap().commit(spec).await.unwrap();

    let checkouts = Checkouts::open(temp.path(), repos, lfs).unwrap();
    let mount = checkouts.ensure(space.id, revision).await.unwrap();
    for path in ["model.bin", "a/same.bin", "link"] {
        assert!(std::fs::read(mount.path.join(path)).unwrap() == content, "{path}");
    }
    assert_eq!(std::fs::read_to_string(mount.path.join("strange.bin")).unwrap(), strange.to_string());
    let files = checkouts.files(space.id, revision).await.unwrap();
    let sizes: Vec<(&str, u64)> = files.iter().map(|(path, file)| (path.as_str(), file.size)).collect();
    let large = pointer.size;
    let expected =
        [("a/same.bin", large), ("index.html", 5), ("link", large), ("model.bin", large), ("strange.bin", 126)];
    assert_eq!(sizes, expected);
    // A checkout that goes takes nothing with it.
    checkouts.remove_copies(space.id).await.unwrap();
    let objects = temp.path().join("lfs/objects").join(&pointer.oid.to_string()[..2]);
    assert!(std::fs::read(objects.join(pointer.oid.to_string())).unwrap() == content);
}

fn sha(content: &[u8]) -> spaceport_core::lfs::LfsOid {
    use sha2::Digest;
    spaceport_core::lfs::LfsOid::from_bytes(sha2::Sha256::digest(content).into())
}
