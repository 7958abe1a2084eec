//! Good questions that change nothing.

use spaceport_backend_protocol::{
    Ask, Call, Description, ErrorCode, Gpu, Hardware, Health, Hello, Instance, InstanceId, Instances, Refusal, Removed,
    Retain, Retained, StartRequest, Stats, StopRequest, decode, encode, limits,
};

use crate::{Kit, Outcome, Wrong, http};

/// A rule and how it is looked at.
pub(crate) type Rule = (&'static str, fn(&Kit) -> Outcome);

/// What has to hold.
pub(crate) const RULES: [Rule; 11] = [
    ("it says which versions it speaks, and one is ours", versions),
    ("an answer repeats what its call was marked with", marked),
    ("it says whether it is well", health),
    ("it says of every row of hardware whether it can be had, and of no other", describe),
    ("it refuses rows that no machine has, with a reason", impossible),
    ("it lists its instances, each once", list),
    ("an instance that is not there cannot be asked for anything", nobody),
    ("the removal of an instance that is not there is no mistake", remove_nobody),
    ("an artifact that is not there cannot be started, and is called missing", no_artifact),
    ("an artifact that is not there is missing where it is needed", missing),
    ("several calls at a time are answered", at_a_time),
];

/// An instance that nobody has started.
pub(crate) fn nobody_id() -> InstanceId {
    id("conformance-nobody")
}

/// An id, from a text that is one.
pub(crate) fn id(text: &str) -> InstanceId {
    text.parse().expect("it is an id")
}

/// The artifact that nobody has built.
const NO_ARTIFACT: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn versions(kit: &Kit) -> Outcome {
    let hello: Hello = kit.done(&Call::Protocol, b"")?;
    hello.choose().map(drop).map_err(|error| Wrong::Words(error.to_string()))
}

fn marked(kit: &Kit) -> Outcome {
    kit.done::<Hello>(&Call::Protocol, b"").map(drop)?;
    // A refusal is an answer too.
    let reply = http::call(&kit.socket, "GET", "/v1/nothing", b"", kit.call)?;
    decode::<Refusal>(&reply.body)?;
    Ok(())
}

fn health(kit: &Kit) -> Outcome {
    match kit.done::<Health>(&Call::Health, b"")? {
        Health::Ready => Ok(()),
        Health::Unready { reason } => Err(Wrong::Words(format!("it is not ready, so the rest says little: {reason}"))),
    }
}

fn row(name: &str) -> Hardware {
    let name = name.parse().expect("it is a name");
    Hardware { name, cpu_milli: 100, memory_bytes: 64 << 20, disk_bytes: 64 << 20, gpu: None }
}

fn describe(kit: &Kit) -> Outcome {
    for names in [&[][..], &["conformance-a"], &["conformance-a", "conformance-b"]] {
        let ask = Ask { hardware: names.iter().map(|name| row(name)).collect() };
        let description: Description = kit.done(&Call::Describe, &encode(&ask))?;
        description.check_against(&ask)?;
        if description.sdks.is_empty() {
            return Err(Wrong::Words("it builds and runs no kind of Spaces".to_owned()));
        }
    }
    Ok(())
}

fn impossible(kit: &Kit) -> Outcome {
    let kind = "conformance-gpu".parse().expect("it is a name");
    let gpu = Some(Gpu { kind, count: 1, memory_bytes: 1 << 30 });
    let ask = Ask {
        hardware: vec![
            row("conformance-small"),
            Hardware { cpu_milli: limits::NUMBER, ..row("conformance-cpus") },
            Hardware { memory_bytes: limits::NUMBER, ..row("conformance-memory") },
            Hardware { gpu, ..row("conformance-device") },
        ],
    };
    let description: Description = kit.done(&Call::Describe, &encode(&ask))?;
    description.check_against(&ask)?;
    let offered = |flavor: &&spaceport_backend_protocol::Flavor| flavor.refusal.is_none();
    let names: Vec<&str> = description.flavors.iter().filter(offered).map(|flavor| flavor.name.as_str()).collect();
    match names[..] {
        ["conformance-small"] => Ok(()),
        _ => Err(Wrong::Words(format!("of four rows it offers {names:?}, and only the small one can be had"))),
    }
}

fn list(kit: &Kit) -> Outcome {
    kit.done::<Instances>(&Call::List, b"").map(drop)
}

fn nobody(kit: &Kit) -> Outcome {
    let id = nobody_id();
    let stop = encode(&StopRequest { grace_ms: 0 });
    let command = br#"{"command":["true"],"seconds":1}"#;
    kit.refused::<Instance>(&Call::Stop(id.clone()), &stop, ErrorCode::NoSuchInstance)?;
    kit.refused::<Stats>(&Call::Stats(id.clone()), b"", ErrorCode::NoSuchInstance)?;
    kit.refused::<spaceport_backend_protocol::ExecReply>(&Call::Exec(id.clone()), command, ErrorCode::NoSuchInstance)?;
    kit.refused::<spaceport_backend_protocol::LogLine>(&Call::Logs(id), b"", ErrorCode::NoSuchInstance)
}

fn remove_nobody(kit: &Kit) -> Outcome {
    let id = nobody_id();
    let removed: Removed = kit.done(&Call::Remove(id.clone()), b"")?;
    Ok(removed.check_against(&id)?)
}

fn no_artifact(kit: &Kit) -> Outcome {
    let request = start(nobody_id(), NO_ARTIFACT);
    kit.refused::<Instance>(&Call::Start, &encode(&request), ErrorCode::NoSuchArtifact)?;
    let there: Instances = kit.done(&Call::List, b"")?;
    match there.instances.iter().any(|instance| instance.id == nobody_id()) {
        true => Err(Wrong::Words("what could not be started is in the list".to_owned())),
        false => Ok(()),
    }
}

/// The request to start something small.
pub(crate) fn start(id: InstanceId, artifact: &str) -> StartRequest {
    StartRequest {
        id,
        artifact: artifact.parse().expect("it is an artifact's name"),
        hardware: row("conformance-small"),
        variables: Vec::new(),
        port: 7860,
        data: None,
        egress: spaceport_backend_protocol::Egress { ports: vec![80, 443, 8080], allow: Vec::new() },
    }
}

fn missing(kit: &Kit) -> Outcome {
    let artifact = NO_ARTIFACT.parse().expect("it is an artifact's name");
    // So long, and so much, that nothing has to go.
    let asked = Retain { needed: vec![artifact], seconds: limits::NUMBER, bytes: limits::NUMBER };
    let answer: Retained = kit.done(&Call::Retain, &encode(&asked))?;
    answer.check_against(&asked)?;
    match (answer.missing == asked.needed, answer.removed) {
        (true, 0) => Ok(()),
        (false, _) => Err(Wrong::Words("it does not call missing what is not there".to_owned())),
        (true, removed) => Err(Wrong::Words(format!("it has removed {removed} artifacts before their time"))),
    }
}

fn at_a_time(kit: &Kit) -> Outcome {
    const CALLS: usize = 8;
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..CALLS).map(|_| scope.spawn(|| health(kit))).collect();
        let mut outcomes = calls.into_iter().map(|call| match call.join() {
            Ok(outcome) => outcome,
            Err(_) => Err(Wrong::Words("a call broke down".to_owned())),
        });
        outcomes.try_for_each(|outcome| outcome)
    })
}
