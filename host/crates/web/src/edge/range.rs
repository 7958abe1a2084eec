//! Byte ranges (RFC 9110, section 14): what a `Range` header comes to for a representation of known length.

use std::ops::Range;

/// Ranges of one request that are answered one by one; whoever wants more gets the whole. Players and PDF readers ask for
/// a handful.
const MAX_RANGES: usize = 16;

/// What a `Range` header comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ranges {
    /// Send the whole: not in bytes, not understood, or no gain over the whole.
    Whole,
    /// 416: nothing of what is wanted exists.
    Unsatisfiable,
    /// Send one part.
    One(Range<u64>),
    /// Send several.
    Many(Vec<Range<u64>>),
}

/// Reads a `Range` header for a representation of `length` bytes.
pub(super) fn parse(header: &[u8], length: u64) -> Ranges {
    let Some(specs) = std::str::from_utf8(header).ok().and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return Ranges::Whole;
    };
    let mut ranges = Vec::new();
    for spec in specs.split(',').map(str::trim).filter(|spec| !spec.is_empty()) {
        match parse_one(spec, length) {
            None => return Ranges::Whole,
            Some(range) if range.is_empty() => {}
            Some(_) if ranges.len() == MAX_RANGES => return Ranges::Whole,
            Some(range) => ranges.push(range),
        }
    }
    // Ranges that overlap until they exceed the whole are how a small request makes a large answer.
    let total = ranges.iter().fold(0u64, |sum, range| sum.saturating_add(range.end - range.start));
    match ranges.len() {
        0 => Ranges::Unsatisfiable,
        1 => Ranges::One(ranges.swap_remove(0)),
        _ if total > length => Ranges::Whole,
        _ => Ranges::Many(ranges),
    }
}

/// One range, empty if it lies outside; `None` if it is not one.
fn parse_one(spec: &str, length: u64) -> Option<Range<u64>> {
    let number = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        // A number too large for us is a place beyond every end.
        true => Some(text.parse::<u64>().unwrap_or(u64::MAX)),
        false => None,
    };
    let (first, last) = spec.split_once('-')?;
    if first.is_empty() {
        let suffix = number(last)?;
        return Some(length.saturating_sub(suffix)..length);
    }
    let first = number(first)?;
    let end = if last.is_empty() { length } else { number(last)?.saturating_add(1).min(length) };
    if !last.is_empty() && number(last)? < first {
        return None;
    }
    Some(first.min(end)..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (header, ranges) in [
            ("bytes=0-4", Ranges::One(0..5)),
            ("bytes=5-", Ranges::One(5..10)),
            ("bytes=-3", Ranges::One(7..10)),
            ("bytes=-30", Ranges::One(0..10)),
            ("bytes=8-99", Ranges::One(8..10)),
            ("bytes=0-0, 9-9", Ranges::Many(vec![0..1, 9..10])),
            ("bytes=0-0,20-30", Ranges::One(0..1)),
            ("bytes=10-", Ranges::Unsatisfiable),
            ("bytes=-0", Ranges::Unsatisfiable),
            ("bytes=99999999999999999999-", Ranges::Unsatisfiable),
            ("bytes=5-4", Ranges::Whole),
            ("bytes=a-b", Ranges::Whole),
            ("bytes=--1", Ranges::Whole),
            ("items=0-4", Ranges::Whole),
            ("bytes=0-8,1-9", Ranges::Whole),
        ] {
            assert_eq!(parse(header.as_bytes(), 10), ranges, "{header}");
        }
        assert_eq!(parse(b"bytes=0-", 0), Ranges::Unsatisfiable);
    }

    #[test]
    fn more_ranges_than_anybody_needs_get_the_whole() {
        let many: Vec<String> = (0..=MAX_RANGES as u64).map(|n| format!("{n}-{n}")).collect();
        assert_eq!(parse(format!("bytes={}", many.join(",")).as_bytes(), 1000), Ranges::Whole);
        let fewer = &many[..MAX_RANGES];
        assert!(matches!(parse(format!("bytes={}", fewer.join(",")).as_bytes(), 1000), Ranges::Many(_)));
    }
}
