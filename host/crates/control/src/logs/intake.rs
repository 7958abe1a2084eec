//! The near end of a log: a bounded buffer in memory with a budget of bytes per second.
//!
//! When either is used up, lines are counted instead of kept until the budget has recovered to a good part, so that a
//! flood is seen as a few stretches of text with a note between them, and costs whoever floods a scan for line ends.

use std::time::Instant;

/// Bytes that may wait for the writer.
const MAX_WAITING: usize = 256 << 10;
/// Bytes a second a log may grow by for long: some thousand lines, more than anybody reads.
const RATE: f64 = 256.0 * 1024.0;
/// Bytes it may grow by at once: a stack trace, the start of a chatty app.
const BURST: f64 = 1024.0 * 1024.0;
/// Budget at which lines are kept again after some were dropped.
const RESUME: f64 = BURST / 4.0;
/// What a line costs beside its text: its number and time are stored too.
const LINE_OVERHEAD: usize = 32;

/// What has been said and is not on disk yet.
pub(super) struct Intake {
    text: Vec<u8>,
    budget: f64,
    refilled: Instant,
    /// Lines not kept since the last note; `None` while lines are kept.
    dropped: Option<u64>,
}

/// What there was to write.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Text in the order it came, with notes of what was dropped.
    pub(super) text: Vec<u8>,
    /// Lines are being dropped now: there will be a note later.
    pub(super) is_shedding: bool,
}

impl Intake {
    pub(super) fn new(now: Instant) -> Self {
        Self { text: Vec::new(), budget: BURST, refilled: now, dropped: None }
    }

    /// Keeps as much of a text as there is room for; returns how many lines were not kept.
    pub(super) fn push(&mut self, text: &[u8], now: Instant) -> u64 {
        self.refill(now);
        self.resume(RESUME);
        if self.dropped.is_some() {
            return self.drop_lines(text);
        }
        let kept = self.fitting(text);
        self.text.extend_from_slice(&text[..kept]);
        self.budget -= cost(&text[..kept]) as f64;
        if kept == text.len() { 0 } else { self.drop_lines(&text[kept..]) }
    }

    /// Takes what waits. Lines dropped are noted as soon as there is budget for more, or at once if `is_last`.
    pub(super) fn take(&mut self, now: Instant, is_last: bool) -> Taken {
        self.refill(now);
        self.resume(if is_last { f64::NEG_INFINITY } else { RESUME });
        Taken { text: std::mem::take(&mut self.text), is_shedding: self.dropped.is_some() }
    }

    /// Forgets everything, as for a new log.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.dropped = None;
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.budget = (self.budget + elapsed * RATE).min(BURST);
        self.refilled = now;
    }

    /// Ends the dropping, with a note, once the budget is large enough.
    fn resume(&mut self, budget: f64) {
        if self.budget < budget {
            return;
        }
        if let Some(lines) = self.dropped.take() {
            if !matches!(self.text.last(), None | Some(b'\n')) {
                self.text.push(b'\n');
            }
            let lines = lines.max(1);
            let note = format!("… {} {} dropped\n", grouped(lines), if lines == 1 { "line" } else { "lines" });
            self.text.extend_from_slice(note.as_bytes());
        }
    }

    /// Bytes of a text that there is room and budget for: whole lines if not all.
    fn fitting(&self, text: &[u8]) -> usize {
        let room = MAX_WAITING.saturating_sub(self.text.len());
        let budget = self.budget.max(0.0) as usize;
        if text.len() <= room && cost(text) <= budget {
            return text.len();
        }
        let (mut kept, mut spent) = (0, 0);
        for line in text[..text.len().min(room)].split_inclusive(|byte| *byte == b'\n') {
            spent += line.len() + LINE_OVERHEAD;
            if spent > budget || line.last() != Some(&b'\n') {
                break;
            }
            kept += line.len();
        }
        kept
    }

    fn drop_lines(&mut self, text: &[u8]) -> u64 {
        let lines = count_lines(text);
        *self.dropped.get_or_insert(0) += lines;
        lines
    }
}

fn cost(text: &[u8]) -> usize {
    text.len() + usize::try_from(count_lines(text)).unwrap_or(usize::MAX) * LINE_OVERHEAD
}

fn count_lines(text: &[u8]) -> u64 {
    // Summed in small counters of a block each, which the compiler turns into vector instructions.
    let blocks = text.chunks(255);
    blocks.map(|block| u64::from(block.iter().fold(0u8, |sum, byte| sum + u8::from(*byte == b'\n')))).sum()
}

/// 12345678 as `12,345,678`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn text_comes_out_as_it_went_in() {
        let now = Instant::now();
        let mut intake = Intake::new(now);
        assert_eq!(intake.push(b"one\ntw", now), 0);
        assert_eq!(intake.push(b"o\n", now), 0);
        assert_eq!(intake.take(now, false), Taken { text: b"one\ntwo\n".to_vec(), is_shedding: false });
        assert_eq!(intake.take(now, false), Taken::default());
    }

    #[test]
    fn a_flood_is_counted_and_noted_once_it_ebbs() {
        let now = Instant::now();
        let mut intake = Intake::new(now);
        let chunk = b"0123456789012345678901234567890\n".repeat(1000);
        let (mut dropped, mut kept) = (0, 0);
        for _ in 0..1000 {
            dropped += intake.push(&chunk, now);
            kept += intake.take(now, false).text.len();
        }
        assert!(kept as f64 <= BURST, "{kept}");
        assert_eq!(dropped as usize + kept / 32, 1_000_000);
        assert!(intake.take(now, false).is_shedding);

        let later = now + Duration::from_secs(2);
        assert_eq!(intake.push(b"after\n", later), 0);
        let text = String::from_utf8(intake.take(later, false).text).unwrap();
        assert_eq!(text, format!("… {} lines dropped\nafter\n", grouped(dropped)));
    }

    #[test]
    fn what_waits_is_bounded_in_whole_lines() {
        let now = Instant::now();
        let mut intake = Intake::new(now);
        let lines = b"x".repeat(1000).into_iter().chain([b'\n']).collect::<Vec<u8>>().repeat(1000);
        assert!(intake.push(&lines, now) > 0);
        let text = intake.take(now, true).text;
        assert!(text.len() <= MAX_WAITING + 100, "{}", text.len());
        let last = text.split(|byte| *byte == b'\n').rev().nth(1).unwrap();
        assert!(String::from_utf8_lossy(last).ends_with("lines dropped"));
    }

    #[test]
    fn a_flood_of_empty_lines_costs_what_they_take_on_disk() {
        let now = Instant::now();
        let mut intake = Intake::new(now);
        let dropped = intake.push(&b"\n".repeat(200_000), now);
        assert!(200_000 - dropped <= (BURST as u64) / LINE_OVERHEAD as u64, "{dropped}");
    }

    #[test]
    fn large_numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(number), text);
        }
    }
}
