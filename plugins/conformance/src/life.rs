//! The whole life of an instance, from the files of a Space to nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use spaceport_backend_protocol::{
    Artifact, BuildEvent, BuildLimits, BuildRequest, Call, Egress, ErrorCode, ExecReply, Instance, InstanceState,
    Instances, LogLine, Recipe, Removed, Retain, Retained, Stats, StopRequest, Version, decode, encode, limits,
};

use crate::good::{id, start};
use crate::{Kit, Outcome, Wrong, http};

/// Time between two looks at what takes a moment.
const LOOK: Duration = Duration::from_millis(50);
/// What a build may make.
const DISK: u64 = 4 << 30;
/// What it may write.
const LOG: u64 = 1 << 20;

/// One step in the life of an instance that is reached at an address.
type Step<'a> = fn(&Life<'a>, SocketAddr) -> Outcome;

/// Each step with its rule; those after a failure that make no sense any more are left out. Whatever comes, the instance is
/// removed at last.
pub(crate) fn walk(kit: &Kit, app: &Path) -> Vec<(&'static str, Outcome)> {
    let mut found = Vec::new();
    let built = build(kit, app, "conformance-build");
    let artifact = match note(&mut found, "a build streams its log and ends with an artifact", built) {
        Some(artifact) => artifact,
        None => return found,
    };
    found.push(("a build that cannot work fails, in words for the owner", hopeless(kit)));
    let life = Life { kit, artifact };
    let started = life.start();
    if let Some(address) = note(&mut found, "a start says where the app is reached", started) {
        let steps: [(&'static str, Step<'_>); 8] = [
            ("the app answers where the start says", Life::answers),
            ("a start that is repeated starts nothing", Life::again),
            ("an id that is there is not started with another artifact", Life::other),
            ("the list has what runs, with its artifact and address", Life::listed),
            ("what was used only grows", Life::used),
            ("a command inside is run, or its failure told", Life::inside),
            ("an artifact that runs is kept though nobody names it", Life::kept),
            ("a stop ends it, and the log then ends too", Life::stopped),
        ];
        found.extend(steps.map(|(rule, step)| (rule, step(&life, address))));
        found.push(("what has ended says how, until it is removed", life.ended()));
    }
    found.push(("a removal leaves nothing", life.removed()));
    found
}

fn note<T>(found: &mut Vec<(&'static str, Outcome)>, rule: &'static str, outcome: Result<T, Wrong>) -> Option<T> {
    match outcome {
        Ok(value) => {
            found.push((rule, Ok(())));
            Some(value)
        }
        Err(wrong) => {
            found.push((rule, Err(wrong)));
            None
        }
    }
}

fn words<T>(text: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong::Words(text.into()))
}

fn build(kit: &Kit, app: &Path, name: &str) -> Result<Artifact, Wrong> {
    let files = app.display().to_string();
    let request = BuildRequest {
        id: id(name),
        scope: id("conformance"),
        recipe: Recipe::Docker,
        files: files.parse().map_err(|error| Wrong::Words(format!("{files}: {error}")))?,
        variables: Vec::new(),
        secrets: Vec::new(),
        clean: false,
        egress: Egress { ports: vec![80, 443, 8080], allow: Vec::new() },
        limits: BuildLimits { seconds: kit.build.as_secs().max(1), log_bytes: LOG, disk_bytes: DISK },
    };
    match end(kit, &request)? {
        BuildEvent::Built { artifact, .. } => Ok(artifact),
        other => words(format!("the build ends with {other:?}")),
    }
}

/// Reads a build to its end.
fn end(kit: &Kit, request: &BuildRequest) -> Result<BuildEvent, Wrong> {
    let path = Call::Build.path(Version::CURRENT);
    let opened = http::open(&kit.socket, "POST", &path, &encode(request), kit.build)?;
    if opened.status != 200 {
        return words(format!("the build is answered with status {}", opened.status));
    }
    let mut last = None;
    for line in BufReader::new(opened.body()).split(b'\n') {
        let event: BuildEvent = decode(&line.map_err(http::CallFailed::from)?)?;
        event.check_against(&request.recipe)?;
        if let Some(last) = last.replace(event.clone()).filter(BuildEvent::is_last) {
            return words(format!("after {last:?} comes {event:?}"));
        }
    }
    match last.filter(BuildEvent::is_last) {
        Some(last) => Ok(last),
        None => words("the build ends without saying how"),
    }
}

fn hopeless(kit: &Kit) -> Outcome {
    match build(kit, Path::new("/nowhere/at/all"), "conformance-hopeless") {
        Err(Wrong::Words(words)) if words.contains("Failed {") => Ok(()),
        Err(wrong) => Err(wrong),
        Ok(artifact) => words(format!("of files that are not there it makes {artifact}")),
    }
}

struct Life<'a> {
    kit: &'a Kit,
    artifact: Artifact,
}

