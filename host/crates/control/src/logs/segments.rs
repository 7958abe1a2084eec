//! A log on disk: a ring of files, each begun with the number of its first line in its name.
//!
//! A line is stored as `<number> <milliseconds> <text>`. When the newest file is full another is begun and the oldest goes.
//! A host that was killed may leave a last line by halves, which is cut off when the log is opened.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom, Write};

use cap_std::fs::{Dir, OpenOptions};
use spaceport_core::lifecycle::Millis;

use super::{LogKind, LogLine};

/// Bytes of one file.
const SEGMENT: u64 = 512 << 10;
/// Files of one log, so a log has at most 4 MiB.
const SEGMENTS: usize = 8;
/// Bytes that a reader takes at once.
const CHUNK: u64 = 64 << 10;

/// A log on disk, as its only writer sees it.
pub(super) struct Segments {
    dir: Dir,
    kind: LogKind,
    /// First line numbers, oldest file first.
    firsts: VecDeque<u64>,
    /// Bytes of the newest file.
    newest_bytes: u64,
    next_seq: u64,
    last_at: Millis,
}

/// Where a reader is: a file by its first line's number, and a byte in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    first: u64,
    offset: u64,
}

impl Segments {
    /// Opens the log in a Space's folder.
    pub(super) fn open(dir: Dir, kind: LogKind) -> io::Result<Self> {
        let firsts: VecDeque<u64> = list(&dir, kind)?.into();
        let mut segments = Self { dir, kind, firsts, newest_bytes: 0, next_seq: 1, last_at: 0 };
        segments.restore()?;
        Ok(segments)
    }

    /// Appends lines.
    pub(super) fn append(&mut self, lines: &[String], now: Millis) -> io::Result<()> {
        // A clock set back must not show lines in another order than they came.
        self.last_at = self.last_at.max(now);
        let mut records = Vec::new();
        for line in lines {
            if self.firsts.is_empty() || self.newest_bytes >= SEGMENT {
                self.write(&mut records)?;
                self.begin_segment()?;
            }
            let start = records.len();
            writeln!(records, "{} {} {line}", self.next_seq, self.last_at)?;
            self.next_seq += 1;
            self.newest_bytes += (records.len() - start) as u64;
        }
        self.write(&mut records)
    }

