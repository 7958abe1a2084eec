use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::index::Rows;
use crate::journal::file::{HEADER, Kind};

/// Compaction never happens by itself.
const NEVER: u64 = u64::MAX;

fn put(key: u8, value: &[u8]) -> Change {
    Change { key: vec![2, key], value: Some(value.to_vec()) }
}

#[track_caller]
fn open(dir: &Path) -> (Journal, Loaded) {
    Journal::open(dir, 0, NEVER).unwrap_or_else(|readable| panic!("{}", readable.error))
}

fn load_error(dir: &Path) -> OpenError {
    load::load(dir, 0, None).err().expect("the journal is damaged").error
}

/// Appends a frame of one batch for each value, and returns the rows and the segment's length after each frame.
fn fill(dir: &Path, values: &[Vec<u8>]) -> Vec<(Rows, u64)> {
    let (mut journal, loaded) = open(dir);
    let mut states = vec![(loaded.rows, journal.segment.len())];
    for (position, value) in values.iter().enumerate() {
        let batch = vec![put(position as u8, value), put(200, value)];
        journal.append(&[batch]).unwrap();
        states.push((journal.reload().unwrap().rows, journal.segment.len()));
    }
    states
}

fn newest_segment(dir: &Path) -> PathBuf {
    file::list(dir, Kind::Segment).unwrap().pop().unwrap().1
}

fn values() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_journal_cut_anywhere_keeps_every_whole_frame_and_goes_on(values in values(), at: prop::sample::Index) {
        let dir = TempDir::new().unwrap();
        let states = fill(dir.path(), &values);
        let segment = newest_segment(dir.path());
        let bytes = fs::read(&segment).unwrap();
        let at = HEADER + at.index(bytes.len() - HEADER + 1);
        fs::write(&segment, &bytes[..at]).unwrap();

        let whole = states.iter().rposition(|(_, len)| *len <= at as u64).unwrap();
        let (mut journal, loaded) = open(dir.path());
        prop_assert_eq!(&loaded.rows, &states[whole].0);
        prop_assert_eq!(loaded.cut.is_some(), states[whole].1 != at as u64);
        journal.append(&[vec![put(9, b"next")]]).unwrap();
        drop(journal);
        let (_, loaded) = open(dir.path());
        prop_assert_eq!(loaded.last, whole as u64 + 1);
        prop_assert!(loaded.cut.is_none());
    }

    #[test]
    fn a_flipped_bit_is_loud_unless_it_hits_the_last_frame(values in values(), at: prop::sample::Index, bit in 0..8u8) {
        let dir = TempDir::new().unwrap();
        let states = fill(dir.path(), &values);
        let segment = newest_segment(dir.path());
        let mut bytes = fs::read(&segment).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&segment, &bytes).unwrap();

        let last_frame = states[states.len() - 2].1;
        match load::load(dir.path(), 0, None) {
            Err(readable) => {
                prop_assert!((at as u64) < last_frame, "{}", readable.error);
                let kept = states.iter().any(|(rows, _)| *rows == readable.loaded.rows);
                prop_assert!(kept, "what is kept is the state after some batch");
            }
            Ok(loaded) => {
                prop_assert!(at as u64 >= last_frame);
                prop_assert_eq!(&loaded.rows, &states[states.len() - 2].0);
            }
        }
    }

    #[test]
    fn what_a_crash_leaves_behind_the_end_is_cut_off(values in values(), junk in prop::collection::vec(any::<u8>(), 1..200)) {
        let dir = TempDir::new().unwrap();
        let states = fill(dir.path(), &values);
        let segment = newest_segment(dir.path());
        let mut bytes = fs::read(&segment).unwrap();
        bytes.extend_from_slice(&junk);
        fs::write(&segment, &bytes).unwrap();
        let (_, loaded) = open(dir.path());
        prop_assert_eq!(&loaded.rows, &states.last().unwrap().0);
        prop_assert_eq!(loaded.cut.unwrap().bytes, junk.len() as u64);
        prop_assert_eq!(fs::metadata(&segment).unwrap().len(), states.last().unwrap().1);
    }

    #[test]
    fn a_flipped_bit_in_a_snapshot_is_loud(values in values(), at: prop::sample::Index, bit in 0..8u8) {
        let dir = TempDir::new().unwrap();
        fill(dir.path(), &values);
        let (mut journal, _) = open(dir.path());
        journal.compact().unwrap();
        drop(journal);
        let (_, snapshot) = file::list(dir.path(), Kind::Snapshot).unwrap().pop().unwrap();
        let mut bytes = fs::read(&snapshot).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&snapshot, &bytes).unwrap();
        let error = load_error(dir.path());
        prop_assert!(matches!(error, OpenError::Damaged { ref file, .. } if *file == snapshot), "{}", error);
    }

    #[test]
    fn any_bytes_read_as_frames_without_a_panic(bytes: Vec<u8>, salt: u32) {
        prop_assert!(frame::read(salt, &bytes).is_none());
        let body = frame::Frame { first: 1, count: 3, body: &bytes, len: bytes.len() };
        let _ = (body.batches(), body.rows());
    }
}

#[test]
fn a_group_of_batches_is_one_frame_and_survives_whole_or_not_at_all() {
    let dir = TempDir::new().unwrap();
    let (mut journal, _) = open(dir.path());
    journal.append(&[vec![put(1, b"a")], vec![put(2, b"b"), Change { key: vec![2, 1], value: None }]]).unwrap();
    drop(journal);
    let (_, loaded) = open(dir.path());
    assert_eq!((loaded.last, loaded.rows.keys().cloned().collect::<Vec<_>>()), (2, vec![vec![2, 2]]));
    assert_eq!(loaded.since.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 2]);

    let segment = newest_segment(dir.path());
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(open(dir.path()).1.last, 0);
}

