//! Frames: what is written and checked as one.
//!
//! ```text
//! magic u32 | length u32 | first u64 | count u32 | checksum u32 | body (length bytes)          integers little-endian
//! ```
//!
//! In a segment a frame holds `count` batches numbered from `first`; in a snapshot, `count` rows from the `first`th on,
//! and the last frame holds none. The checksum is CRC-32 of the salt, the fields before it and the body.

use crate::index::Row;
use crate::journal::Change;

/// Bytes in front of the body.
const HEAD: usize = 24;
const MAGIC: u32 = u32::from_le_bytes(*b"SPf1");
/// Where the checksum stands.
const CHECKSUM_AT: usize = 20;
const PUT: u8 = 1;
const DELETE: u8 = 0;

/// A frame as read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) body: &'a [u8],
    /// Bytes it takes in the file.
    pub(super) len: usize,
}

/// The frame that holds these batches, numbered from `first`.
pub(super) fn of_batches(salt: u32, first: u64, batches: &[Vec<Change>]) -> Vec<u8> {
    let mut bytes = vec![0; HEAD];
    for changes in batches {
        put_len(&mut bytes, changes.len());
        for change in changes {
            bytes.push(if change.value.is_some() { PUT } else { DELETE });
            put_bytes(&mut bytes, &change.key);
            if let Some(value) = &change.value {
                put_bytes(&mut bytes, value);
            }
        }
    }
    seal(bytes, salt, first, batches.len())
}

/// The frame that holds these rows, the `first`th and on.
pub(super) fn of_rows(salt: u32, first: u64, rows: &[(&Vec<u8>, &Row)]) -> Vec<u8> {
    let mut bytes = vec![0; HEAD];
    for (key, row) in rows {
        bytes.extend_from_slice(&row.version.to_le_bytes());
        put_bytes(&mut bytes, key);
        put_bytes(&mut bytes, &row.value);
    }
    seal(bytes, salt, first, rows.len())
}

/// The frame at the start of `bytes`, if there is a whole one.
pub(super) fn read(salt: u32, bytes: &[u8]) -> Option<Frame<'_>> {
    let head = bytes.get(..HEAD)?;
    if u32_at(head, 0) != MAGIC {
        return None;
    }
    let len = HEAD.checked_add(u32_at(head, 4) as usize)?;
    let body = bytes.get(HEAD..len)?;
    let first = u64::from_le_bytes(head[8..16].try_into().expect("eight bytes"));
    (u32_at(head, CHECKSUM_AT) == checksum(salt, &head[..CHECKSUM_AT], body)).then_some(Frame {
        first,
        count: u32_at(head, 16),
        body,
        len,
    })
}

/// Whether a whole frame starts anywhere behind the first byte.
pub(super) fn any_behind(salt: u32, bytes: &[u8]) -> bool {
    let magic = MAGIC.to_le_bytes();
    (1..bytes.len()).any(|at| bytes[at..].starts_with(&magic) && read(salt, &bytes[at..]).is_some())
}

impl Frame<'_> {
    /// The batches in it, with their numbers; `None` if the body is not made of batches.
    pub(super) fn batches(&self) -> Option<Vec<(u64, Vec<Change>)>> {
        let mut body = self.body;
        let mut batches = Vec::new();
        for number in (self.first..).take(self.count as usize) {
            let count = take_len(&mut body)?;
            let mut changes = Vec::new();
            for _ in 0..count {
                let kind = take(&mut body, 1)?[0];
                let key = take_bytes(&mut body)?.to_vec();
                let value = match kind {
                    PUT => Some(take_bytes(&mut body)?.to_vec()),
                    DELETE => None,
                    _ => return None,
                };
                changes.push(Change { key, value });
            }
            batches.push((number, changes));
        }
        body.is_empty().then_some(batches)
    }

    /// The rows in it; `None` if the body is not made of rows.
    pub(super) fn rows(&self) -> Option<Vec<(Vec<u8>, Row)>> {
        let mut body = self.body;
        let mut rows = Vec::new();
        for _ in 0..self.count {
            let version = u64::from_le_bytes(take(&mut body, 8)?.try_into().ok()?);
            let key = take_bytes(&mut body)?.to_vec();
            let value = take_bytes(&mut body)?.to_vec();
            rows.push((key, Row { version, value }));
        }
        body.is_empty().then_some(rows)
    }
}

fn seal(mut bytes: Vec<u8>, salt: u32, first: u64, count: usize) -> Vec<u8> {
    let body_len = u32_of(bytes.len() - HEAD);
    bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
    bytes[4..8].copy_from_slice(&body_len.to_le_bytes());
    bytes[8..16].copy_from_slice(&first.to_le_bytes());
    bytes[16..20].copy_from_slice(&u32_of(count).to_le_bytes());
    let checksum = checksum(salt, &bytes[..CHECKSUM_AT], &bytes[HEAD..]);
    bytes[CHECKSUM_AT..HEAD].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn checksum(salt: u32, head: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(head);
    hasher.update(body);
    hasher.finalize()
}

fn put_bytes(bytes: &mut Vec<u8>, part: &[u8]) {
    put_len(bytes, part.len());
    bytes.extend_from_slice(part);
}

fn put_len(bytes: &mut Vec<u8>, len: usize) {
    bytes.extend_from_slice(&u32_of(len).to_le_bytes());
}

fn u32_of(len: usize) -> u32 {
    u32::try_from(len).expect("batches are limited to far less than 4 GiB")
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn take<'a>(body: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (part, rest) = body.split_at_checked(len)?;
    *body = rest;
    Some(part)
}

fn take_len(body: &mut &[u8]) -> Option<usize> {
    Some(u32_at(take(body, 4)?, 0) as usize)
}

fn take_bytes<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = take_len(body)?;
    take(body, len)
}
