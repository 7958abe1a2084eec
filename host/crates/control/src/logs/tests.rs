use std::time::Duration;

use futures_util::StreamExt;

use super::*;
use crate::testing::ManualClock;

fn store(dir: &Path) -> LogStore {
    LogStore::open(dir, ManualClock::new(1000)).unwrap()
}

fn space(number: u8) -> SpaceId {
    SpaceId::from_bytes([number; 12])
}

async fn texts(reader: &mut LogReader, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let lines = tokio::time::timeout(Duration::from_secs(10), reader.next()).await.expect("lines in time");
        texts.extend(lines.expect("the log goes on").into_iter().map(|line| line.text));
    }
    texts
}

#[tokio::test]
async fn a_reader_gets_what_is_there_and_what_follows() {
    let temp = tempfile::tempdir().unwrap();
    let store = store(temp.path());
    let sink = store.run_sink(space(1), &[]);
    sink.write(b"one\ntwo\n");
    let mut reader = store.reader(space(1), LogKind::Run);
    assert_eq!(texts(&mut reader, 2).await, ["one", "two"]);
    let follower = tokio::spawn(async move { texts(&mut reader, 1).await });
    sink.write(b"three\n");
    assert_eq!(follower.await.unwrap(), ["three"]);
}

#[tokio::test]
async fn every_reader_sees_the_same_lines_again_after_a_restart() {
    let temp = tempfile::tempdir().unwrap();
    let first = store(temp.path());
    let sink = first.run_sink(space(1), &[]);
    for number in 0..3000 {
        sink.write(format!("line {number}\n").as_bytes());
    }
    let read = |reader: LogReader| reader.into_stream().take(3000).collect::<Vec<LogLine>>();
    let before = read(first.reader(space(1), LogKind::Run)).await;
    first.close();
    let second = store(temp.path());
    second.say(space(1), "after");
    assert_eq!(read(second.reader(space(1), LogKind::Run)).await, before);
    assert_eq!(before.iter().map(|line| line.seq).collect::<Vec<_>>(), (1..=3000).collect::<Vec<_>>());
    let mut reader = second.reader(space(1), LogKind::Run);
    assert_eq!(texts(&mut reader, 3001).await.last().unwrap(), "after");
}

#[tokio::test]
async fn half_a_line_is_stored_when_nothing_follows() {
    let temp = tempfile::tempdir().unwrap();
    let store = store(temp.path());
    store.run_sink(space(1), &[]).write(b"name? ");
    assert_eq!(texts(&mut store.reader(space(1), LogKind::Run), 1).await, ["name? "]);
}

#[tokio::test]
async fn secrets_of_this_launch_and_the_last_are_not_stored() {
    let temp = tempfile::tempdir().unwrap();
    let store = store(temp.path());
    let old = store.run_sink(space(1), &["old-canary".into()]);
    let new = store.run_sink(space(1), &["new-canary".into()]);
    old.write(b"old-canary\n");
    new.write(b"new-canary old-canary\n");
    assert_eq!(texts(&mut store.reader(space(1), LogKind::Run), 2).await, ["***", "*** ***"]);
    for entry in std::fs::read_dir(temp.path().join(space(1).to_string())).unwrap() {
        let stored = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&stored).contains("canary"));
    }
}

#[tokio::test]
async fn the_log_of_a_new_build_begins_anew_and_the_old_build_is_silent() {
    let temp = tempfile::tempdir().unwrap();
    let store = store(temp.path());
    let old = store.begin_build(space(1));
    old.write(b"old\n");
    let mut follower = store.reader(space(1), LogKind::Build);
    assert_eq!(texts(&mut follower, 1).await, ["old"]);
    let new = store.begin_build(space(1));
    old.write(b"too late\n");
    new.write(b"new\n");
    assert_eq!(texts(&mut follower, 1).await, ["new"]);
    assert_eq!(texts(&mut store.reader(space(1), LogKind::Build), 1).await, ["new"]);
}

#[tokio::test]
async fn what_was_said_before_a_flush_is_there_after_it_and_nothing_of_the_build_before() {
    let temp = tempfile::tempdir().unwrap();
    let store = store(temp.path());
    for round in 0..20 {
        let sink = store.begin_build(space(1));
        let mut reader = store.reader(space(1), LogKind::Build);
        let texts: Vec<String> = reader.available().await.into_iter().map(|line| line.text).collect();
        assert_eq!(texts, [""; 0], "the build before is not seen");
        sink.write(format!("{round}\n").as_bytes());
        store.flushed(space(1), LogKind::Build).await;
        let texts: Vec<String> = reader.available().await.into_iter().map(|line| line.text).collect();
        assert_eq!(texts, [round.to_string()]);
    }
    store.remove(space(1)).unwrap();
    store.flushed(space(1), LogKind::Build).await;
}

#[tokio::test]
async fn readers_end_when_the_space_is_gone_and_nothing_stays() {
    let temp = tempfile::tempdir().unwrap();
    let store = store(temp.path());
    let sink = store.run_sink(space(1), &[]);
    sink.write(b"one\n");
    let mut reader = store.reader(space(1), LogKind::Run);
    texts(&mut reader, 1).await;
    store.remove(space(1)).unwrap();
    assert_eq!(reader.next().await, None);
    sink.write(b"two\n");
    store.close();
    assert_eq!(store.spaces().unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_neither_blocks_its_guest_nor_hides_the_lines_of_others() {
    let temp = tempfile::tempdir().unwrap();
    let store = store(temp.path());
    let (flood, quiet) = (store.run_sink(space(1), &[]), store.run_sink(space(2), &[]));
    let text = b"0123456789012345678901234567890\n".repeat(2048);
    let flooding = std::thread::spawn(move || {
        for _ in 0..4000 {
            flood.write(&text);
        }
    });
    let mut reader = store.reader(space(2), LogKind::Run);
    for number in 0..20 {
        quiet.write(format!("{number}\n").as_bytes());
        assert_eq!(texts(&mut reader, 1).await, [number.to_string()]);
    }
    flooding.join().unwrap();
    let dropped = store.dropped_lines();
    assert!(dropped > 7_000_000, "{dropped}");
    store.close();
    let folder = temp.path().join(space(1).to_string());
    let stored: u64 = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(stored < 5 << 20, "{stored}");
    let mut last = String::new();
    let mut reader = store.reader(space(1), LogKind::Run);
    while let Some(line) = reader.available().await.pop() {
        last = line.text;
    }
    assert!(last.ends_with("lines dropped"), "{last}");
}
