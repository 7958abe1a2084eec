//! Addresses at which contents are sent and fetched without a token: what may be done there, with which content of which
//! Space, until when, under a keyed hash that only this host can make.

use std::fmt;

use spaceport_core::id::SpaceId;
use spaceport_core::lfs::LfsOid;
use spaceport_core::lifecycle::Millis;
use spaceport_db::KeyStore;

/// How long a ticket is good: a client asks for many at once, and sends the last file after all the others.
const VALID: Millis = 6 * 60 * 60 * 1000;
/// What the key is for.
const PURPOSE: &str = "large file tickets";

/// What may be done with a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LfsAct {
    /// Send the whole content.
    Send,
    /// Send a part of it, counted from 0.
    SendPart(u64),
    /// Have the parts put together.
    Complete,
    /// Ask whether it has arrived.
    Verify,
    /// Fetch it.
    Fetch,
}

/// What may be done, with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LfsTicket {
    /// What.
    pub act: LfsAct,
    /// The Space.
    pub space: SpaceId,
    /// The content.
    pub oid: LfsOid,
    /// Its size.
    pub size: u64,
}

impl fmt::Display for LfsAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send => f.write_str("send"),
            Self::SendPart(number) => write!(f, "part{number}"),
            Self::Complete => f.write_str("complete"),
            Self::Verify => f.write_str("verify"),
            Self::Fetch => f.write_str("fetch"),
        }
    }
}

fn act(text: &str) -> Option<LfsAct> {
    match text {
        "send" => Some(LfsAct::Send),
        "complete" => Some(LfsAct::Complete),
        "verify" => Some(LfsAct::Verify),
        "fetch" => Some(LfsAct::Fetch),
        other => Some(LfsAct::SendPart(other.strip_prefix("part")?.parse().ok()?)),
    }
}

/// A ticket as text that stands in an address as it is.
pub(super) fn sign(keys: &KeyStore, ticket: &LfsTicket, now: Millis) -> String {
    let LfsTicket { act, space, oid, size } = ticket;
    let text = format!("{act}.{space}.{oid}.{size}.{}", now + VALID);
    let seal = seal(keys, &text);
    format!("{text}.{seal}")
}

/// The ticket, if this host has made it and it is still good.
pub(super) fn read(keys: &KeyStore, text: &str, now: Millis) -> Option<LfsTicket> {
    let (text, given) = text.rsplit_once('.')?;
    let given = blake3::Hash::from_hex(given).ok()?;
    // Compared in a time that does not tell how much of it was right.
    if seal(keys, text) != given {
        return None;
    }
    let mut words = text.split('.');
    let ticket = LfsTicket {
        act: act(words.next()?)?,
        space: words.next()?.parse().ok()?,
        oid: words.next()?.parse().ok()?,
        size: words.next()?.parse().ok()?,
    };
    let until: Millis = words.next()?.parse().ok()?;
    (now < until).then_some(ticket)
}

fn seal(keys: &KeyStore, text: &str) -> blake3::Hash {
    blake3::keyed_hash(keys.derive(PURPOSE).as_bytes(), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_for_what_it_says_until_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let keys = KeyStore::open(&dir.path().join("keys")).unwrap();
        let (space, oid) = (SpaceId::from_bytes([1; 12]), LfsOid::from_bytes([2; 32]));
        for act in [LfsAct::Send, LfsAct::SendPart(12), LfsAct::Complete, LfsAct::Verify, LfsAct::Fetch] {
            let ticket = LfsTicket { act, space, oid, size: 5 };
            let text = sign(&keys, &ticket, 1000);
            assert_eq!(read(&keys, &text, 1000 + VALID - 1), Some(ticket));
            assert_eq!(read(&keys, &text, 1000 + VALID), None);
            for forged in [
                text.replacen("01", "02", 1),
                text.replace(".5.", ".6."),
                text.replacen(&act.to_string(), "fetch", 1).replace("fetch.fetch", "x"),
                text[..text.len() - 1].to_owned(),
                text.replacen('.', "..", 1),
                String::new(),
            ] {
                assert!(forged == text || read(&keys, &forged, 1000).is_none(), "{forged}");
            }
            let other = KeyStore::open(&dir.path().join("others")).unwrap();
            assert_eq!(read(&other, &text, 1000), None);
        }
    }
}
