//! What is charged, and what gives room back.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::sync::Arc;

use futures_util::FutureExt;
use tempfile::TempDir;
use wasmtime_wasi::p2::{OutputStream, StreamError};

use super::super::p2_stream::FileStream;
use super::super::quota::Quota;
use super::super::usage::Usage;
use super::super::write::{Location, set_size, write};

fn quota(bytes: u64, entries: u64) -> (TempDir, Arc<Quota>) {
    let dir = tempfile::tempdir().unwrap();
    let quota = Quota::open(dir.path(), Usage { bytes, entries }).unwrap();
    (dir, quota)
}

async fn fill(quota: &Arc<Quota>, file: &File, at: Location, bytes: usize) -> std::io::Result<usize> {
    let content = vec![b'x'; bytes];
    let (mut at, mut written) = (at, 0);
    while written < bytes {
        let n = write(quota, file, at, &content[written..]).await?;
        at.advance(n);
        written += n;
    }
    Ok(written)
}

#[tokio::test]
async fn a_file_can_grow_to_the_last_byte_and_no_further() {
    let (dir, quota) = quota(1000, 10);
    let file = File::create(dir.path().join("a")).unwrap();
    let error = fill(&quota, &file, Location::At(0), 1001).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(file.metadata().unwrap().len(), 1000, "what fits is written");
    assert_eq!(quota.used().bytes, 1000);
    assert_eq!(fill(&quota, &file, Location::End, 1).await.unwrap_err().kind(), ErrorKind::StorageFull);
}

#[tokio::test]
async fn writing_over_what_is_there_costs_nothing() {
    let (dir, quota) = quota(1000, 10);
    let file = File::options().create(true).truncate(true).read(true).write(true).open(dir.path().join("a")).unwrap();
    for _ in 0..100 {
        fill(&quota, &file, Location::At(0), 1000).await.unwrap();
    }
    assert_eq!(quota.used().bytes, 1000);
    assert!(fill(&quota, &file, Location::At(999), 2).await.is_err(), "the last byte of it is new");
}

#[tokio::test]
async fn a_hole_is_charged_as_if_it_were_written() {
    let (dir, quota) = quota(1000, 10);
    let file = File::create(dir.path().join("a")).unwrap();
    assert_eq!(write(&quota, &file, Location::At(2000), b"x").await.unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(set_size(&quota, &file, 1001).await.unwrap_err().kind(), ErrorKind::StorageFull);
    set_size(&quota, &file, 900).await.unwrap();
    assert_eq!(quota.used().bytes, 900);
    assert!(set_size(&quota, &file, u64::MAX).await.is_err());
}

#[tokio::test]
async fn what_was_removed_is_room_again() {
    let (dir, quota) = quota(1000, 10);
    let path = dir.path().join("a");
    let file = File::create(&path).unwrap();
    fill(&quota, &file, Location::At(0), 1000).await.unwrap();
    drop(file);
    let other = File::create(dir.path().join("b")).unwrap();
    assert!(fill(&quota, &other, Location::At(0), 500).await.is_err());
    fs::remove_file(path).unwrap();
    quota.freed();
    fill(&quota, &other, Location::At(0), 500).await.unwrap();
    assert_eq!(quota.used(), Usage { bytes: 500, entries: 1 });
    set_size(&quota, &other, 10).await.unwrap();
    fill(&quota, &other, Location::At(0), 1000).await.expect("shortening makes room as well");
}

#[tokio::test]
async fn a_file_without_a_name_takes_room_as_long_as_it_is_open() {
    let (dir, quota) = quota(1000, 10);
    let path = dir.path().join("a");
    let file = Arc::new(File::create(&path).unwrap());
    quota.opened(&file);
    fill(&quota, &file, Location::At(0), 900).await.unwrap();
    fs::remove_file(path).unwrap();
    quota.freed();
    let other = File::create(dir.path().join("b")).unwrap();
    assert!(fill(&quota, &other, Location::At(0), 200).await.is_err(), "its blocks are still there");
    drop(file);
    quota.freed();
    fill(&quota, &other, Location::At(0), 1000).await.unwrap();
}

#[tokio::test]
async fn names_are_limited_too_and_given_back_when_nothing_came_of_them() {
    let (_dir, quota) = quota(1000, 2);
    let first = quota.enter(Usage::entry(0)).await.unwrap();
    first.settle(Ok::<_, ()>(())).unwrap();
    let failed = quota.enter(Usage::entry(0)).await.unwrap();
    failed.settle(Err::<(), _>(())).unwrap_err();
    let second = quota.enter(Usage::entry(0)).await.unwrap();
    second.settle(Ok::<_, ()>(())).unwrap();
    assert_eq!(quota.used().entries, 2);
    assert_eq!(quota.enter(Usage::entry(0)).await.err().unwrap().kind(), ErrorKind::StorageFull);
}

#[tokio::test]
async fn a_mount_that_is_full_already_takes_nothing_more_but_can_be_worked_in() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), vec![0; 2000]).unwrap();
    let quota = Quota::open(dir.path(), Usage { bytes: 1000, entries: 10 }).unwrap();
    assert_eq!(quota.used(), Usage { bytes: 2000, entries: 1 });
    let file = File::options().write(true).open(dir.path().join("a")).unwrap();
    write(&quota, &file, Location::At(0), b"over").await.unwrap();
    assert!(write(&quota, &file, Location::End, b"on").await.is_err());
}

