use std::sync::atomic::Ordering;
use std::time::Duration;

use spaceport_core::id::AccountId;
use spaceport_core::lifecycle::State;

use super::*;
use crate::like::Like;
use crate::testing::{Home, finding, release, space, space_id};
use crate::{Expect, IndexReport, OnDamage};

fn insert(db: &Db, number: u32) -> Batch {
    let mut batch = db.batch();
    batch.insert_space(db, &space(number));
    batch
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let home = Home::new();
    let (db, _) = home.open();
    let first = db.commit(insert(&db, 1)).await.unwrap();
    let second = db.commit(insert(&db, 2)).await.unwrap();
    assert_eq!(second, first + 1);
    drop(db);

    let (db, report) = home.open();
    assert_eq!((report.last, report.index.clone()), (second, IndexReport::Current));
    assert!(report.warnings().is_empty());
    assert_eq!(db.spaces().scan().unwrap(), [(space_id(1), space(1)), (space_id(2), space(2))]);
    assert_eq!(db.space_by_path(&"ADA/SPACE-2".parse().unwrap()).unwrap(), Some(space(2)));
    assert_eq!(db.lifecycles().get(&space_id(1)).unwrap(), Some(State::default()));
}

#[tokio::test]
async fn of_two_who_want_a_name_at_once_one_gets_it() {
    let home = Home::new();
    let (db, _) = home.open();
    let mut other = space(1);
    other.id = space_id(2);
    let mut batch = db.batch();
    batch.insert_space(&db, &other);
    let (first, second) = tokio::join!(db.commit(insert(&db, 1)), db.commit(batch));
    assert!(first.is_ok());
    let key = "ada/space-1".to_owned();
    assert_eq!(second, Err(CommitError::Conflict { table: TableId::SpacePaths, key }));
    assert_eq!(db.spaces().get(&space_id(2)).unwrap(), None);
}

#[tokio::test]
async fn a_row_that_changed_meanwhile_is_not_replaced() {
    let home = Home::new();
    let (db, _) = home.open();
    db.commit(insert(&db, 1)).await.unwrap();
    let (mut read, version) = db.spaces().get_versioned(&space_id(1)).unwrap().unwrap();
    read.hardware = "cpu-upgrade".into();
    for expected in [true, false] {
        let mut batch = db.batch();
        batch.replace(db.spaces(), &read.id, &read, version);
        assert_eq!(db.commit(batch).await.is_ok(), expected);
    }
    let mut batch = db.batch();
    batch.expect(db.spaces(), &space_id(9), Expect::Present);
    assert!(matches!(db.commit(batch).await, Err(CommitError::Conflict { table: TableId::Spaces, .. })));
}

#[tokio::test]
async fn removing_a_space_removes_all_its_rows_and_frees_its_name() {
    let home = Home::new();
    let (db, _) = home.open();
    for number in [1, 2] {
        let mut batch = insert(&db, number);
        for release_number in [1, 2] {
            batch.put(db.releases(), &(space_id(number), release_number), &release(release_number));
        }
        let sealed = home.keys.seal_secret(space_id(number), "TOKEN", "swordfish");
        batch.put(db.secrets(), &(space_id(number), "TOKEN".into()), &sealed);
        let revision = spaceport_core::revision::Oid::from_bytes([7; 20]);
        let linked = crate::LinkedRepos { revision, linked: Default::default() };
        batch.put(db.linked_repos(), &space_id(number), &linked);
        batch.put(db.findings(), &(space_id(number), "a".into()), &finding());
        db.commit(batch).await.unwrap();
    }
    assert_eq!(db.newest_release(space_id(1)).unwrap(), Some(release(2)));
    let mut batch = db.batch();
    batch.remove_space(&db, &space(1)).unwrap();
    db.commit(batch.clone()).await.unwrap();
    assert!(matches!(db.commit(batch).await, Err(CommitError::Conflict { .. })));

    assert_eq!(db.releases().under(&space_id(1)).unwrap(), []);
    assert_eq!(db.secrets().under(&space_id(1)).unwrap(), []);
    assert_eq!(db.releases().under(&space_id(2)).unwrap().len(), 2);
    assert_eq!(db.findings().scan().unwrap(), [((space_id(2), "a".into()), finding())]);
    assert_eq!(db.linked_repos().scan().unwrap().len(), 1);
    assert_eq!(db.lifecycles().scan().unwrap().len(), 1);
    db.commit(insert(&db, 1)).await.unwrap();
}

