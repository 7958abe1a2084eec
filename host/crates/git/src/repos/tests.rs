//! Against the real git, in a temporary directory; crashes are played by what they leave behind.

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::commit::{Author, Change, CommitSpec};
use crate::path::RepoPath;
use crate::tree::FileMode;

const SPACE: SpaceId = SpaceId::from_bytes([0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbc]);

fn spec(content: &str) -> CommitSpec {
    let content = Bytes::from(content.to_owned());
    CommitSpec {
        branch: "main".into(),
        parent: None,
        author: Author { name: "Ada".into(), email: "ada@example.org".into(), at: 0 },
        message: "x".into(),
        changes: vec![Change::Put { path: RepoPath::parse("a").unwrap(), mode: FileMode::Regular, content }],
    }
}

fn top(folder: &TempDir) -> Dir {
    Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap()
}

#[tokio::test]
async fn repositories_are_made_listed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let repos = Repos::open(folder.path()).await.unwrap();
    assert_eq!(repos.list().await.unwrap(), []);
    let head = repos.create(SPACE).await.unwrap().commit(spec("1")).await.unwrap();
    assert!(top(&folder).is_dir("bc/0a00000000000000000000bc.git"));
    assert_eq!(
        repos.create(SPACE).await.unwrap().head("main").await.unwrap(),
        Some(head),
        "made again, it is as it was"
    );
    assert_eq!(repos.list().await.unwrap(), [SPACE]);
    repos.remove(SPACE).await.unwrap();
    repos.remove(SPACE).await.unwrap();
    assert_eq!(repos.list().await.unwrap(), []);
    assert!(matches!(repos.repo(SPACE).head("main").await, Err(GitError::NoRepository(_))));
}

#[tokio::test]
async fn a_second_process_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let first = Repos::open(folder.path()).await.unwrap();
    assert!(matches!(Repos::open(folder.path()).await, Err(GitError::InUse)));
    drop(first);
    assert!(Repos::open(folder.path()).await.is_ok());
}

#[tokio::test]
async fn what_a_crash_left_is_swept_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let repos = Repos::open(folder.path()).await.unwrap();
    let head = repos.create(SPACE).await.unwrap().commit(spec("1")).await.unwrap();
    drop(repos);

    let dir = top(&folder);
    let repo = dir.open_dir("bc/0a00000000000000000000bc.git").unwrap();
    let left = [
        "refs/heads/main.lock",
        "packed-refs.lock",
        "config.lock",
        "fast_import_crash_123",
        "objects/pack/tmp_pack_x",
        "objects/pack/.tmp-1-pack-x.pack",
        "objects/tmp_obj_x",
        "objects/tmp_objdir-incoming-x/pack/p",
        "objects/ab/tmp_obj_y",
        "refs/heads/feature/x.lock",
    ];
    for path in left {
        repo.create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        repo.write(path, "left").unwrap();
    }
    dir.create_dir_all("tmp/half-made.git/objects").unwrap();
    dir.write("tmp/file", "left").unwrap();

    let repos = Repos::open(folder.path()).await.unwrap();
    for path in left {
        assert!(!repo.exists(path), "{path}");
    }
    assert_eq!(dir.read_dir("tmp").unwrap().count(), 0);
    let repo = repos.repo(SPACE);
    assert_eq!(repo.head("main").await.unwrap(), Some(head));
    assert_ne!(repo.commit(spec("2")).await.unwrap(), head);
}

#[tokio::test]
async fn what_a_failed_import_left_goes_and_a_push_under_way_stays() {
    let folder = tempfile::tempdir().unwrap();
    let repos = Repos::open(folder.path()).await.unwrap();
    let head = repos.create(SPACE).await.unwrap().commit(spec("1")).await.unwrap();
    let repo = top(&folder).open_dir("bc/0a00000000000000000000bc.git").unwrap();
    let (left, under_way) =
        (["fast_import_crash_7", "objects/pack/tmp_pack_x", "objects/pack/tmp_idx_x"], ["objects/incoming-x/pack/p"]);
    for path in left.iter().chain(&under_way) {
        repo.create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        repo.write(path, "left").unwrap();
    }
    sweep::sweep_import(&repo).unwrap();
    assert!(left.iter().all(|path| !repo.exists(path)));
    assert!(under_way.iter().all(|path| repo.exists(path)));
    assert_eq!(repos.repo(SPACE).head("main").await.unwrap(), Some(head));
}