#[tokio::test]
async fn nobody_writes_while_the_mount_stands_still() {
    let (_dir, quota) = quota(1000, 10);
    let permit = quota.try_enter().unwrap();
    let mut waiting = Box::pin(quota.exclusive());
    assert!((&mut waiting).now_or_never().is_none(), "a permit is held");
    assert!(quota.try_enter().is_none(), "and no other is given");
    drop(permit);
    let still = waiting.await;
    assert!(quota.try_enter().is_none());
    drop(still);
    assert!(quota.try_enter().is_some());
    // Given up half-way it lets the others go on.
    let permit = quota.try_enter().unwrap();
    assert!(Box::pin(quota.exclusive()).now_or_never().is_none());
    assert!(quota.try_enter().is_some());
    drop(permit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_together_never_take_more_than_there_is() {
    const LIMIT: u64 = 200_000;
    let (dir, quota) = quota(LIMIT, 100);
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (quota, path) = (quota.clone(), dir.path().join(n.to_string()));
        writers.spawn(async move {
            let file = File::create(&path).unwrap();
            for round in 0..60 {
                match round % 10 {
                    9 => set_size(&quota, &file, 100).await.unwrap(),
                    _ => {
                        let _ = fill(&quota, &file, Location::End, 4000 + n * 13).await;
                    }
                }
            }
        });
    }
    let mut highest = 0;
    while let Some(done) = writers.join_next().await {
        done.unwrap();
        highest = highest.max(super::super::measure::measure(dir.path()).unwrap().bytes);
    }
    assert!(highest <= LIMIT, "{highest}");
    assert!(quota.used().bytes >= highest || quota.used().bytes <= LIMIT);
    let there = super::super::measure::measure(dir.path()).unwrap();
    assert!(quota.used().bytes >= there.bytes, "the account is an upper bound");
}

#[tokio::test]
async fn a_stream_permits_what_fits_and_says_why_it_permits_no_more() {
    let (dir, quota) = quota(1000, 10);
    let file = Arc::new(File::create(dir.path().join("a")).unwrap());
    let mut stream = FileStream::new(quota.clone(), file.clone(), Location::At(0));
    assert_eq!(stream.write_ready().await.unwrap(), 1000);
    stream.write(vec![b'x'; 700].into()).unwrap();
    assert_eq!(stream.check_write().unwrap(), 300);
    stream.blocking_write_and_flush(vec![b'x'; 300].into()).await.unwrap();
    let StreamError::LastOperationFailed(error) = stream.write_ready().await.unwrap_err() else { panic!("it failed") };
    let error = error.downcast::<std::io::Error>().unwrap();
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::NOSPC.raw_os_error()));
    assert!(matches!(stream.check_write(), Err(StreamError::Closed)));
    let mut over = FileStream::new(quota.clone(), file.clone(), Location::At(0));
    assert_eq!(over.check_write().unwrap(), 1000, "what is there may be written over");
    // A guest that writes more than it was permitted gets an error, and no more room.
    over.write(vec![b'y'; 1001].into()).unwrap();
    assert!(matches!(over.write_ready().await, Err(StreamError::LastOperationFailed(_))));
    assert_eq!(file.metadata().unwrap().len(), 1000);
}

#[tokio::test]
async fn two_who_open_the_same_directory_share_its_account() {
    let (dir, old) = quota(1000, 10);
    let new = Quota::open(dir.path(), Usage { bytes: 600, entries: 10 }).unwrap();
    let (one, other) = (File::create(dir.path().join("a")).unwrap(), File::create(dir.path().join("b")).unwrap());
    fill(&old, &one, Location::At(0), 500).await.unwrap();
    assert!(fill(&new, &other, Location::At(0), 200).await.is_err());
    assert_eq!((other.metadata().unwrap().len(), old.used().bytes), (100, 600), "the newer limit holds");
    drop((old, new));
    let again = Quota::open(dir.path(), Usage { bytes: 5000, entries: 10 }).unwrap();
    assert_eq!(again.used(), Usage { bytes: 600, entries: 2 });
}
