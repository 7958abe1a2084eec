//! HTTP/2 spoken to do harm: the connection is ended or held back, the host's memory stays, and others are served.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

use spaceport_tests::neighbour::Neighbour;
use spaceport_tests::raw::h2::{self, frame};
use spaceport_tests::{TestHost, raw, wait};

/// The oldest h2 that bounds empty frames of data.
const H2_AT_LEAST: (u32, u32, u32) = (0, 4, 16);
/// What the host's memory may grow by.
const GROWTH: u64 = 32 << 20;
/// Frames of a flood, far more than any client needs.
const FLOOD: u32 = 100_000;
/// Streams opened on one connection.
const STREAMS: u32 = 10_000;
/// Patience for the end of a connection.
const SOON: Duration = Duration::from_secs(15);
/// What is sent in one piece.
const PIECE: usize = 1 << 20;

/// Sends until the host wants no more; whether it ended the connection over it.
fn send(stream: &mut TcpStream, frames: impl Iterator<Item = Vec<u8>>) -> bool {
    let mut piece = Vec::new();
    let mut frames = frames.peekable();
    while let Some(frame) = frames.next() {
        piece.extend(frame);
        if piece.len() >= PIECE || frames.peek().is_none() {
            if let Err(error) = stream.write_all(&piece) {
                return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            }
            piece.clear();
        }
    }
    false
}

/// What an attacker sends, given the Space's name.
type Frames = fn(&str) -> Box<dyn Iterator<Item = Vec<u8>>>;

fn taken_back_at_once(authority: &str) -> Box<dyn Iterator<Item = Vec<u8>>> {
    let head = h2::head(false, authority);
    let flags = h2::END_HEADERS | h2::END_STREAM;
    let cancel = [0, 0, 0, 8];
    Box::new(
        (1..2 * STREAMS).step_by(2).flat_map(move |stream| {
            [frame(h2::HEADERS, flags, stream, &head), frame(h2::RST_STREAM, 0, stream, &cancel)]
        }),
    )
}

fn more_streams_than_allowed(authority: &str) -> Box<dyn Iterator<Item = Vec<u8>>> {
    let head = h2::head(true, authority);
    Box::new((1..2 * STREAMS).step_by(2).map(move |stream| frame(h2::HEADERS, h2::END_HEADERS, stream, &head)))
}

fn a_head_without_an_end(authority: &str) -> Box<dyn Iterator<Item = Vec<u8>>> {
    // A literal that is not to be indexed: x, and 64 bytes.
    let header = [&[0x00, 1, b'x', 64], [b'y'; 64].as_slice()].concat();
    let begun = frame(h2::HEADERS, h2::END_STREAM, 1, &h2::head(false, authority));
    let more = (0..FLOOD).map(move |_| frame(h2::CONTINUATION, 0, 1, &header));
    Box::new(std::iter::once(begun).chain(more))
}

fn a_head_of_empty_pieces(authority: &str) -> Box<dyn Iterator<Item = Vec<u8>>> {
    let begun = frame(h2::HEADERS, h2::END_STREAM, 1, &h2::head(false, authority));
    Box::new(std::iter::once(begun).chain((0..FLOOD).map(|_| frame(h2::CONTINUATION, 0, 1, &[]))))
}

fn data_without_bytes(authority: &str) -> Box<dyn Iterator<Item = Vec<u8>>> {
    let begun = frame(h2::HEADERS, h2::END_HEADERS, 1, &h2::head(true, authority));
    Box::new(std::iter::once(begun).chain((0..10 * FLOOD).map(|_| frame(h2::DATA, 0, 1, &[]))))
}

fn settings(_: &str) -> Box<dyn Iterator<Item = Vec<u8>>> {
    Box::new((0..10 * FLOOD).map(|_| frame(h2::SETTINGS, 0, 0, &[])))
}

fn pings(_: &str) -> Box<dyn Iterator<Item = Vec<u8>>> {
    Box::new((0..10 * FLOOD).map(|_| frame(h2::PING, 0, 0, &[0; 8])))
}

/// Each attack on a connection of its own, beside a neighbour, with an eye on the host's memory. `is_answered` looks at
/// what came of it; the connection must come to its end in any case.
fn attack(attacks: &[(&str, Frames)], is_answered: impl Fn(&mut TcpStream, bool) -> bool) {
    let host = TestHost::start_with("[limits]\nwrite_idle = \"1s\"\nbody_idle = \"1s\"\nfirst_head = \"1s\"\n");
    let space = host.run_guest("echo", "echo", "");
    let neighbour = Neighbour::of(&host);
    let before = host.resident();
    neighbour.unharmed_by(|| {
        for (what, frames) in attacks {
            let mut stream = h2::open(&host);
            let is_cut = send(&mut stream, frames(&space.authority));
            let grown = host.resident().saturating_sub(before);
            assert!(grown < GROWTH, "{what}: {} MiB more", grown >> 20);
            assert!(is_answered(&mut stream, is_cut), "{what}");
            let ended = wait::until(SOON, || raw::is_closed(&mut stream).then_some(()));
            assert!(ended.is_some(), "{what}: the connection is kept");
            assert_eq!(space.get("/").status, 200, "after {what}");
        }
    });
}

#[test]
fn floods_end_their_connection() {
    let attacks: [(&str, Frames); 5] = [
        ("requests taken back at once", taken_back_at_once),
        ("more streams than allowed", more_streams_than_allowed),
        ("a head without an end", a_head_without_an_end),
        ("a head of empty pieces", a_head_of_empty_pieces),
        ("data without bytes", data_without_bytes),
    ];
    // Said with a reason where the peer still listens.
    attack(&attacks, |stream, is_cut| is_cut || h2::reason(stream).is_some_and(|reason| reason != 0));
}

#[test]
fn answers_are_not_stored_for_a_peer_who_takes_none() {
    // Acknowledgements that nobody takes fill the kernel's buffers, and then the host reads no further.
    attack(&[("settings", settings), ("pings", pings)], |_, _| true);
}

#[test]
fn the_h2_that_is_built_in_bounds_what_peers_send() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let found: Vec<&str> =
        packages.iter().filter(|p| p["name"].as_str() == Some("h2")).map(|p| p["version"].as_str().unwrap()).collect();
    assert!(!found.is_empty());
    for version in found {
        let numbers: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
        assert!((numbers[0], numbers[1], numbers[2]) >= H2_AT_LEAST, "h2 {version}");
    }
}
