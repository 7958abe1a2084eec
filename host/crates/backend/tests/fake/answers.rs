//! The good answers.

use std::io::{self, Write};
use std::thread;

use spaceport_backend_protocol::{
    Ask, BuildEvent, BuildRequest, Call, Capacity, Description, Device, ErrorCode, ExecReply, ExecRequest, Fault,
    Flavor, Health, Hello, Instances, LogLine, LogStream, Recipe, Removed, Retain, Retained, StartRequest, Stats,
    StopRequest, decode, encode,
};

use crate::{Asked, Fake, line, word};

impl Fake {
    /// The body of a good answer, or why there is none. Streams are written as they go on.
    pub(crate) fn body(&self, asked: &Asked) -> Result<Vec<u8>, ErrorCode> {
        let call = asked.call.as_ref().ok_or(ErrorCode::NoSuchCall)?;
        let bad = |_| ErrorCode::BadRequest;
        Ok(match call {
            Call::Protocol => encode(&Hello::new()),
            Call::Health => encode(&Health::Ready),
            Call::Describe => {
                let ask: Ask = decode(&asked.body).map_err(bad)?;
                encode(&describe(&ask.hardware.iter().map(|row| row.name.as_str()).collect::<Vec<_>>()))
            }
            Call::Build => build(&decode(&asked.body).map_err(bad)?),
            Call::Retain => {
                let retain: Retain = decode(&asked.body).map_err(bad)?;
                let missing = retain.needed.into_iter().filter(|artifact| artifact.as_str() == "sha256:gone").collect();
                encode(&Retained { missing, removed: 1, freed_bytes: 1 << 20 })
            }
            Call::List => encode(&Instances { instances: self.apps.list() }),
            Call::Start => {
                let request: StartRequest = decode(&asked.body).map_err(bad)?;
                encode(&self.apps.start(&request)?)
            }
            Call::Stop(id) => {
                let request: StopRequest = decode(&asked.body).map_err(bad)?;
                let reason = format!("it was given {} ms", request.grace_ms);
                encode(&self.apps.stop(id, &reason).ok_or(ErrorCode::NoSuchInstance)?)
            }
            Call::Remove(id) => {
                self.apps.remove(id);
                encode(&Removed { id: id.clone() })
            }
            Call::Stats(id) if self.apps.has(id) => {
                encode(&Stats { cpu_us: 1_500_000, memory_bytes: 64 << 20, ..Stats::default() })
            }
            Call::Exec(id) if self.apps.has(id) => {
                let request: ExecRequest = decode(&asked.body).map_err(bad)?;
                encode(&ExecReply { code: Some(0), output: request.command.join(" ") })
            }
            Call::Logs(id) if self.apps.has(id) => Vec::new(),
            Call::Stats(_) | Call::Exec(_) | Call::Logs(_) => return Err(ErrorCode::NoSuchInstance),
        })
    }

    /// What comes after the body of a good answer.
    pub(crate) fn stream(&self, asked: &Asked, out: &mut impl Write) -> io::Result<()> {
        match &asked.call {
            Some(Call::Logs(id)) => self.apps.pour_log(id, |line| {
                out.write_all(&encode(line))?;
                out.write_all(b"\n")
            }),
            // Until whoever asked hangs up.
            Some(Call::Build) if decode::<BuildRequest>(&asked.body).is_ok_and(|build| is_endless(&build)) => loop {
                out.write_all(&event(&said("still at it")))?;
                thread::sleep(crate::DRIP);
            },
            _ => Ok(()),
        }
    }
}

/// Variables of the request say how the build goes: `FAIL=owner`, `FAIL=platform`, `ENDLESS`.
fn build(request: &BuildRequest) -> Vec<u8> {
    let value = |name: &str| request.variables.iter().find(|variable| variable.name.as_str() == name);
    let mut events = vec![said(&format!("building {}", request.id))];
    let names: Vec<&str> = request.secrets.iter().map(|secret| secret.name.as_str()).collect();
    events.push(said(&format!("secrets: {}", names.join(" "))));
    let fault = |word: &str| if word == "owner" { Fault::Owner } else { Fault::Platform };
    match (value("FAIL"), &request.recipe) {
        _ if is_endless(request) => {}
        (Some(word), _) => {
            events.push(BuildEvent::Failed { fault: fault(word.value.as_str()), message: line("it cannot be built") });
        }
        (None, Recipe::Static { output, .. }) => {
            let page = std::path::Path::new(output.as_str()).join("index.html");
            let written = std::fs::write(page, "built");
            assert!(written.is_ok(), "the folder is there: {written:?}");
            events.push(BuildEvent::Written { files: 1, bytes: 5 });
        }
        (None, _) => events.push(BuildEvent::Built { artifact: artifact(), bytes: 1 << 20 }),
    }
    events.iter().flat_map(event).collect()
}

fn is_endless(request: &BuildRequest) -> bool {
    request.variables.iter().any(|variable| variable.name.as_str() == "ENDLESS")
}

/// One line of a build.
pub(crate) fn event(event: &BuildEvent) -> Vec<u8> {
    [encode(event), b"\n".to_vec()].concat()
}

/// A line of a build's log.
pub(crate) fn said(text: &str) -> BuildEvent {
    BuildEvent::Log(LogLine { stream: LogStream::Out, text: text.to_owned(), at_ms: None })
}

fn artifact() -> spaceport_backend_protocol::Artifact {
    "sha256:fake".parse().expect("it is a name")
}

/// What it says of itself. Rows with a GPU in their name cannot be had.
pub(crate) fn describe(flavors: &[&str]) -> Description {
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
