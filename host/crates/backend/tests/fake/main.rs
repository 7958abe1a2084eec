//! A backend plugin for tests: speaks the protocol well, or as badly as a file tells it to at that moment.
//!
//! Arguments: `--mode-file FILE`, any number of `--instance ID`, and the host's `--socket PATH`. The file holds a word,
//! read before each answer; the words are those of [`answer`] and [`prepare`]. It is written on the standard library
//! alone, since half of what it says no HTTP library would.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::exit;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use spaceport_backend_protocol::{
    Ask, CALL_HEADER, Call, Capacity, Description, Device, ErrorCode, Flavor, Health, Hello, Instance, InstanceId,
    InstanceState, Instances, Line, LogLine, LogStream, Message, Refusal, StopRequest, Version, Word, decode, encode,
    limits,
};

/// Between two bytes of a slow answer.
const DRIP: Duration = Duration::from_millis(20);
/// A pause that is shorter than any deadline.
const PAUSE: Duration = Duration::from_millis(100);

struct Fake {
    socket: String,
    mode_file: String,
    instances: Mutex<BTreeMap<InstanceId, InstanceState>>,
}

/// A request as far as it matters.
struct Asked {
    call: Option<Call>,
    number: String,
    body: Vec<u8>,
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
        let mut fake = Self { socket: String::new(), mode_file: String::new(), instances: Mutex::default() };
        let mut arguments = std::env::args().skip(1);
        while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
            match name.as_str() {
                "--socket" => fake.socket = value,
                "--mode-file" => fake.mode_file = value,
                "--instance" => {
                    let id = value.parse().map_err(io::Error::other)?;
                    fake.instances().insert(id, running());
                }
                _ => return Err(io::Error::other(name)),
            }
        }
        Ok(fake)
    }

    fn mode(&self) -> String {
        fs::read_to_string(&self.mode_file).unwrap_or_default().trim().to_owned()
    }

    fn instances(&self) -> std::sync::MutexGuard<'_, BTreeMap<InstanceId, InstanceState>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
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
        let other = instance(&id("somebody-elses"), running());
        match (mode, &asked.call) {
            ("foreign-flavor", Some(Call::Describe)) => reply(out, 200, number, &encode(&describe(&["not-asked-for"]))),
            ("no-flavor", Some(Call::Describe)) => reply(out, 200, number, &encode(&describe(&[]))),
            ("foreign-instance", Some(Call::Stop(_))) => reply(out, 200, number, &encode(&other)),
            ("twins", Some(Call::List)) => {
                let twins = Instances { instances: vec![other.clone(), other] };
                reply(out, 200, number, &encode(&twins))
            }
            ("bad-line", Some(Call::Logs(_))) => {
                reply(out, 200, number, b"{\"stream\":\"out\",\"text\":\"a\"}\nnonsense\n")
            }
            ("long-line", Some(Call::Logs(_))) => {
                let head = format!("HTTP/1.1 200 OK\r\n{CALL_HEADER}: {number}\r\n\r\n");
                out.write_all(head.as_bytes()).and_then(|()| pour(out))
            }
            _ => self.well(asked, out),
        }
    }

    fn well(&self, asked: &Asked, out: &mut impl Write) -> io::Result<()> {
        match (self.body(asked), &asked.call) {
            (Some(body), _) => reply(out, 200, &asked.number, &body),
            (None, Some(_)) => refuse(out, &asked.number, ErrorCode::NoSuchInstance),
            (None, None) => refuse(out, &asked.number, ErrorCode::NoSuchCall),
        }
    }

    /// The body of a good answer; `None`: there is no such thing.
    fn body(&self, asked: &Asked) -> Option<Vec<u8>> {
        Some(match asked.call.as_ref()? {
            Call::Protocol => encode(&Hello::new()),
            Call::Health => encode(&Health::Ready),
            Call::Describe => {
                let ask: Ask = decode(&asked.body).ok()?;
                encode(&describe(&ask.hardware.iter().map(|row| row.name.as_str()).collect::<Vec<_>>()))
            }
            Call::List => {
                let instances = self.instances();
                let instances = instances.iter().map(|(id, state)| instance(id, state.clone()));
                encode(&Instances { instances: instances.collect() })
            }
            Call::Stop(id) => {
                let request: StopRequest = decode(&asked.body).ok()?;
                let mut instances = self.instances();
                let state = instances.get_mut(id)?;
                let reason = line(&format!("it was given {} ms", request.grace_ms));
                *state = InstanceState::Exited { code: Some(0), reason };
                encode(&instance(id, state.clone()))
            }
            Call::Logs(id) => {
                self.instances().get(id)?;
                let lines = ["one", "", "three"].map(|text| LogLine {
                    stream: LogStream::Out,
                    text: text.to_owned(),
                    at_ms: None,
                });
                lines.iter().flat_map(|line| [encode(line), b"\n".to_vec()]).flatten().collect()
            }
            // What it cannot do, it does not know.
            Call::Build | Call::Retain | Call::Start | Call::Remove(_) | Call::Stats(_) | Call::Exec(_) => return None,
        })
    }
}

fn instance(id: &InstanceId, state: InstanceState) -> Instance {
    Instance { id: id.clone(), artifact: "sha256:fake".parse().expect("it is a name"), state }
}

fn running() -> InstanceState {
    InstanceState::Running { address: ([127, 0, 0, 1], 7860).into() }
}

/// What it says of itself. Rows with a GPU in their name cannot be had.
fn describe(flavors: &[&str]) -> Description {
    let flavor = |name: &&str| Flavor {
        name: word(name),
        refusal: name.contains("gpu").then(|| line("there is no such device on this machine")),
    };
    Description {
        name: line("Fake"),
        version: line("0.1"),
        sdks: vec![word("docker"), word("gradio")],
        flavors: flavors.iter().map(flavor).collect(),
        capacity: Capacity { cpu_milli: 2000, memory_bytes: 1 << 30, disk_bytes: 1 << 30 },
        devices: vec![Device { id: word("GPU-0"), kind: word("t4"), memory_bytes: 1 << 34 }],
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

fn word(text: &str) -> Word {
    text.parse().expect("the tests ask for names")
}

fn id(text: &str) -> InstanceId {
    text.parse().expect("it is an id")
}

fn line(text: &str) -> Line {
    Line::lossy(text)
}
