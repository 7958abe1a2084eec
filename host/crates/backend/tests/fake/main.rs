//! A backend plugin for tests: speaks the protocol well, or as badly as a file tells it to at that moment.
//!
//! Arguments: `--mode-file FILE`, any number of `--instance ID`, and the host's `--socket PATH`. The file holds a word,
//! read before each answer; the words are those of [`Fake::answer`], [`Fake::oddly`] and [`prepare`]. It is written on the
//! standard library alone, since half of what it says no HTTP library would.

mod answers;
mod apps;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::exit;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use spaceport_backend_protocol::{
    BuildEvent, CALL_HEADER, Call, ErrorCode, Health, Hello, Instance, InstanceId, InstanceState, Instances, Line,
    Message, Refusal, Removed, Retained, Version, Word, encode, limits,
};

use answers::{describe, event, said};
use apps::Apps;

/// Between two bytes of a slow answer.
pub(crate) const DRIP: Duration = Duration::from_millis(20);
/// A pause that is shorter than any deadline.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct Fake {
    socket: String,
    mode_file: String,
    apps: Apps,
}

/// A request as far as it matters.
pub(crate) struct Asked {
    pub(crate) call: Option<Call>,
    number: String,
    pub(crate) body: Vec<u8>,
}

fn main() -> io::Result<()> {
    let fake = Arc::new(Fake::from_arguments()?);
    prepare(&fake.mode());
    let listener = UnixListener::bind(&fake.socket)?;
    for stream in listener.incoming() {
        let (fake, stream) = (fake.clone(), stream?);
        // A host that hangs up in the middle is no matter.
        thread::spawn(move || fake.serve(stream));
    }
    Ok(())
}

/// What is done before listening.
fn prepare(mode: &str) {
    match mode {
        "die" => {
            say("no engine here");
            exit(3);
        }
        "mute" => loop {
            thread::park();
        },
        "flood" => {
            thread::spawn(|| {
                loop {
                    say(&"x".repeat(10_000));
                }
            });
        }
        _ => {}
    }
    if mode != "deaf" {
        thread::spawn(|| {
            let _ = io::stdin().read_to_end(&mut Vec::new());
            exit(0);
        });
    }
}

