//! How far a log has been read, for whoever begins it anew.

use spaceport_backend_protocol::LogLine;

/// How far a log has been read. Lines that say when they were written are known by that, others by their number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bookmark {
    /// When the newest line was written, and how many of this moment have been read.
    newest: Option<(u64, u64)>,
    /// Lines that have been read.
    read: u64,
}

/// A log being read from its beginning up to a bookmark, and on.
pub(super) struct Reading {
    begun_at: Bookmark,
    seen: u64,
    /// Lines of the bookmark's very moment that were seen.
    seen_then: u64,
}

impl Bookmark {
    /// Everything up to this moment has been read.
    pub(super) fn at(moment: u64) -> Self {
        Self { newest: Some((moment, u64::MAX)), read: 0 }
    }

    /// Begins to read from the log's first line.
    pub(super) fn begin(self) -> Reading {
        Reading { begun_at: self, seen: 0, seen_then: 0 }
    }

    fn advance(&mut self, line: &LogLine) {
        self.read += 1;
        let Some(at) = line.at_ms else { return };
        self.newest = match self.newest {
            Some((newest, count)) if newest == at => Some((at, count.saturating_add(1))),
            Some((newest, count)) if newest > at => Some((newest, count)),
            _ => Some((at, 1)),
        };
    }
}

impl Reading {
    /// Whether a line is a new one; the bookmark is moved on then.
    pub(super) fn is_new(&mut self, line: &LogLine, mark: &mut Bookmark) -> bool {
        self.seen += 1;
        let is_new = match (line.at_ms, self.begun_at.newest) {
            (Some(at), Some((newest, _))) if at < newest => false,
            (Some(at), Some((newest, count))) if at == newest => {
                self.seen_then += 1;
                self.seen_then > count
            }
            (Some(_), _) => true,
            (None, _) => self.seen > self.begun_at.read,
        };
        if is_new {
            mark.advance(line);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use spaceport_backend_protocol::LogStream;

    use super::*;

    fn line(text: &str, at_ms: Option<u64>) -> LogLine {
        LogLine { stream: LogStream::Out, text: text.to_owned(), at_ms }
    }

    /// The texts of the lines that are new to the bookmark.
    fn read(mark: &mut Bookmark, lines: &[LogLine]) -> Vec<String> {
        let mut reading = mark.begin();
        lines.iter().filter(|line| reading.is_new(line, mark)).map(|line| line.text.clone()).collect()
    }

    #[test]
    fn nothing_is_read_twice_and_nothing_is_left_out() {
        let timed: Vec<LogLine> =
            [("a", 1), ("b", 2), ("c", 2), ("d", 3)].iter().map(|(text, at)| line(text, Some(*at))).collect();
        let mut mark = Bookmark::default();
        assert_eq!(read(&mut mark, &timed[..2]), ["a", "b"]);
        assert_eq!(read(&mut mark, &timed[..3]), ["c"], "two lines of one moment");
        // The oldest lines are not kept for ever.
        assert_eq!(read(&mut mark, &timed[1..]), ["d"]);
        assert_eq!(read(&mut mark, &timed), Vec::<String>::new());
    }

    #[test]
    fn lines_without_a_time_are_counted() {
        let lines = ["a", "b", "c"].map(|text| line(text, None));
        let mut mark = Bookmark::default();
        assert_eq!(read(&mut mark, &lines[..2]), ["a", "b"]);
        assert_eq!(read(&mut mark, &lines), ["c"]);
    }

    #[test]
    fn a_log_is_read_on_from_a_moment() {
        let lines = [("a", 5), ("b", 7), ("c", 8)].map(|(text, at)| line(text, Some(at)));
        assert_eq!(read(&mut Bookmark::at(7), &lines), ["c"]);
    }
}
