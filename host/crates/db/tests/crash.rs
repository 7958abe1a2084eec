//! The promise of the database, put to the test from outside: what was acknowledged survives `kill -9` and a full disk,
//! and nothing is ever there by halves.
//!
//! Each test starts this very program again as a child, which runs the same test but finds an environment variable that
//! tells it to be the writer. The child says on its standard output what was acknowledged; a pipe survives its writer.

#![expect(clippy::unwrap_used, reason = "helpers of a test may unwrap as the test may")]
#![expect(clippy::disallowed_methods, reason = "a test that starts a child tells it so by the environment")]

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::{Release, State};
use spaceport_core::revision::Oid;
use spaceport_db::{BuiltRelease, CommitError, Db, KeyStore, Options};
use tempfile::TempDir;

/// Set for the child: the data directory to write to.
const CHILD_DIR: &str = "SPACEPORT_DB_TEST_DIR";
/// Rounds of the kill test.
const ROUNDS: u32 = 30;
/// Longest wait for a child to start working, on a machine busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);
/// Tasks of the child that commit at the same time.
const WORKERS: u8 = 4;
/// Rows one batch adds.
const ROWS: u64 = 3;
/// Journal sizes from which it is compacted.
const ALL_THE_TIME: u64 = 32 << 10;
const NEVER: u64 = u64::MAX;
/// Batches whose rows are kept; each batch removes those of the one that many before it.
const KEPT: u64 = 20;

#[test]
fn kill_9_at_any_moment_loses_nothing_that_was_acknowledged() {
    if let Some(dir) = child_dir() {
        return commit_until_killed(&dir);
    }
    let home = TempDir::new().unwrap();
    let mut acknowledged = HashMap::new();
    for round in 0..ROUNDS {
        let (mut child, output) = spawn("kill_9_at_any_moment_loses_nothing_that_was_acknowledged", home.path(), &[]);
        let (first, worked) = mpsc::channel();
        let pause = Duration::from_millis(rand::random_range(0..=120));
        let killer = std::thread::spawn(move || {
            // In some rounds also before it has opened the database, or while it rebuilds the index.
            if round % 3 != 0 {
                worked.recv_timeout(PATIENCE).expect("the child acknowledges something");
            }
            std::thread::sleep(pause);
            child.kill().unwrap();
            child.wait().unwrap();
        });
        read_acknowledged(output, &mut acknowledged, || first.send(()).unwrap_or_default());
        killer.join().unwrap();
        damage_index(home.path(), round);
        verify(home.path(), &mut acknowledged, &format!("round {round}, killed {pause:?} later"));
    }
}

#[test]
fn a_full_disk_refuses_writes_and_loses_nothing() {
    if let Some(dir) = child_dir() {
        return commit_until_full(&dir);
    }
    let home = TempDir::new().unwrap();
    // Room for a part of what the child wants to write. The limit would end the process by a signal if nobody ignored it.
    let limited = ["sh", "-c", "trap '' XFSZ; ulimit -f 400; exec \"$@\"", "sh"];
    let (mut child, output) = spawn("a_full_disk_refuses_writes_and_loses_nothing", home.path(), &limited);
    let mut acknowledged = HashMap::new();
    read_acknowledged(output, &mut acknowledged, || ());
    assert!(child.wait().unwrap().success(), "the child found something wrong");
    assert!(acknowledged[&0] > 10, "{acknowledged:?}");
    let (_, warnings) = open(home.path(), NEVER);
    assert!(!warnings.iter().any(|warning| warning.contains("cut off")), "the refused batch was left: {warnings:?}");
    verify(home.path(), &mut acknowledged, "after the disk was full");
}

/// The child of the kill test.
fn commit_until_killed(dir: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (db, _) = open(dir, ALL_THE_TIME);
    runtime.block_on(async {
        let mut workers = Vec::new();
        for worker in 0..WORKERS {
            let db = db.clone();
            workers.push(tokio::task::spawn(async move {
                for number in next_number(&db, worker).. {
                    commit(&db, worker, number).await.unwrap();
                    acknowledge(worker, number);
                }
            }));
        }
        for worker in workers {
            worker.await.unwrap();
        }
    });
}

/// The child of the test with a full disk.
fn commit_until_full(dir: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (db, _) = open(dir, NEVER);
    let mut number = next_number(&db, 0);
    let refusal = loop {
        match runtime.block_on(commit(&db, 0, number)) {
            Ok(_) => acknowledge(0, number),
            Err(refusal) => break refusal,
        }
        number += 1;
    };
    assert_eq!(refusal, CommitError::StorageFull);
    assert_eq!(runtime.block_on(commit(&db, 0, number)), Err(CommitError::StorageFull), "and again");
    assert_eq!(db.health().read_only, None, "there may be room later");
    assert_eq!(next_number(&db, 0), number, "reading goes on, and the refused batch is nowhere");
}