impl Fake {
    fn from_arguments() -> io::Result<Self> {
        let mut fake = Self { socket: String::new(), mode_file: String::new(), apps: Apps::default() };
        let mut arguments = std::env::args().skip(1);
        while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
            match name.as_str() {
                "--socket" => fake.socket = value,
                "--mode-file" => fake.mode_file = value,
                "--instance" => {
                    let id = value.parse().map_err(io::Error::other)?;
                    fake.apps.put(id);
                }
                _ => return Err(io::Error::other(name)),
            }
        }
        Ok(fake)
    }

    fn mode(&self) -> String {
        fs::read_to_string(&self.mode_file).unwrap_or_default().trim().to_owned()
    }

    fn serve(&self, mut stream: UnixStream) -> io::Result<()> {
        let asked = read(&stream)?;
        self.answer(&self.mode(), &asked, &mut stream)
    }

    /// One answer, in the way the word says.
    fn answer(&self, mode: &str, asked: &Asked, out: &mut impl Write) -> io::Result<()> {
        let number = asked.number.as_str();
        match mode {
            "hang" => loop {
                thread::park();
            },
            "exit" => exit(7),
            "garbage" => out.write_all(b"\x16\x03\x01 no HTTP at all\r\n\r\n"),
            "close" => Ok(()),
            "not-json" => reply(out, 200, number, b"<html>"),
            "empty" => reply(out, 200, number, b""),
            "bad-refusal" => reply(out, 500, number, b"oops"),
            "refuse" => refuse(out, number, ErrorCode::Failed),
            "half" => out.write_all(head(200, number, 100).as_bytes()).and_then(|()| out.write_all(b"{\"prot")),
            "long-head" => {
                out.write_all(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(limits::HEAD * 2)).as_bytes())
            }
            "announced-oversize" => out.write_all(head(200, number, 1 << 40).as_bytes()).and_then(|()| pour(out)),
            "endless" => {
                let head = format!("HTTP/1.1 200 OK\r\n{CALL_HEADER}: {number}\r\n\r\n");
                out.write_all(head.as_bytes()).and_then(|()| pour(out))
            }
            "foreign-call" => reply(out, 200, "4711", &self.body(asked).unwrap_or_default()),
            "no-call" => reply(out, 200, "", &self.body(asked).unwrap_or_default()),
            "drip" => {
                for byte in head(200, number, 1 << 20).bytes().chain(std::iter::repeat(b' ')) {
                    out.write_all(&[byte])?;
                    out.flush()?;
                    thread::sleep(DRIP);
                }
                Ok(())
            }
            "version-2" => reply(out, 200, number, &encode(&Hello { versions: vec![Version(2)], ..Hello::new() })),
            "unready" if asked.call == Some(Call::Health) => {
                let reason = line("the container engine does not answer");
                reply(out, 200, number, &encode(&Health::Unready { reason }))
            }
            "slow" => {
                thread::sleep(PAUSE);
                self.well(asked, out)
            }
            mode => self.oddly(mode, asked, out),
        }
    }

    /// Well-formed answers that only the question shows to be wrong.
    fn oddly(&self, mode: &str, asked: &Asked, out: &mut impl Write) -> io::Result<()> {
        let number = asked.number.as_str();
        let other = Instance {
            id: id("somebody-elses"),
            artifact: "sha256:fake".parse().expect("it is a name"),
            state: InstanceState::Running { address: ([127, 0, 0, 1], 7860).into() },
        };
        match (mode, &asked.call) {
            ("foreign-flavor", Some(Call::Describe)) => reply(out, 200, number, &encode(&describe(&["not-asked-for"]))),
            ("no-flavor", Some(Call::Describe)) => reply(out, 200, number, &encode(&describe(&[]))),
            ("foreign-instance", Some(Call::Stop(_) | Call::Start)) => reply(out, 200, number, &encode(&other)),
            ("foreign-instance", Some(Call::Remove(_))) => {
                reply(out, 200, number, &encode(&Removed { id: id("somebody-elses") }))
            }
            ("foreign-artifact", Some(Call::Retain)) => {
                let missing = vec!["sha256:not-asked-for".parse().expect("it is a name")];
                reply(out, 200, number, &encode(&Retained { missing, removed: 0, freed_bytes: 0 }))
            }
            ("half-build", Some(Call::Build)) => reply(out, 200, number, &event(&said("begun"))),
            ("foreign-end", Some(Call::Build)) => {
                reply(out, 200, number, &event(&BuildEvent::Written { files: 1, bytes: 1 }))
            }
            ("twins", Some(Call::List)) => {
                let twins = Instances { instances: vec![other.clone(), other] };
                reply(out, 200, number, &encode(&twins))
            }
            ("bad-line", Some(Call::Logs(_))) => {
                reply(out, 200, number, b"{\"stream\":\"out\",\"text\":\"a\"}\nnonsense\n")
            }
            ("long-line", Some(Call::Logs(_) | Call::Build)) => {
                let head = format!("HTTP/1.1 200 OK\r\n{CALL_HEADER}: {number}\r\n\r\n");
                out.write_all(head.as_bytes()).and_then(|()| pour(out))
            }
            _ => self.well(asked, out),
        }
    }

    fn well(&self, asked: &Asked, out: &mut impl Write) -> io::Result<()> {
        let number = asked.number.as_str();
        match (self.body(asked), &asked.call) {
            (Ok(body), Some(Call::Build | Call::Logs(_))) => {
                out.write_all(format!("HTTP/1.1 200 OK\r\n{CALL_HEADER}: {number}\r\n\r\n").as_bytes())?;
                out.write_all(&body)?;
                self.stream(asked, out)
            }
            (Ok(body), _) => reply(out, 200, number, &body),
            (Err(error), _) => refuse(out, number, error),
        }
    }
}

/// Reads one request to its end.
fn read(stream: &UnixStream) -> io::Result<Asked> {
    let mut from = BufReader::new(stream);
    let mut first = String::new();
    from.read_line(&mut first)?;
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut number, mut length) = (String::new(), 0);
    loop {
        let mut header = String::new();
        from.read_line(&mut header)?;
        match header.trim_end().split_once(": ") {
            Some((CALL_HEADER, value)) => value.clone_into(&mut number),
            Some(("content-length", value)) => length = value.parse().map_err(io::Error::other)?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Asked { call: Call::parse(method, path).map(|(call, _)| call), number, body })
}

fn head(status: u16, number: &str, length: usize) -> String {
    format!("HTTP/1.1 {status} Status\r\n{CALL_HEADER}: {number}\r\ncontent-length: {length}\r\n\r\n")
}

fn reply(out: &mut impl Write, status: u16, number: &str, body: &[u8]) -> io::Result<()> {
    out.write_all(head(status, number, body.len()).as_bytes())?;
    out.write_all(body)
}

fn refuse(out: &mut impl Write, number: &str, error: ErrorCode) -> io::Result<()> {
    let refusal = Refusal { error, message: line("not today") };
    assert!(encode(&refusal).len() < Refusal::MOST);
    reply(out, error.status(), number, &encode(&refusal))
}

/// Writes until nobody reads any more.
fn pour(out: &mut impl Write) -> io::Result<()> {
    loop {
        out.write_all(&[b' '; 1 << 16])?;
    }
}

fn say(text: &str) {
    // Nobody may be listening any more.
    let _ = writeln!(io::stderr(), "{text}");
}

pub(crate) fn word(text: &str) -> Word {
    text.parse().expect("the tests ask for names")
}

fn id(text: &str) -> InstanceId {
    text.parse().expect("it is an id")
}

pub(crate) fn line(text: &str) -> Line {
    Line::lossy(text)
}