impl Life<'_> {
    fn id(&self) -> spaceport_backend_protocol::InstanceId {
        id("conformance-life")
    }

    fn begin(&self) -> Result<Instance, Wrong> {
        let request = start(self.id(), self.artifact.as_str());
        let instance: Instance = self.kit.done(&Call::Start, &encode(&request))?;
        instance.check_started(&self.id(), &self.artifact)?;
        Ok(instance)
    }

    fn start(&self) -> Result<SocketAddr, Wrong> {
        // An earlier run may have been broken off.
        self.kit.done::<Removed>(&Call::Remove(self.id()), b"")?;
        match self.begin()?.state {
            InstanceState::Running { address } => Ok(address),
            InstanceState::Exited { reason, .. } => words(format!("it has ended at once: {reason}")),
        }
    }

    fn answers(&self, address: SocketAddr) -> Outcome {
        let began = Instant::now();
        loop {
            match get(address, self.kit.call) {
                Ok(answer) if answer.starts_with(b"HTTP/1.") => return Ok(()),
                Ok(answer) => return words(format!("it says {:?}", String::from_utf8_lossy(&answer))),
                Err(error) if began.elapsed() > self.kit.call => return words(format!("at {address}: {error}")),
                Err(_) => thread::sleep(LOOK),
            }
        }
    }

    fn again(&self, address: SocketAddr) -> Outcome {
        match self.begin()?.state {
            InstanceState::Running { address: found } if found == address => Ok(()),
            state => words(format!("it ran at {address}, and now: {state:?}")),
        }
    }

    fn other(&self, _: SocketAddr) -> Outcome {
        let request = start(self.id(), "sha256:1111111111111111111111111111111111111111111111111111111111111111");
        self.kit.refused::<Instance>(&Call::Start, &encode(&request), ErrorCode::BadRequest)
    }

    fn find(&self) -> Result<Option<Instance>, Wrong> {
        let listed: Instances = self.kit.done(&Call::List, b"")?;
        Ok(listed.instances.into_iter().find(|instance| instance.id == self.id()))
    }

    fn listed(&self, address: SocketAddr) -> Outcome {
        let Some(found) = self.find()? else { return words("it is not there") };
        found.check_started(&self.id(), &self.artifact)?;
        match found.state {
            InstanceState::Running { address: found } if found == address => Ok(()),
            state => words(format!("it runs at {address}, and the list says {state:?}")),
        }
    }

    fn used(&self, address: SocketAddr) -> Outcome {
        let first: Stats = self.kit.done(&Call::Stats(self.id()), b"")?;
        get(address, self.kit.call).map_err(http::CallFailed::from)?;
        let second: Stats = self.kit.done(&Call::Stats(self.id()), b"")?;
        let pair = |stats: Stats| [stats.cpu_us, stats.received_bytes, stats.sent_bytes];
        match pair(first).iter().zip(pair(second)).all(|(before, after)| *before <= after) {
            true => Ok(()),
            false => words(format!("it was {first:?} and then {second:?}")),
        }
    }

    fn inside(&self, _: SocketAddr) -> Outcome {
        let body = br#"{"command":["/nowhere/at/all"],"seconds":5}"#;
        match self.kit.call::<ExecReply>(&Call::Exec(self.id()), body)? {
            Ok(ExecReply { code: Some(0), output }) => {
                words(format!("a program that is not there ends well: {output:?}"))
            }
            Ok(_) => Ok(()),
            Err(refusal) if refusal.error == ErrorCode::Failed => Ok(()),
            Err(refusal) => words(format!("it is refused as {:?}: {refusal}", refusal.error)),
        }
    }

    fn kept(&self, _: SocketAddr) -> Outcome {
        // What is not needed may be kept as long as it likes: this looks at what is missing afterwards.
        let asked = Retain { needed: Vec::new(), seconds: limits::NUMBER, bytes: limits::NUMBER };
        self.kit.done::<Retained>(&Call::Retain, &encode(&asked))?;
        let asked = Retain { needed: vec![self.artifact.clone()], ..asked };
        let answer: Retained = self.kit.done(&Call::Retain, &encode(&asked))?;
        match answer.missing.is_empty() {
            true => Ok(()),
            false => words("it is missing"),
        }
    }

    fn stopped(&self, _: SocketAddr) -> Outcome {
        let path = Call::Logs(self.id()).path(Version::CURRENT);
        let log = http::open(&self.kit.socket, "GET", &path, b"", self.kit.call)?;
        let stop = encode(&StopRequest { grace_ms: 1000 });
        for _ in 0..2 {
            let instance: Instance = self.kit.done(&Call::Stop(self.id()), &stop)?;
            instance.check_against(&self.id())?;
            let InstanceState::Exited { .. } = instance.state else { return words(format!("{:?}", instance.state)) };
        }
        for line in BufReader::new(log.body()).split(b'\n') {
            decode::<LogLine>(&line.map_err(http::CallFailed::from)?)?;
        }
        Ok(())
    }

    fn ended(&self) -> Outcome {
        match self.find()? {
            Some(Instance { state: InstanceState::Exited { .. }, .. }) => {}
            other => return words(format!("the list says {other:?}")),
        }
        self.kit.done::<Stats>(&Call::Stats(self.id()), b"")?;
        let command = br#"{"command":["true"],"seconds":1}"#;
        self.kit.refused::<ExecReply>(&Call::Exec(self.id()), command, ErrorCode::NoSuchInstance)
    }

    fn removed(&self) -> Outcome {
        for _ in 0..2 {
            let removed: Removed = self.kit.done(&Call::Remove(self.id()), b"")?;
            removed.check_against(&self.id())?;
        }
        match self.find()? {
            None => Ok(()),
            Some(found) => words(format!("the list says {found:?}")),
        }
    }
}

fn get(address: SocketAddr, time: Duration) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, time)?;
    stream.set_read_timeout(Some(time))?;
    stream.set_write_timeout(Some(time))?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: conformance\r\nconnection: close\r\n\r\n")?;
    let mut start = [0; 16];
    let read = stream.read(&mut start)?;
    Ok(start[..read].to_vec())
}
