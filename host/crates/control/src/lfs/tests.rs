use std::sync::atomic::Ordering;

use spaceport_core::space::Space;
use spaceport_db::{KeyStore, Options};
use tempfile::TempDir;

use super::*;
use crate::testing::ManualClock;

struct Fixture {
    store: LfsStore,
    db: Arc<Db>,
    clock: Arc<ManualClock>,
    dir: TempDir,
}

impl Fixture {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = KeyStore::open(&dir.path().join("keys")).unwrap();
        let db = Arc::new(Db::open(&dir.path().join("store"), &keys, Options::default()).unwrap().0);
        let clock = ManualClock::new(1_000_000);
        let store = LfsStore::open(dir.path(), db.clone(), clock.clone()).unwrap();
        Self { store, db, clock, dir }
    }

    async fn space(&self, name: &str) -> Space {
        let space = crate::testing::space(name);
        let mut batch = Batch::default();
        batch.insert_space(&self.db, &space);
        self.db.commit(batch).await.unwrap();
        space
    }

    /// Everything below `lfs/`.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.dir.path().join(FOLDER)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(entry.path()),
                    false => found.push(entry.file_name().to_string_lossy().into_owned()),
                }
            }
        }
        found
    }
}

fn oid(content: &[u8]) -> LfsOid {
    use sha2::Digest;
    LfsOid::from_bytes(sha2::Sha256::digest(content).into())
}

#[tokio::test]
async fn a_file_is_there_as_a_whole_or_not_at_all() {
    let fixture = Fixture::start().await;
    let space = fixture.space("one").await.id;
    let (store, content) = (&fixture.store, b"some content".as_slice());
    let (name, size) = (oid(content), content.len() as u64);
    for (sent, size) in [(&content[1..], size), (b"othe content".as_slice(), size), (content, size - 1)] {
        let refused = store.receive(space, name, size, sent).await;
        assert!(matches!(refused, Err(LfsError::Mismatch(_))), "{refused:?}");
        assert_eq!((store.find(space, name).unwrap(), fixture.files()), (None, Vec::new()));
    }
    store.receive(space, name, size, content).await.unwrap();
    assert_eq!(store.find(space, name).unwrap().map(|link| link.size), Some(size));
    assert_eq!(fixture.files(), [name.to_string()]);
    let mut read = Vec::new();
    store.read(name, 5..12).await.unwrap().read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"content");

    let gone = SpaceId::from_bytes([9; 12]);
    let refused = store.receive(gone, name, size, content).await;
    assert!(matches!(refused, Err(LfsError::NoSpace)), "{refused:?}");
    assert_eq!(store.find(gone, name).unwrap(), None);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_start_and_what_was_not_is_gone() {
    let fixture = Fixture::start().await;
    let space = fixture.space("one").await.id;
    let content = b"kept".as_slice();
    fixture.store.receive(space, oid(content), 4, content).await.unwrap();
    std::fs::write(fixture.dir.path().join("lfs/tmp/17"), "half of somethi").unwrap();
    let store = LfsStore::open(fixture.dir.path(), fixture.db.clone(), fixture.clock.clone()).unwrap();
    assert!(store.find(space, oid(content)).unwrap().is_some());
    assert_eq!(fixture.files(), [oid(content).to_string()]);
}

#[tokio::test]
async fn contents_without_a_space_are_collected_and_others_stay() {
    let fixture = Fixture::start().await;
    let (one, two) = (fixture.space("one").await, fixture.space("two").await);
    for (space, content) in [(&one, b"shared"), (&two, b"shared"), (&one, b"single")] {
        fixture.store.receive(space.id, oid(content), 6, content.as_slice()).await.unwrap();
    }
    let mut batch = Batch::default();
    batch.remove_space(&fixture.db, &one).unwrap();
    fixture.db.commit(batch).await.unwrap();
    assert_eq!(fixture.store.collect().await.unwrap(), 1);
    assert_eq!(fixture.files(), [oid(b"shared").to_string()]);
    assert_eq!(fixture.store.of(two.id).unwrap().len(), 1);
}

#[tokio::test]
async fn parts_that_nobody_goes_on_with_are_dropped() {
    let fixture = Fixture::start().await;
    let space = fixture.space("one").await.id;
    let upload = (space, oid(b"x"), 4);
    fixture.store.receive_part(upload, 0, b"part".as_slice()).await.unwrap();
    let refused = fixture.store.receive_part(upload, 1, b"part".as_slice()).await;
    assert!(matches!(refused, Err(LfsError::NoUpload)), "{refused:?}");
    fixture.store.drop_stale_parts().await.unwrap();
    assert_eq!(fixture.files().len(), 1);
    // The clock of the test is behind that of the disk, and moves past it.
    fixture.clock.advance(u64::MAX / 4);
    fixture.store.drop_stale_parts().await.unwrap();
    assert_eq!(fixture.files(), Vec::<String>::new());
}