#[test]
fn what_a_user_stores_never_passes_for_a_frame() {
    let dir = TempDir::new().unwrap();
    // A frame of a segment with another salt, as somebody who knows the format would make it.
    let forged = frame::of_batches(7, 2, &[vec![put(1, b"forged")]]);
    fill(dir.path(), &[b"first".to_vec(), forged]);
    let segment = newest_segment(dir.path());
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() - 1]).unwrap();
    let (_, loaded) = open(dir.path());
    assert_eq!(loaded.last, 1);
    assert!(loaded.cut.is_some(), "a torn end, no damage");
}

#[test]
fn compaction_keeps_all_rows_and_removes_what_it_replaced() {
    let dir = TempDir::new().unwrap();
    let states = fill(dir.path(), &vec![vec![1; 40]; 300]);
    let (mut journal, _) = open(dir.path());
    let old_segment = fs::read(newest_segment(dir.path())).unwrap();
    journal.compact().unwrap();
    journal.append(&[vec![put(201, b"after")]]).unwrap();
    drop(journal);
    assert_eq!(file::list(dir.path(), Kind::Segment).unwrap().len(), 1);

    // A crash before the old segment was removed changes nothing, nor does a snapshot that was never finished.
    fs::write(file::path(dir.path(), Kind::Segment, 1), old_segment).unwrap();
    fs::write(dir.path().join("snapshot-00000000000000000301.tmp"), "half").unwrap();
    let (mut journal, loaded) = open(dir.path());
    let mut expected = states.last().unwrap().0.clone();
    crate::index::apply_change(&mut expected, 301, put(201, b"after"));
    assert_eq!((loaded.last, loaded.rows), (301, expected.clone()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "leftovers are gone");

    journal.compact().unwrap();
    drop(journal);
    assert_eq!(open(dir.path()).1.rows, expected);
    assert_eq!(file::list(dir.path(), Kind::Snapshot).unwrap().len(), 1);
}

#[test]
fn a_journal_that_grows_is_compacted_by_itself() {
    let dir = TempDir::new().unwrap();
    let (mut journal, _) = Journal::open(dir.path(), 0, 4096).unwrap_or_else(|readable| panic!("{}", readable.error));
    for round in 0..200u8 {
        journal.append(&[vec![put(round % 3, &[round; 500])]]).unwrap();
        journal.compact_if_due().unwrap();
        // Waited for, so that a slow disk does not let the journal grow beyond what the test allows.
        journal.finish_compaction();
    }
    drop(journal);
    let size: u64 = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(size < 10_000, "{size} bytes for three rows");
    let (_, loaded) = open(dir.path());
    assert_eq!((loaded.last, loaded.rows.len()), (200, 3));
}

#[test]
fn a_missing_file_is_damage() {
    let dir = TempDir::new().unwrap();
    fill(dir.path(), &[vec![1], vec![2]]);
    let (mut journal, _) = open(dir.path());
    journal.compact().unwrap();
    journal.append(&[vec![put(1, b"x")]]).unwrap();
    drop(journal);
    let (snapshot, segment) =
        (file::list(dir.path(), Kind::Snapshot).unwrap().pop().unwrap().1, newest_segment(dir.path()));

    let bytes = fs::read(&snapshot).unwrap();
    fs::remove_file(&snapshot).unwrap();
    assert!(load_error(dir.path()).to_string().contains("batches before this file are missing"));
    fs::write(&snapshot, bytes).unwrap();
    fs::remove_file(&segment).unwrap();
    assert!(load_error(dir.path()).to_string().contains("the segment after the snapshot is missing"));
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let dir = TempDir::new().unwrap();
    fill(dir.path(), &[vec![1]]);
    let segment = newest_segment(dir.path());
    let mut bytes = fs::read(&segment).unwrap();
    bytes[8] = 2;
    let checksum = crc32fast::hash(&bytes[..28]);
    bytes[28..32].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&segment, bytes).unwrap();
    assert!(matches!(load_error(dir.path()), OpenError::TooNew { found: 2, known: 1, .. }));
}

#[test]
fn salvage_keeps_what_lies_before_the_damage_and_the_damaged_files() {
    let store = TempDir::new().unwrap();
    let dir = store.path().join("journal");
    fs::create_dir(&dir).unwrap();
    let states = fill(&dir, &[vec![1; 30], vec![2; 30], vec![3; 30]]);
    let segment = newest_segment(&dir);
    let mut bytes = fs::read(&segment).unwrap();
    bytes[states[1].1 as usize + 30] ^= 1;
    fs::write(&segment, &bytes).unwrap();

    let readable = load::load(&dir, 0, None).err().unwrap();
    assert!(matches!(readable.error, OpenError::Damaged { offset, readable: 1, .. } if offset == states[1].1));
    let aside = store.path().join("journal.damaged");
    salvage(&dir, &readable.loaded, &aside).unwrap();
    assert_eq!(fs::read(aside.join(segment.file_name().unwrap())).unwrap(), bytes);
    let (mut journal, loaded) = open(&dir);
    assert_eq!((loaded.last, &loaded.rows), (1, &states[1].0));
    journal.append(&[vec![put(1, b"on")]]).unwrap();
    drop(journal);

    // A crash in the middle of the exchange.
    fs::rename(&dir, store.path().join("journal.new")).unwrap();
    finish_interrupted(&dir).unwrap();
    assert_eq!(open(&dir).1.last, 2);
}