/// One batch of a worker: rows of its own number, none of an old one's, and the number itself.
async fn commit(db: &Db, worker: u8, number: u64) -> Result<u64, CommitError> {
    let space = space(worker);
    let mut batch = db.batch();
    for row in 0..ROWS {
        batch.put(db.releases(), &(space, number * ROWS + row), &row_of(worker, number));
        if let Some(old) = number.checked_sub(KEPT) {
            batch.delete(db.releases(), &(space, old * ROWS + row));
        }
    }
    batch.put(db.lifecycles(), &space, &State { next_instance: number, ..State::default() });
    db.commit(batch).await
}

fn row_of(worker: u8, number: u64) -> BuiltRelease {
    let release = Release { number, revision: Oid::from_bytes([worker; 20]) };
    BuiltRelease { release, artifact: format!("{worker} {number}"), readme: "r".repeat(200), created_at: number }
}

fn next_number(db: &Db, worker: u8) -> u64 {
    db.lifecycles().get(&space(worker)).unwrap().map_or(1, |state| state.next_instance + 1)
}

fn space(worker: u8) -> SpaceId {
    SpaceId::from_bytes([worker; 12])
}

fn acknowledge(worker: u8, number: u64) {
    // One write, so that a line is in the pipe whole or not at all.
    std::io::stdout().write_all(format!("\nack {worker} {number}\n").as_bytes()).unwrap();
}

/// Reads until the child is gone; calls `worked` at every acknowledgement.
fn read_acknowledged(output: BufReader<ChildStdout>, acknowledged: &mut HashMap<u8, u64>, worked: impl Fn()) {
    for line in output.lines().map_while(Result::ok) {
        let mut words = line.split(' ');
        if let (Some("ack"), Some(worker), Some(number)) = (words.next(), words.next(), words.next()) {
            acknowledged.insert(worker.parse().unwrap(), number.parse().unwrap());
            worked();
        }
    }
}

/// Everything acknowledged is there, and every batch is there whole or not at all.
#[track_caller]
fn verify(dir: &Path, acknowledged: &mut HashMap<u8, u64>, when: &str) {
    let (db, warnings) = open(dir, NEVER);
    for worker in 0..WORKERS {
        let known = acknowledged.get(&worker).copied().unwrap_or(0);
        let found = next_number(&db, worker) - 1;
        assert!(found >= known, "{when}: worker {worker} was told {known}, but {found} is there; {warnings:?}");
        // A worker waits for each batch before the next, so at most one can be there that nobody was told of.
        assert!(found <= known + 1, "{when}: worker {worker} was told {known}, but {found} is there; {warnings:?}");
        let rows = db.releases().under(&space(worker)).unwrap();
        let first = found.saturating_sub(KEPT - 1).max(1);
        let expected = (first..=found).flat_map(|number| (0..ROWS).map(move |row| (number * ROWS + row, number)));
        let expected: Vec<_> = expected.map(|(key, number)| ((space(worker), key), row_of(worker, number))).collect();
        assert_eq!(rows, expected, "{when}: the rows of worker {worker}");
        acknowledged.insert(worker, found);
    }
}

/// Does to the index what must not matter.
fn damage_index(dir: &Path, round: u32) {
    let index = dir.join("store/sled");
    match round % 5 {
        1 => fs::remove_dir_all(index).unwrap_or_default(),
        3 => {
            let file = index.join("db");
            let Ok(mut bytes) = fs::read(&file) else { return };
            for _ in 0..20 {
                let at = rand::random_range(0..bytes.len().max(1));
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 0xff);
            }
            fs::write(file, bytes).unwrap();
        }
        _ => {}
    }
}

fn open(dir: &Path, compact_after: u64) -> (Db, Vec<String>) {
    let keys = KeyStore::open(&dir.join("keys")).unwrap();
    let options = Options { compact_after, ..Options::default() };
    let (db, report) = Db::open(&dir.join("store"), &keys, options).unwrap();
    (db, report.warnings())
}

fn child_dir() -> Option<PathBuf> {
    std::env::var_os(CHILD_DIR).map(PathBuf::from)
}

/// Starts this program again, running this one test, behind the words of `wrapper`.
fn spawn(test: &str, dir: &Path, wrapper: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut words: Vec<OsString> = wrapper.iter().map(OsString::from).collect();
    words.push(std::env::current_exe().unwrap().into());
    words.extend(["--exact", test, "--nocapture"].map(OsString::from));
    let mut child =
        Command::new(&words[0]).args(&words[1..]).env(CHILD_DIR, dir).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}