#[tokio::test]
async fn many_commits_share_an_fsync_and_all_are_numbered() {
    let home = Home::new();
    let (db, _) = home.open();
    let commits = (0..300).map(|number| {
        let db = db.clone();
        tokio::spawn(async move { db.commit(insert(&db, number)).await.unwrap() })
    });
    let commits: Vec<_> = commits.collect();
    let mut numbers = Vec::new();
    for commit in commits {
        numbers.push(commit.await.unwrap());
    }
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 300);
    drop(db);
    let report = home.open().1;
    assert_eq!((report.last, report.rows, report.index), (301, 1 + 4 * 300, IndexReport::Current));
}

#[tokio::test]
async fn an_index_that_is_let_go_of_late_is_kept() {
    let home = Home::new();
    let (db, _) = home.open();
    db.commit(insert(&db, 1)).await.unwrap();
    drop(db);
    let held = std::fs::File::open(home.path("store").join("sled/db")).unwrap();
    held.lock().unwrap();
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        drop(held);
    });
    let report = home.open().1;
    late.join().unwrap();
    assert_eq!(report.index, IndexReport::Current);
}

#[tokio::test]
async fn a_batch_beyond_the_limit_is_refused() {
    let home = Home::new();
    let (db, _) = home.open();
    let mut huge = release(1);
    huge.readme = "x".repeat(MAX_BATCH);
    let mut batch = db.batch();
    batch.put(db.releases(), &(space_id(1), 1), &huge);
    assert!(matches!(db.commit(batch).await, Err(CommitError::TooLarge(_))));
    assert_eq!(db.commit(db.batch()).await.unwrap(), 1, "an empty batch changes nothing");
}

#[tokio::test]
async fn a_failed_fsync_ends_writing_and_nothing_else() {
    let home = Home::new();
    let opened = open::open(&home.path("store"), home.options.clone()).unwrap();
    let faults = opened.journal.faults();
    let db = Db::start(&home.path("store"), opened).unwrap().0;
    db.commit(insert(&db, 1)).await.unwrap();

    faults.sync.store(true, Ordering::SeqCst);
    assert!(matches!(db.commit(insert(&db, 2)).await, Err(CommitError::ReadOnly(_))));
    assert!(matches!(db.commit(insert(&db, 3)).await, Err(CommitError::ReadOnly(_))), "not even tried");
    assert_eq!(db.health().read_only.as_deref(), Some("writing the journal failed: injected"));
    assert_eq!(db.spaces().scan().unwrap().len(), 1, "reading goes on");
    drop(db);

    let (db, report) = home.open();
    assert_eq!(db.spaces().scan().unwrap(), [(space_id(1), space(1))]);
    assert!(report.warnings().is_empty(), "{:?}", report.warnings());
    db.commit(insert(&db, 3)).await.unwrap();
}

#[tokio::test]
async fn only_one_process_opens_it() {
    let home = Home::new();
    let (db, _) = home.open();
    assert!(matches!(home.try_open(OnDamage::Refuse), Err(OpenError::InUse(_))));
    drop(db);
    home.open();
}

#[tokio::test]
async fn what_an_earlier_process_has_just_begun_to_start_is_waited_for() {
    let home = Home::new();
    drop(home.open());
    let path = home.path("store/lock");
    let lock = std::fs::File::open(&path).unwrap();
    lock.lock().unwrap();
    std::thread::scope(|scope| {
        let opened = scope.spawn(|| home.try_open(OnDamage::Refuse).map(drop));
        // Two have the file open once the second looks whether it is free.
        let is_it = |fd: &std::fs::DirEntry| std::fs::read_link(fd.path()).is_ok_and(|file| file == path);
        let holders = || std::fs::read_dir("/proc/self/fd").unwrap().flatten().filter(is_it).count();
        while holders() < 2 && !opened.is_finished() {
            std::thread::yield_now();
        }
        drop(lock);
        opened.join().unwrap().unwrap();
    });
}

#[tokio::test]
async fn a_foreign_master_key_is_refused() {
    let mut home = Home::new();
    drop(home.open());
    let own = home.keys.clone();
    home.keys = KeyStore::open(&home.path("other keys")).unwrap();
    let error = home.try_open(OnDamage::KeepReadable).err().unwrap();
    assert!(error.to_string().contains(&own.id()), "{error}");
    home.keys = own;
    home.open();
}

#[tokio::test]
async fn opening_without_keys_ties_the_database_to_none() {
    let mut home = Home::new();
    drop(Db::open_without_keys(&home.path("store"), Options::default()).unwrap());
    home.keys = KeyStore::open(&home.path("keys elsewhere")).unwrap();
    drop(home.open());
    drop(Db::open_without_keys(&home.path("store"), Options::default()).unwrap());
    home.open();
}

