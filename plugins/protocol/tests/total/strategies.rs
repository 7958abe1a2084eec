//! Messages of every kind, at random.

use std::net::{IpAddr, Ipv4Addr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use spaceport_backend_protocol::{
    Artifact, Ask, BuildEvent, BuildLimits, BuildRequest, Capacity, Data, Description, Device, Egress, ErrorCode,
    ExecReply, ExecRequest, Fault, Flavor, Gpu, Hardware, Health, Hello, HostPath, Instance, InstanceId, InstanceState,
    Instances, Line, LogLine, LogStream, Message, Network, Recipe, Refusal, Removed, Retain, Retained, StartRequest,
    Stats, StopRequest, Variable, Version, Word, encode, limits,
};

fn word() -> impl Strategy<Value = Word> {
    "[A-Za-z0-9][A-Za-z0-9._:/=+-]{0,63}".prop_map(|text| text.parse().unwrap())
}

fn id() -> impl Strategy<Value = InstanceId> {
    "[a-z0-9][a-z0-9-]{0,63}".prop_map(|text| text.parse().unwrap())
}

fn line() -> impl Strategy<Value = Line> {
    ".{0,80}".prop_map(|text| Line::lossy(&text))
}

fn number() -> impl Strategy<Value = u64> {
    0..=limits::NUMBER
}

fn hardware() -> impl Strategy<Value = Hardware> {
    let gpu =
        (word(), any::<u32>(), number()).prop_map(|(kind, count, memory_bytes)| Gpu { kind, count, memory_bytes });
    (word(), number(), number(), number(), option::of(gpu)).prop_map(
        |(name, cpu_milli, memory_bytes, disk_bytes, gpu)| Hardware { name, cpu_milli, memory_bytes, disk_bytes, gpu },
    )
}

pub(crate) fn description() -> impl Strategy<Value = Description> {
    let flavor = (word(), option::of(line())).prop_map(|(name, refusal)| Flavor { name, refusal });
    let device = (word(), word(), number()).prop_map(|(id, kind, memory_bytes)| Device { id, kind, memory_bytes });
    let capacity = (number(), number(), number()).prop_map(|(cpu_milli, memory_bytes, disk_bytes)| Capacity {
        cpu_milli,
        memory_bytes,
        disk_bytes,
    });
    let lists = (vec(word(), 0..4), vec(flavor, 0..4), vec(device, 0..4));
    (line(), line(), lists, capacity).prop_map(|(name, version, (mut sdks, mut flavors, mut devices), capacity)| {
        sdks.sort();
        sdks.dedup();
        flavors.sort_by(|a, b| a.name.cmp(&b.name));
        flavors.dedup_by(|a, b| a.name == b.name);
        devices.sort_by(|a, b| a.id.cmp(&b.id));
        devices.dedup_by(|a, b| a.id == b.id);
        Description { name, version, sdks, flavors, capacity, devices }
    })
}

pub(crate) fn instance() -> impl Strategy<Value = Instance> {
    let exited = (option::of(any::<i32>()), line()).prop_map(|(code, reason)| InstanceState::Exited { code, reason });
    let running = (1..=u32::MAX, 1..=u16::MAX)
        .prop_map(|(ip, port)| InstanceState::Running { address: (Ipv4Addr::from(ip), port).into() });
    (id(), artifact(), prop_oneof![running, exited]).prop_map(|(id, artifact, state)| Instance { id, artifact, state })
}

fn artifact() -> impl Strategy<Value = Artifact> {
    "sha256:[0-9a-f]{64}".prop_map(|text| text.parse().unwrap())
}

fn path() -> impl Strategy<Value = HostPath> {
    "(/[a-zA-Z ä]{1,12}){1,4}".prop_map(|text| text.parse().unwrap())
}

fn variables() -> impl Strategy<Value = Vec<Variable>> {
    let variable = ("[A-Za-z_][A-Za-z0-9_]{0,20}", "[^\\x00]{0,40}")
        .prop_map(|(name, value)| Variable { name: name.parse().unwrap(), value: value.parse().unwrap() });
    vec(variable, 0..4).prop_map(|mut variables| {
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        variables.dedup_by(|a, b| a.name == b.name);
        variables
    })
}

fn egress() -> impl Strategy<Value = Egress> {
    let network = (any::<IpAddr>(), 0..=32_u8).prop_map(|(address, prefix)| Network { address, prefix });
    (vec(any::<u16>(), 0..4), vec(network, 0..3)).prop_map(|(ports, allow)| Egress { ports, allow })
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let gradio = (option::of(word()), option::of(word())).prop_map(|(python_version, sdk_version)| Recipe::Gradio {
        app_file: "src/app.py".parse().unwrap(),
        python_version,
        sdk_version,
    });
    let site = ("[^\\x00]{1,40}", path()).prop_map(|(command, output)| {
        let command = command.parse().unwrap();
        Recipe::Static { command, output }
    });
    prop_oneof![Just(Recipe::Docker), gradio, site]
}

pub(crate) fn build_request() -> impl Strategy<Value = BuildRequest> {
    let limits = (1..=limits::BUILD.as_secs(), number(), number())
        .prop_map(|(seconds, log_bytes, disk_bytes)| BuildLimits { seconds, log_bytes, disk_bytes });
    let given = (variables(), variables(), egress(), limits);
    ((id(), id()), recipe(), path(), any::<bool>(), given).prop_map(
        |((id, scope), recipe, files, clean, (variables, secrets, egress, limits))| {
            let secrets = if matches!(recipe, Recipe::Static { .. }) { Vec::new() } else { secrets };
            BuildRequest { id, scope, recipe, files, variables, secrets, clean, egress, limits }
        },
    )
}

pub(crate) fn start_request() -> impl Strategy<Value = StartRequest> {
    let data = (path(), number()).prop_map(|(folder, quota_bytes)| Data { folder, quota_bytes });
    let given = (variables(), option::of(data), egress());
    (id(), artifact(), hardware(), 1..=u16::MAX, given).prop_map(
        |(id, artifact, hardware, port, (variables, data, egress))| StartRequest {
            id,
            artifact,
            hardware,
            variables,
            port,
            data,
            egress,
        },
    )
}

fn build_event() -> impl Strategy<Value = BuildEvent> {
    let log = ".{0,40}".prop_map(|text| BuildEvent::Log(LogLine { stream: LogStream::Err, text, at_ms: None }));
    prop_oneof![
        log,
        (artifact(), number()).prop_map(|(artifact, bytes)| BuildEvent::Built { artifact, bytes }),
        (number(), number()).prop_map(|(files, bytes)| BuildEvent::Written { files, bytes }),
        line().prop_map(|message| BuildEvent::Failed { fault: Fault::Owner, message }),
    ]
}

/// The text of any message.
pub(crate) fn body() -> impl Strategy<Value = Vec<u8>> {
    message().prop_map(|(_, body)| body)
}

/// Any message: what it is, and its text.
pub(crate) fn message() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    fn of<T: Message>(name: &'static str) -> impl Fn(T) -> (&'static str, Vec<u8>) {
        move |message| (name, encode(&message))
    }
    let stream = prop_oneof![Just(LogStream::Out), Just(LogStream::Err)];
    let line_of_log = (stream, any::<String>(), option::of(number()));
    let health = prop_oneof![Just(Health::Ready), line().prop_map(|reason| Health::Unready { reason })];
    let kept = (vec(artifact(), 0..3), number());
    prop_oneof![
        description().prop_map(of("Description")),
        vec(hardware(), 0..3).prop_map(|hardware| Ask { hardware }).prop_map(of("Ask")),
        health.prop_map(of("Health")),
        vec(instance(), 0..3).prop_map(|instances| Instances { instances }).prop_map(of("Instances")),
        instance().prop_map(of("Instance")),
        line_of_log.prop_map(|(stream, text, at_ms)| LogLine { stream, text, at_ms }).prop_map(of("LogLine")),
        line().prop_map(|message| Refusal { error: ErrorCode::Busy, message }).prop_map(of("Refusal")),
        build_request().prop_map(of("BuildRequest")),
        build_event().prop_map(of("BuildEvent")),
        start_request().prop_map(of("StartRequest")),
        (0..=60_000_u64).prop_map(|grace_ms| StopRequest { grace_ms }).prop_map(of("StopRequest")),
        kept.prop_map(|(needed, seconds)| Retain { needed, seconds, bytes: 2 }).prop_map(of("Retain")),
        vec(artifact(), 0..3)
            .prop_map(|missing| Retained { missing, removed: 1, freed_bytes: 2 })
            .prop_map(of("Retained")),
        id().prop_map(|id| Removed { id }).prop_map(of("Removed")),
        number().prop_map(|cpu_us| Stats { cpu_us, ..Stats::default() }).prop_map(of("Stats")),
        vec(any::<String>(), 1..3).prop_map(|command| ExecRequest { command, seconds: 1 }).prop_map(of("ExecRequest")),
        (option::of(any::<i32>()), any::<String>())
            .prop_map(|(code, output)| ExecReply { code, output })
            .prop_map(of("ExecReply")),
        any::<u32>().prop_map(|n| Hello { versions: vec![Version(n)], ..Hello::new() }).prop_map(of("Hello")),
    ]
}