    /// Begins the log anew: what it held is removed, its numbers go on.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        self.begin_segment()?;
        while self.firsts.len() > 1 {
            self.remove_oldest()?;
        }
        Ok(())
    }

    fn restore(&mut self) -> io::Result<()> {
        let Some(newest) = self.firsts.back().copied() else { return Ok(()) };
        self.next_seq = newest;
        let mut file = self.dir.open_with(name(self.kind, newest), OpenOptions::new().read(true).write(true))?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        self.newest_bytes = whole as u64;
        for line in parse(&content[..whole]) {
            self.next_seq = self.next_seq.max(line.seq + 1);
            self.last_at = self.last_at.max(line.timestamp);
        }
        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        if self.firsts.back() != Some(&self.next_seq) {
            let options = OpenOptions::new().write(true).create(true).truncate(true).clone();
            self.dir.open_with(name(self.kind, self.next_seq), &options)?;
            self.firsts.push_back(self.next_seq);
        }
        self.newest_bytes = 0;
        while self.firsts.len() > SEGMENTS {
            self.remove_oldest()?;
        }
        Ok(())
    }

    fn remove_oldest(&mut self) -> io::Result<()> {
        if let Some(first) = self.firsts.pop_front() {
            match self.dir.remove_file(name(self.kind, first)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn write(&mut self, records: &mut Vec<u8>) -> io::Result<()> {
        if let (false, Some(newest)) = (records.is_empty(), self.firsts.back()) {
            // Opened for each write: a host with many Spaces must not hold a file for each.
            let options = OpenOptions::new().append(true).create(true).clone();
            let written =
                self.dir.open_with(name(self.kind, *newest), &options).and_then(|mut file| file.write_all(records));
            records.clear();
            if written.is_err() {
                // It may end in half a line now, so the next one goes elsewhere.
                self.newest_bytes = SEGMENT;
            }
            return written;
        }
        Ok(())
    }
}

/// When the last line was stored.
pub(super) fn last_at(dir: &Dir, kind: LogKind) -> io::Result<Option<Millis>> {
    let Some(newest) = list(dir, kind)?.last().copied() else { return Ok(None) };
    let content = dir.read(name(kind, newest))?;
    let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    Ok(parse(&content[..whole]).last().map(|line| line.timestamp))
}

/// Reads the lines from a place on that have at least this number; at most a chunk. Moves the place.
pub(super) fn read(dir: &Dir, kind: LogKind, place: &mut Place, from: u64) -> io::Result<Vec<LogLine>> {
    loop {
        let (lines, bytes) = read_chunk(dir, kind, *place)?;
        place.offset += bytes;
        if bytes > 0 {
            let lines: Vec<LogLine> = lines.into_iter().filter(|line| line.seq >= from).collect();
            if lines.is_empty() {
                continue;
            }
            return Ok(lines);
        }
        let firsts = list(dir, kind)?;
        match firsts.into_iter().find(|first| *first > place.first) {
            Some(next) => *place = Place { first: next, offset: 0 },
            None => return Ok(Vec::new()),
        }
    }
}

/// The whole lines at a place, and how many bytes they have; none if the file is not there any more.
fn read_chunk(dir: &Dir, kind: LogKind, place: Place) -> io::Result<(Vec<LogLine>, u64)> {
    let mut file = match dir.open(name(kind, place.first)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        opened => opened?,
    };
    file.seek(SeekFrom::Start(place.offset))?;
    let mut content = Vec::new();
    file.take(CHUNK).read_to_end(&mut content)?;
    let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    Ok((parse(&content[..whole]).collect(), whole as u64))
}

fn parse(content: &[u8]) -> impl Iterator<Item = LogLine> {
    content.split(|byte| *byte == b'\n').filter_map(|record| {
        let record = String::from_utf8_lossy(record);
        let mut fields = record.splitn(3, ' ');
        let (seq, timestamp) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(LogLine { seq, timestamp, text: fields.next()?.to_owned() })
    })
}

/// The first line numbers of a log's files, in order.
fn list(dir: &Dir, kind: LogKind) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for entry in dir.entries()? {
        let file = entry?.file_name();
        let first = file.to_str().and_then(|name| {
            let digits = name.strip_prefix(kind.prefix())?.strip_prefix('-')?.strip_suffix(".log")?;
            digits.parse::<u64>().ok()
        });
        firsts.extend(first);
    }
    firsts.sort_unstable();
    Ok(firsts)
}

fn name(kind: LogKind, first: u64) -> String {
    format!("{}-{first:020}.log", kind.prefix())
}

#[cfg(test)]
mod tests {
    use cap_std::ambient_authority;

    use super::*;

    fn read_all(dir: &Dir) -> Vec<LogLine> {
        let (mut place, mut all) = (Place::default(), Vec::new());
        loop {
            let lines = read(dir, LogKind::Run, &mut place, 0).unwrap();
            if lines.is_empty() {
                return all;
            }
            all.extend(lines);
        }
    }

    fn open(dir: &Dir) -> Segments {
        Segments::open(dir.try_clone().unwrap(), LogKind::Run).unwrap()
    }

    #[test]
    fn a_log_is_a_ring_of_bounded_size() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(temp.path(), ambient_authority()).unwrap();
        let mut segments = open(&dir);
        let lines = vec!["x".repeat(1000); 1000];
        for _ in 0..20 {
            segments.append(&lines, 5).unwrap();
        }
        let bytes: u64 = dir.entries().unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(bytes <= SEGMENTS as u64 * (SEGMENT + 2000), "{bytes}");
        let kept = read_all(&dir);
        assert_eq!(kept.last().unwrap().seq, 20_000);
        assert!(kept.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
        assert!(kept.len() > 3000, "{}", kept.len());
    }

    #[test]
    fn numbers_go_on_after_a_restart_and_a_torn_line_is_cut_off() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(temp.path(), ambient_authority()).unwrap();
        open(&dir).append(&["one".into(), "two".into()], 7).unwrap();
        let mut torn = dir.open_with(name(LogKind::Run, 1), OpenOptions::new().append(true)).unwrap();
        torn.write_all(b"3 8 thr").unwrap();
        open(&dir).append(&["three".into()], 3).unwrap();
        let found = read_all(&dir);
        let expected = [(1, 7, "one"), (2, 7, "two"), (3, 7, "three")];
        assert_eq!(found, expected.map(|(seq, timestamp, text)| LogLine { seq, timestamp, text: text.into() }));
    }

    #[test]
    fn a_log_that_begins_anew_holds_only_what_follows() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(temp.path(), ambient_authority()).unwrap();
        let mut segments = open(&dir);
        segments.append(&["old".into()], 1).unwrap();
        segments.begin().unwrap();
        assert_eq!(read_all(&dir), []);
        drop(segments);
        open(&dir).append(&["new".into()], 2).unwrap();
        assert_eq!(read_all(&dir), [LogLine { seq: 2, timestamp: 2, text: "new".into() }]);
    }

    #[test]
    fn a_reader_whose_file_is_gone_goes_on_with_the_next() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(temp.path(), ambient_authority()).unwrap();
        let mut segments = open(&dir);
        segments.append(&["old".into()], 1).unwrap();
        let mut place = Place::default();
        read(&dir, LogKind::Run, &mut place, 0).unwrap();
        segments.begin().unwrap();
        segments.append(&["new".into()], 1).unwrap();
        let lines = read(&dir, LogKind::Run, &mut place, 2).unwrap();
        assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["new"]);
    }
}