#[tokio::test]
async fn a_broken_index_is_set_aside_and_made_again() {
    let home = Home::new();
    let (db, _) = home.open();
    db.commit(insert(&db, 1)).await.unwrap();
    drop(db);
    let sled = home.path("store/sled");
    for damage in ["garbage", "file", "gone"] {
        match damage {
            "garbage" => {
                let mut bytes = std::fs::read(sled.join("db")).unwrap();
                bytes.iter_mut().for_each(|byte| *byte ^= 0x5a);
                std::fs::write(sled.join("db"), bytes).unwrap();
            }
            "file" => {
                std::fs::remove_dir_all(&sled).unwrap();
                std::fs::write(&sled, "not a directory").unwrap();
            }
            _ => std::fs::remove_dir_all(&sled).unwrap(),
        }
        let (db, report) = home.open();
        assert_eq!(db.spaces().scan().unwrap(), [(space_id(1), space(1))], "{damage}");
        match report.index {
            IndexReport::Created => assert_eq!(damage, "gone"),
            IndexReport::Rebuilt { ref set_aside, .. } => assert!(set_aside.exists() && report.warnings().len() == 1),
            other => panic!("{damage}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_index_that_lies_is_found_out() {
    let home = Home::new();
    let (db, _) = home.open();
    db.commit(insert(&db, 1)).await.unwrap();
    db.commit(insert(&db, 2)).await.unwrap();
    drop(db);
    for forged in [None, Some(vec![1])] {
        let (db, _) = home.open();
        let key = db.spaces().full_key(&space_id(1));
        db.index().apply(&[(3, crate::journal::Change { key, value: forged })]).unwrap();
        drop(db);
        let (db, report) = home.open();
        assert!(matches!(report.index, IndexReport::Rebuilt { .. }), "{report:?}");
        assert_eq!(db.spaces().scan().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn an_index_ahead_of_the_journal_is_loss_and_refused() {
    let home = Home::new();
    let (db, _) = home.open();
    db.commit(insert(&db, 1)).await.unwrap();
    let segment = home.journal_file("segment");
    let kept = std::fs::read(&segment).unwrap();
    db.commit(insert(&db, 2)).await.unwrap();
    drop(db);
    std::fs::write(&segment, kept).unwrap();

    let refused = home.try_open(OnDamage::Refuse).err().unwrap();
    assert!(matches!(refused, OpenError::JournalBehindIndex { journal: 2, index: 3 }), "{refused}");
    let (db, report) = home.try_open(OnDamage::KeepReadable).unwrap();
    assert_eq!(db.spaces().scan().unwrap(), [(space_id(1), space(1))]);
    assert!(report.lost.is_some());
    db.commit(insert(&db, 2)).await.unwrap();
    drop(db);
    assert!(home.open().1.warnings().is_empty());
}

#[tokio::test]
async fn the_index_falls_back_to_memory_when_sled_fails() {
    let home = Home::new();
    let (db, _) = home.open();
    db.commit(insert(&db, 1)).await.unwrap();
    let loaded = crate::journal::Journal::open(&home.path("store/journal"), 0, u64::MAX);
    let rows = loaded.unwrap_or_else(|readable| panic!("{}", readable.error)).1.rows;
    db.index().move_to_memory(rows);
    assert!(db.health().is_index_in_memory);

    db.commit(insert(&db, 2)).await.unwrap();
    assert!(matches!(db.commit(insert(&db, 2)).await, Err(CommitError::Conflict { .. })));
    assert_eq!(db.spaces().scan().unwrap().len(), 2);
    drop(db);
    // The failed index is closed by a thread that nobody waits for.
    let lock = std::fs::File::open(home.path("store/sled/db")).unwrap();
    lock.lock().unwrap();
    drop(lock);
    assert_eq!(home.open().1.index, IndexReport::CaughtUp(5));
}

#[tokio::test]
async fn metrics_are_kept_by_the_minute_and_swept() {
    use crate::MetricsBucket;
    let home = Home::new();
    let (db, _) = home.open();
    let bucket = |requests| MetricsBucket { requests, latency: vec![1, 2, 3], ..MetricsBucket::default() };
    for minute in [9, 10, 11, 12] {
        db.put_metrics(space_id(1), minute, &bucket(minute));
        db.put_metrics(space_id(2), minute, &bucket(0));
    }
    assert_eq!(db.metrics(space_id(1), 10, 12).unwrap(), [(10, bucket(10)), (11, bucket(11))]);
    assert_eq!(db.metrics(space_id(1), 12, 10).unwrap(), []);
    assert_eq!(db.sweep_metrics(11, |space| space != space_id(2)), 6);
    drop(db);
    let (db, _) = home.open();
    assert_eq!(db.metrics(space_id(1), 0, u64::MAX).unwrap().len(), 2);
    assert_eq!(db.metrics(space_id(2), 0, u64::MAX).unwrap(), []);
}

#[tokio::test]
async fn ten_thousand_spaces_are_read_within_a_second() {
    let home = Home::new();
    let (db, _) = home.open();
    for numbers in (0..10_000).collect::<Vec<u32>>().chunks(500) {
        let mut batch = db.batch();
        for number in numbers {
            batch.insert_space(&db, &space(*number));
        }
        db.commit(batch).await.unwrap();
    }
    drop(db);
    let (elapsed, rows) = crate::testing::timed(|| {
        let (db, _) = home.open();
        db.spaces().scan().unwrap().len() + db.lifecycles().scan().unwrap().len()
    });
    assert_eq!(rows, 20_000);
    // The figure is meant for optimised code; without optimisation everything but the disk takes several times as long.
    let limit = if cfg!(debug_assertions) { 10 } else { 1 };
    assert!(elapsed.as_secs_f64() < f64::from(limit), "{elapsed:?}");
}

#[tokio::test]
async fn the_large_files_of_a_space_are_copied_with_it_and_go_with_it() {
    let home = Home::new();
    let (db, _) = home.open();
    db.commit(insert(&db, 1)).await.unwrap();
    db.commit(insert(&db, 2)).await.unwrap();
    let [one, two] = [1, 2].map(|byte| spaceport_core::lfs::LfsOid::from_bytes([byte; 32]));
    let link = crate::LfsLink { size: 1 << 30, created_at: 1 };
    let mut batch = Batch::default();
    batch.put(db.lfs_links(), &(space_id(1), one), &link);
    batch.put(db.lfs_links(), &(space_id(1), two), &link);
    db.commit(batch).await.unwrap();
    let mut batch = Batch::default();
    batch.copy_lfs_links(&db, space_id(1), space_id(2)).unwrap();
    db.commit(batch).await.unwrap();
    assert_eq!(db.lfs_links().under(&space_id(2)).unwrap().len(), 2);
    let mut late = Batch::default();
    late.copy_lfs_links(&db, space_id(1), space_id(2)).unwrap();
    for number in [1, 2] {
        assert_eq!(db.linked_lfs().unwrap(), std::collections::HashSet::from([one, two]));
        let mut batch = Batch::default();
        batch.remove_space(&db, &space(number)).unwrap();
        db.commit(batch).await.unwrap();
    }
    let refused = db.commit(late).await;
    assert!(matches!(refused, Err(CommitError::Conflict { table: TableId::Spaces, .. })), "{refused:?}");
    assert!(db.linked_lfs().unwrap().is_empty());
}

/// Space 1 under another name.
fn renamed(name: &str) -> spaceport_core::space::Space {
    let path: spaceport_core::name::SpacePath = format!("Ada/{name}").parse().unwrap();
    let subdomain = spaceport_core::name::Subdomain::derive(&path);
    spaceport_core::space::Space { path, subdomain, ..space(1) }
}

async fn move_to(db: &Db, name: &str) -> Result<u64, CommitError> {
    let (old, version) = db.spaces().get_versioned(&space_id(1)).unwrap().unwrap();
    let mut batch = db.batch();
    batch.move_space(db, &old, &renamed(name), version).unwrap();
    db.commit(batch).await
}

#[tokio::test]
async fn a_moved_space_is_found_by_its_new_name_and_known_by_its_old_one() {
    let home = Home::new();
    let (db, _) = home.open();
    db.commit(insert(&db, 1)).await.unwrap();
    db.commit(insert(&db, 2)).await.unwrap();
    let taken = move_to(&db, "space-2").await;
    assert!(matches!(taken, Err(CommitError::Conflict { table: TableId::SpacePaths, .. })), "{taken:?}");
    assert_eq!(db.spaces().get(&space_id(1)).unwrap(), Some(space(1)));

    move_to(&db, "other").await.unwrap();
    let (old, new) = (space(1).path, renamed("other").path);
    assert_eq!(db.space_by_path(&old).unwrap(), None);
    assert_eq!(db.space_by_path(&new).unwrap(), Some(renamed("other")));
    assert_eq!(db.moved_from(&old).unwrap(), Some(renamed("other")));
    assert_eq!(db.subdomains().get(&"ada-space-1".to_owned()).unwrap(), None);
    assert_eq!(db.subdomains().get(&"ada-other".to_owned()).unwrap(), Some(space_id(1)));

    move_to(&db, "space-1").await.unwrap();
    assert_eq!(db.moved_from(&old).unwrap(), None, "it has its name again");
    assert_eq!(db.moved_from(&new).unwrap(), Some(space(1)));
    let mut batch = db.batch();
    batch.remove_space(&db, &space(1)).unwrap();
    db.commit(batch).await.unwrap();
    assert_eq!(db.moved_paths().scan().unwrap(), []);
}

#[tokio::test]
async fn a_new_space_has_its_name_for_itself() {
    let home = Home::new();
    let (db, _) = home.open();
    db.commit(insert(&db, 1)).await.unwrap();
    move_to(&db, "other").await.unwrap();
    let other = spaceport_core::space::Space { id: space_id(3), ..space(1) };
    let mut batch = db.batch();
    batch.insert_space(&db, &other);
    db.commit(batch).await.unwrap();
    assert_eq!(db.moved_from(&space(1).path).unwrap(), None);
    for number in 0..60 {
        move_to(&db, &format!("name-{number}")).await.unwrap();
    }
    assert_eq!(db.moved_paths().scan().unwrap().len(), 50);
}

#[tokio::test]
async fn the_list_at_hand_is_always_that_of_the_table() {
    let home = Home::new();
    let (db, _) = home.open();
    let check = |db: &Db| {
        let rows: Vec<_> = db.spaces().scan().unwrap().into_iter().map(|(_, space)| space).collect();
        let list = db.all_spaces().unwrap();
        assert_eq!(list.iter().map(|space| (**space).clone()).collect::<Vec<_>>(), rows);
        list
    };
    assert!(check(&db).is_empty());
    for number in 1..=3 {
        db.commit(insert(&db, number)).await.unwrap();
        assert_eq!(check(&db).len(), number as usize);
    }
    let before = check(&db);
    let mut batch = db.batch();
    batch.put(db.releases(), &(space_id(1), 1), &release(1));
    db.commit(batch).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&before, &check(&db)), "nothing of a Space has changed");

    move_to(&db, "other").await.unwrap();
    let after = check(&db);
    assert!(std::sync::Arc::ptr_eq(&before[1], &after[1]), "what has not changed is not read again");
    let mut batch = db.batch();
    batch.remove_space(&db, &space(2)).unwrap();
    db.commit(batch).await.unwrap();
    assert_eq!(check(&db).len(), 2);
    let loaded = crate::journal::Journal::open(&home.path("store/journal"), 0, u64::MAX);
    let rows = loaded.unwrap_or_else(|readable| panic!("{}", readable.error)).1.rows;
    db.index().move_to_memory(rows);
    db.commit(insert(&db, 4)).await.unwrap();
    assert_eq!(check(&db).len(), 3);
}

#[tokio::test]
async fn the_likes_at_hand_are_always_those_of_the_table() {
    let home = Home::new();
    let (db, _) = home.open();
    let check = |db: &Db| {
        let rows: Vec<_> = db.likes().scan().unwrap();
        let kept: Vec<_> = db.with_likes(|likes| likes.iter().map(|(key, like)| (*key, *like)).collect()).unwrap();
        assert_eq!(kept, rows);
        kept.len()
    };
    let key = |space, by| (space_id(space), AccountId::from_bytes([by; 12]));
    db.commit(insert(&db, 1)).await.unwrap();
    assert_eq!(check(&db), 0);
    for by in 1..=3 {
        let mut batch = db.batch();
        batch.put(db.likes(), &key(1, by), &Like { at: u64::from(by) }).put(db.likes(), &key(2, by), &Like { at: 7 });
        db.commit(batch).await.unwrap();
        assert_eq!(check(&db), 2 * usize::from(by));
    }
    let mut batch = db.batch();
    batch.delete(db.likes(), &key(2, 2)).put(db.likes(), &key(1, 1), &Like { at: 9 });
    db.commit(batch).await.unwrap();
    assert_eq!(check(&db), 5);
    let mut batch = db.batch();
    batch.remove_space(&db, &space(1)).unwrap();
    db.commit(batch).await.unwrap();
    assert_eq!(check(&db), 2);
}