#[tokio::test]
async fn a_damaged_repository_keeps_nobody_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let dir = top(&folder);
    dir.create_dir_all("bc/0a00000000000000000000bc.git").unwrap();
    dir.write("ab", "a file where a folder is expected").unwrap();
    let repos = Repos::open(folder.path()).await.unwrap();
    assert!(matches!(repos.repo(SPACE).head("main").await, Err(GitError::Git { .. })));
    let other = SpaceId::from_bytes([3; 12]);
    assert!(repos.create(other).await.unwrap().commit(spec("1")).await.is_ok());
}

#[tokio::test]
async fn locks_of_repositories_out_of_use_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let repos = Repos::open(folder.path()).await.unwrap();
    for n in 0..100 {
        drop(repos.repo(SpaceId::from_bytes([n; 12])));
    }
    assert!(repos.shared.writing.lock().unwrap().len() <= 1);
}

#[tokio::test]
async fn a_copy_has_the_history_and_outlives_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let repos = Repos::open(folder.path()).await.unwrap();
    let other = SpaceId::from_bytes([0x0b; 12]);
    let original = repos.create(SPACE).await.unwrap();
    let first = original.commit(spec("1")).await.unwrap();
    let head = original.commit(spec("2")).await.unwrap();
    let author = Author { name: "Ada".into(), email: "a".into(), at: 0 };
    original.create_tag("v1", first, Some("one"), &author).await.unwrap();
    original.create_branch("side", first).await.unwrap();
    let copy = repos.copy(SPACE, other).await.unwrap();
    assert_eq!(copy.refs().await.unwrap(), original.refs().await.unwrap());
    original.commit(spec("3")).await.unwrap();
    repos.remove(SPACE).await.unwrap();

    assert_eq!(copy.head("main").await.unwrap(), Some(head));
    assert_eq!(copy.log(head, 10).await.unwrap().len(), 2);
    assert_eq!(copy.read(first, "a").await.unwrap().unwrap(), "1");
    let next = copy.commit(spec("4")).await.unwrap();
    assert_eq!(repos.copy(SPACE, other).await.unwrap().head("main").await.unwrap(), Some(next), "as it was");
    let missing = repos.copy(SPACE, SpaceId::from_bytes([0x0c; 12])).await;
    assert!(matches!(missing, Err(GitError::NoRepository(SPACE))), "{missing:?}");
}

#[tokio::test]
async fn a_repository_shows_a_revision_of_another_and_follows_it() {
    const PREVIEW: SpaceId = SpaceId::from_bytes([0x0b; 12]);
    let folder = tempfile::tempdir().unwrap();
    let repos = Repos::open(folder.path()).await.unwrap();
    let origin = repos.create(SPACE).await.unwrap();
    let first = origin.commit(spec("1")).await.unwrap();
    let preview = repos.show(SPACE, PREVIEW, first).await.unwrap();
    assert_eq!(preview.head("main").await.unwrap(), Some(first));
    let second = origin.commit(spec("2")).await.unwrap();
    assert_eq!(preview.head("main").await.unwrap(), Some(first), "until it is told");
    for shown in [second, second, first] {
        repos.show(SPACE, PREVIEW, shown).await.unwrap();
        assert_eq!(preview.head("main").await.unwrap(), Some(shown));
    }
    repos.remove(SPACE).await.unwrap();
    assert_eq!(preview.read(second, "a").await.unwrap().unwrap(), "2", "it needs nobody else");
    assert!(repos.show(SPACE, PREVIEW, first).await.is_err());
}
