//! Who has a say in the rule for builds: one folder of the machine's for each bridge that the steps of builds run on.
//!
//! A plugin that may build has a file there, its seat, with what it lets through, and holds a lock on it for as long as it
//! lives. So a seat whose lock is free is nobody's, however its owner ended, and counts no more. Whoever changes a seat, or
//! the rule that follows from all of them, or tries that rule, has taken the turn: another lock of the folder.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use tempfile::NamedTempFile;

use super::Unfenced;
use super::policy::{Interface, Policy};
use crate::turn::Turn;

/// The file that is locked by whose turn it is.
const TURN: &str = "turn";
/// How the names of seats begin.
const SEAT: &str = "seat-";
/// The network that this process is in, as a file whose number tells it from others: interfaces of one name are in each.
const OWN_NETWORK: &str = "/proc/self/ns/net";
/// Bytes of a seat: as many ranges as a request may name, and more.
const MOST: u64 = 1 << 20;
/// The folder, and the place of this plugin in it.
#[derive(Debug)]
pub(super) struct Commons {
    folder: PathBuf,
    seat: Option<NamedTempFile>,
}

impl Commons {
    /// The folder for a bridge.
    pub(super) fn of(top: &Path, bridge: &Interface) -> io::Result<Self> {
        let folder = top.join(format!("{bridge}@{}", fs::metadata(OWN_NETWORK)?.ino()));
        Ok(Self { folder, seat: None })
    }

    /// Waits until nobody else changes anything.
    pub(super) async fn turn(&self) -> Result<Turn, Unfenced> {
        Turn::take(&self.folder, TURN).await.map_err(Unfenced::Shared)
    }

    /// Takes a seat, or changes what is said there, and removes those that are nobody's.
    pub(super) fn sit(&mut self, _turn: &Turn, policy: &Policy) -> Result<(), Unfenced> {
        self.write(policy).map_err(|error| self.failed(&error))?;
        for (path, seat) in self.seats().map_err(|error| self.failed(&error))? {
            if !is_taken(&seat) {
                // Whoever has the turn next finds it again.
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }

    /// Gives the seat up.
    pub(super) fn leave(&mut self, _turn: &Turn) {
        self.seat = None;
    }

    /// What everybody lets through who has a seat. Without the turn it may be somebody's half a word: an error.
    pub(super) fn said(&self) -> Result<Vec<Policy>, Unfenced> {
        let said = || -> io::Result<Vec<Policy>> {
            let seats = self.seats()?;
            seats.iter().filter(|(_, seat)| is_taken(seat)).map(|(_, seat)| read(seat)).collect()
        };
        said().map_err(|error| self.failed(&error))
    }

    fn write(&mut self, policy: &Policy) -> io::Result<()> {
        let is_there = |seat: &NamedTempFile| {
            let (own, named) = (seat.as_file().metadata(), fs::metadata(seat.path()));
            own.is_ok_and(|own| named.is_ok_and(|named| own.ino() == named.ino()))
        };
        // Somebody may have cleaned up.
        let seat = match self.seat.take().filter(is_there) {
            Some(seat) => seat,
            None => {
                let seat = tempfile::Builder::new().prefix(SEAT).tempfile_in(&self.folder)?;
                seat.as_file().try_lock()?;
                seat
            }
        };
        let mut file = self.seat.insert(seat).as_file();
        let allow: Vec<String> = policy.allow.iter().map(IpNet::to_string).collect();
        file.rewind()?;
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec(&(&policy.ports, allow))?)
    }

    fn seats(&self) -> io::Result<Vec<(PathBuf, File)>> {
        let mut seats = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let is_seat = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SEAT));
            match is_seat.then(|| File::open(&path)) {
                Some(Ok(seat)) => seats.push((path, seat)),
                // Its owner has left in this moment.
                Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Some(Err(error)) => return Err(error),
                None => {}
            }
        }
        Ok(seats)
    }

    fn failed(&self, why: &dyn std::fmt::Display) -> Unfenced {
        Unfenced::Shared(format!("{}: {why}", self.folder.display()))
    }
}

/// Whether whoever took a seat lives.
fn is_taken(seat: &File) -> bool {
    seat.try_lock_shared().is_err()
}

fn read(mut seat: &File) -> io::Result<Policy> {
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(&mut seat, MOST), &mut text)?;
    let (ports, allow): (Vec<u16>, Vec<IpNet>) = {
        let (ports, allow): (Vec<u16>, Vec<String>) = serde_json::from_str(&text)?;
        (ports, allow.iter().map(|net| net.parse()).collect::<Result<_, _>>().map_err(io::Error::other)?)
    };
    Ok(Policy { ports, allow, resolvers: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allow: &str) -> Policy {
        Policy { ports: vec![80], allow: vec![allow.parse().unwrap()], resolvers: Vec::new() }
    }

    fn commons(top: &Path) -> Commons {
        Commons::of(top, &"docker0".parse().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_seat_lasts_as_long_as_its_owner() {
        let top = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (commons(top.path()), commons(top.path()));
        let said = |commons: &Commons| {
            let mut said: Vec<String> = commons.said().unwrap().iter().map(|said| said.allow[0].to_string()).collect();
            said.sort();
            said
        };
        let turn = one.turn().await.unwrap();
        assert_eq!(said(&one), [""; 0]);
        one.sit(&turn, &policy("10.0.0.0/8")).unwrap();
        other.sit(&turn, &policy("10.1.0.0/16")).unwrap();
        assert_eq!(said(&one), ["10.0.0.0/8", "10.1.0.0/16"]);
        other.sit(&turn, &policy("10.2.0.0/16")).unwrap();
        assert_eq!(said(&one), ["10.0.0.0/8", "10.2.0.0/16"], "whoever changes their mind has one seat");
        drop(other);
        assert_eq!(said(&one), ["10.0.0.0/8"]);

        // One that was killed leaves its file and no lock.
        fs::write(one.folder.join("seat-dead"), "[[],[]]").unwrap();
        assert_eq!(said(&one), ["10.0.0.0/8"]);
        one.sit(&turn, &policy("10.0.0.0/8")).unwrap();
        assert!(!one.folder.join("seat-dead").exists());
        // One that was swept away is taken again.
        fs::remove_file(one.seat.as_ref().unwrap().path()).unwrap();
        assert_eq!(said(&one), [""; 0]);
        one.sit(&turn, &policy("10.3.0.0/16")).unwrap();
        assert_eq!(said(&one), ["10.3.0.0/16"]);
        one.leave(&turn);
        assert_eq!(said(&one), [""; 0]);
    }

    #[tokio::test]
    async fn what_somebody_says_and_nobody_understands_is_an_error() {
        let top = tempfile::tempdir().unwrap();
        let commons = commons(top.path());
        let _turn = commons.turn().await.unwrap();
        let path = commons.folder.join("seat-odd");
        fs::write(&path, "[[80],[\"everywhere\"]]").unwrap();
        let seat = File::open(&path).unwrap();
        seat.lock().unwrap();
        assert!(commons.said().unwrap_err().to_string().contains("docker0@"), "{:?}", commons.said());
    }

    #[tokio::test]
    async fn one_at_a_time_has_the_turn() {
        let top = tempfile::tempdir().unwrap();
        let (one, other) = (commons(top.path()), commons(top.path()));
        let turn = one.turn().await.unwrap();
        let mut waiting = std::pin::pin!(other.turn());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(turn);
        waiting.await.unwrap();
    }
}