#[tokio::test]
async fn a_space_has_no_more_than_its_share() {
    let fixture = Fixture::start().await;
    let space = fixture.space("one").await.id;
    let refused = fixture.store.admit(space, oid(b"new"), MAX_LARGE_FILE + 1).await;
    assert!(matches!(refused, Err(LfsError::TooLarge(_))), "{refused:?}");
    let mut batch = Batch::default();
    let link = LfsLink { size: MAX_SPACE_BYTES - 1, created_at: 1 };
    batch.put(fixture.db.lfs_links(), &(space, oid(b"huge")), &link);
    fixture.db.commit(batch).await.unwrap();
    fixture.store.admit(space, oid(b"new"), 1).await.unwrap();
    let refused = fixture.store.admit(space, oid(b"new"), 2).await;
    assert!(matches!(refused, Err(LfsError::TooLarge(_))), "{refused:?}");
}

#[tokio::test]
async fn what_has_come_in_parts_counts_towards_the_share() {
    let fixture = Fixture::start().await;
    let (space, other) = (fixture.space("one").await.id, fixture.space("two").await.id);
    let (begun, new) = (oid(b"begun"), oid(b"new"));
    fixture.store.receive_part((space, begun, 4), 0, b"part".as_slice()).await.unwrap();
    let mut batch = Batch::default();
    for space in [space, other] {
        let link = LfsLink { size: MAX_SPACE_BYTES - 4, created_at: 1 };
        batch.put(fixture.db.lfs_links(), &(space, oid(b"huge")), &link);
    }
    fixture.db.commit(batch).await.unwrap();
    let refused = fixture.store.admit(space, new, 1).await;
    assert!(matches!(&refused, Err(LfsError::TooLarge(why)) if why.contains("unfinished")), "{refused:?}");
    fixture.store.admit(space, begun, 4).await.expect("itself is counted once");
    fixture.store.admit(other, new, 4).await.expect("parts are those of one Space");
}

#[tokio::test]
async fn an_upload_ends_when_others_have_filled_the_disk() {
    const SIZE: u64 = 64 << 20;
    let mut fixture = Fixture::start().await;
    let looks = Arc::new(AtomicU64::new(0));
    let counted = looks.clone();
    let shared = Arc::get_mut(&mut fixture.store.shared).expect("nobody else has the store");
    // The disk is full at the second look: the first is before anything is sent.
    shared.room = Box::new(move || Ok(if counted.fetch_add(1, Ordering::SeqCst) == 0 { u64::MAX } else { 0 }));
    let space = fixture.space("one").await.id;
    let refused = fixture.store.receive(space, oid(b"x"), SIZE, tokio::io::repeat(0).take(SIZE)).await;
    assert!(matches!(refused, Err(LfsError::StorageFull)), "{refused:?}");
    assert_eq!((looks.load(Ordering::SeqCst), fixture.files()), (2, Vec::new()));
}

#[tokio::test]
async fn what_arrives_while_its_space_is_removed_goes_with_it() {
    let world = crate::testing::World::new().await;
    let lfs = &world.fleet.shared().lfs;
    let (gone, kept) = (world.store("gone").await, world.store("kept").await);
    for (space, content) in [(&gone, b"1"), (&kept, b"2")] {
        lfs.receive(space.id, oid(content), 1, content.as_slice()).await.unwrap();
    }
    lfs.receive_part((gone.id, oid(b"x"), 4), 0, b"part".as_slice()).await.unwrap();
    // As a deletion that had looked for its files before the first came.
    let mut batch = Batch::default();
    batch.delete(world.db.spaces(), &gone.id);
    world.db.commit(batch).await.unwrap();
    crate::supervisor::remove_files(world.fleet.shared(), gone.id).await;
    assert_eq!((lfs.of(gone.id).unwrap().len(), lfs.of(kept.id).unwrap().len()), (0, 1));
    let data = world.temp.path().join("lfs");
    assert!(!data.join(object(oid(b"1"))).exists() && data.join(object(oid(b"2"))).exists());
    assert_eq!(std::fs::read_dir(data.join(PARTS)).unwrap().count(), 0);
}
