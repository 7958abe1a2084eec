//! Builds by the real BuildKit.

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use spaceport_backend_conformance::http;
use spaceport_backend_protocol::{
    BuildEvent, BuildRequest, Call, Fault, Line, Retain, Retained, Version, encode, limits,
};

use crate::harness::{PATIENCE, Plugin, eventually, get, start_request, variable};

const APP: &str = "FROM scratch\nCOPY app /app\n";

fn failure(end: &BuildEvent) -> (Fault, &Line) {
    match end {
        BuildEvent::Failed { fault, message } => (*fault, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn variables_are_arguments_and_secrets_are_mounted_where_they_are_asked_for() {
    let Some(plugin) = Plugin::start() else { return };
    let file = format!(
        "{APP}ARG COLOUR\nRUN [\"/app\", \"variable\", \"COLOUR\", \"deep blue\"]\n\
         RUN --mount=type=secret,id=TOKEN,mode=0444,required=true [\"/app\", \"expect-reversed\", \"/run/secrets/TOKEN\", \"2retnuh\"]\n\
         RUN [\"/app\", \"expect-none\", \"/run/secrets/TOKEN\"]\nRUN [\"/app\", \"say\", \"all is well\"]\nCMD [\"/app\", \"serve\"]\n"
    );
    let request = BuildRequest {
        variables: vec![variable("COLOUR", "deep blue")],
        secrets: vec![variable("TOKEN", "hunter2")],
        ..plugin.docker_build(&file)
    };
    let (end, log) = plugin.build(&request);
    let BuildEvent::Built { artifact, bytes } = end else { panic!("{end:?}\n{log}") };
    assert!(bytes > 100_000 && log.contains("all is well") && !log.contains("hunter2"), "{log}");
    let history = plugin.engine().ask(async |docker| {
        let history = docker.image_history(artifact.as_str()).await.unwrap();
        let image = docker.inspect_image(artifact.as_str()).await.unwrap();
        format!("{history:?} {image:?}")
    });
    assert!(history.contains("deep blue") && !history.contains("hunter2"), "{history}");
}

#[test]
fn a_step_that_fails_is_told_in_the_owners_words() {
    let Some(plugin) = Plugin::start() else { return };
    let (end, log) =
        plugin.build(&plugin.docker_build(&format!("{APP}RUN [\"/app\", \"fail\", \"no such recipe\"]\n")));
    let (fault, message) = failure(&end);
    assert_eq!(fault, Fault::Owner);
    assert!(message.as_str().contains("exit code: 3") && log.contains("no such recipe"), "{message}\n{log}");
    let (end, _) = plugin.build(&plugin.docker_build("FRO scratch\n"));
    let (fault, message) = failure(&end);
    assert!(fault == Fault::Owner && message.as_str().to_lowercase().contains("fro"), "{message}");
    let (end, _) = plugin.build(&plugin.docker_build("FROM scratch\nCOPY app /app\n"));
    assert!(failure(&end).1.as_str().contains("nothing to start"), "{end:?}");
    let kernels = "FROM scratch\nCOPY app /app\nCMD [\"/app\"]\nWORKDIR /proc/self/fd/8\n";
    let (end, log) = plugin.build(&plugin.docker_build(kernels));
    assert_eq!(failure(&end).0, Fault::Owner, "{log}");
}

#[test]
fn a_build_has_a_time_a_log_and_a_disk_and_no_more() {
    let Some(plugin) = Plugin::start() else { return };
    let mut request = plugin.docker_build(&format!("{APP}RUN [\"/app\", \"hang\"]\n"));
    request.limits.seconds = 3;
    let (end, _) = plugin.build(&request);
    assert_eq!(failure(&end).1.as_str(), "the build took longer than 3 seconds");
    // Far more than anybody ever reads.
    let mut request = plugin.docker_build(&format!("{APP}RUN [\"/app\", \"flood\", \"1000000000\"]\n"));
    request.limits.log_bytes = 20_000;
    let (end, log) = plugin.build(&request);
    assert_eq!(failure(&end).1.as_str(), "the build wrote more than 20K into its log");
    assert!(log.len() <= 20_000);
    let mut request =
        plugin.docker_build(&format!("{APP}RUN [\"/app\", \"fill\", \"/x\", \"107374182400\"]\nCMD [\"/app\"]\n"));
    request.limits.disk_bytes = 50_000_000;
    let (end, log) = plugin.build(&request);
    let (fault, message) = failure(&end);
    assert!(fault == Fault::Owner && message.as_str().contains("50M"), "{message}\n{log}");
    for step in ["/app\0hang", "/app\0flood", "/app\0fill"] {
        eventually("no step goes on", || (processes(step) == 0).then_some(()));
    }
}

/// Processes of this machine with this in their command line.
pub(crate) fn processes(part: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(part)).count()
}

#[test]
fn whoever_hangs_up_has_the_build_ended() {
    let Some(plugin) = Plugin::start() else { return };
    let mark = format!("mark-{}", plugin.namespace);
    let request = plugin.docker_build(&format!("{APP}COPY app /{mark}\nRUN [\"/{mark}\", \"hang\"]\n"));
    let path = Call::Build.path(Version::CURRENT);
    let opened = http::open(&plugin.socket(), "POST", &path, &encode(&request), PATIENCE).unwrap();
    let mut body = opened.body();
    body.read_exact(&mut [0; 10]).unwrap();
    let hang = format!("/{mark}\0hang");
    eventually("the step runs", || (processes(&hang) > 0).then_some(()));
    drop(body);
    eventually("the step is gone", || (processes(&hang) == 0).then_some(()));
}

#[test]
fn what_is_needed_or_new_or_runs_is_kept_and_the_rest_goes() {
    let Some(plugin) = Plugin::start() else { return };
    let (new, running) = (plugin.app(), old(&plugin, "running"));
    let (needed, superfluous) = (old(&plugin, "needed"), old(&plugin, "superfluous"));
    plugin.start_app(&start_request("a-1", &running));
    let retain = |needed: &[&spaceport_backend_protocol::Artifact]| -> Retained {
        let needed = needed.iter().map(|artifact| (*artifact).clone()).collect();
        plugin.call(&Call::Retain, &encode(&Retain { needed, seconds: 3600, bytes: limits::NUMBER })).unwrap()
    };
    let answer = retain(&[&needed]);
    assert_eq!((answer.removed, answer.missing), (1, vec![]));
    assert_eq!(retain(&[&needed, &superfluous, &new, &running]).missing, [superfluous]);
}

/// An image that was built long ago, as its label says.
fn old(plugin: &Plugin, name: &str) -> spaceport_backend_protocol::Artifact {
    let request = plugin.docker_build(&format!("{APP}ENV NAME={name}\nCMD [\"/app\", \"serve\"]\n"));
    let id = plugin.dir.path().join(name);
    let output = Command::new("/usr/bin/docker")
        .env("DOCKER_BUILDKIT", "1")
        .args(["build", "--label", &format!("dev.spaceport.namespace={}", plugin.namespace)])
        .args(["--label", "dev.spaceport.built=1", "--iidfile"])
        .arg(&id)
        .arg(request.files.as_str())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read_to_string(id).unwrap().trim().parse().unwrap()
}

#[test]
fn processes_of_a_build_are_counted_and_an_app_beside_it_answers() {
    let Some(plugin) = Plugin::start() else { return };
    let address = plugin.start_app(&start_request("innocent", &plugin.app()));
    let (end, log) = plugin.build(&plugin.docker_build(&format!("{APP}RUN [\"/app\", \"threads\"]\nCMD [\"/app\"]\n")));
    assert!(matches!(end, BuildEvent::Built { .. }), "{end:?}\n{log}");
    let Some(words) = log.lines().find(|line| line.ends_with(" threads")) else { panic!("{log}") };
    let threads: u64 = words.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
    assert!((1000..=8192).contains(&threads), "{words}");
    assert_eq!(get(address, "/").as_deref(), Some("hello"));
}

#[test]
fn a_build_reaches_nothing_of_this_machine_and_no_space() {
    let Some(plugin) = Plugin::start() else { return };
    let space = plugin.start_app(&start_request("innocent", &plugin.app()));
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let subnet = plugin.engine().ask(async |docker| {
        let bridge = docker.inspect_network("bridge", None).await.unwrap();
        bridge.ipam.unwrap().config.unwrap()[0].subnet.clone().unwrap()
    });
    let gateway = subnet.parse::<ipnet::Ipv4Net>().unwrap().hosts().next().unwrap().to_string();
    assert!(TcpStream::connect((gateway.as_str(), port)).is_ok(), "whoever is allowed to reaches it");
    let mut to = vec![format!("127.0.0.1:{port}"), format!("{gateway}:{port}"), format!("{gateway}:2375")];
    to.extend([
        space.to_string(),
        "169.254.169.254:80".to_owned(),
        "10.0.0.1:80".to_owned(),
        "192.175.48.1:25".to_owned(),
    ]);
    let words = to.iter().map(|to| format!(", \"{to}\"")).collect::<String>();
    let none = ["/var/run/docker.sock", "/run/docker.sock"];
    let none = none.map(|file| format!("RUN [\"/app\", \"expect-none\", \"{file}\"]\n")).concat();
    let file = format!("{APP}RUN [\"/app\", \"expect-unreached\"{words}]\n{none}CMD [\"/app\"]\n");
    let (end, log) = plugin.build(&plugin.docker_build(&file));
    assert!(matches!(end, BuildEvent::Built { .. }), "{end:?}\n{log}");
    // Nobody asks for the machine's own network, or for more rights.
    for option in ["--network=host", "--security=insecure"] {
        let file = format!("{APP}RUN {option} [\"/app\", \"say\", \"done\"]\nCMD [\"/app\"]\n");
        let (end, log) = plugin.build(&plugin.docker_build(&file));
        assert_eq!(failure(&end).0, Fault::Owner, "{option}: {log}");
    }
}

#[test]
fn a_build_reads_no_secret_and_no_cache_of_another_space() {
    let Some(plugin) = Plugin::start() else { return };
    let cached = |words: &str| format!("{APP}RUN --mount=type=cache,target=/c [\"/app\", {words}]\nCMD [\"/app\"]\n");
    let build = |scope: &str, file: &str| {
        let request = plugin.docker_build(file);
        plugin.build(&BuildRequest { scope: scope.parse().unwrap(), ..request })
    };
    let built = |scope: &str, file: &str| {
        let (end, log) = build(scope, file);
        assert!(matches!(end, BuildEvent::Built { .. }), "{scope}: {end:?}\n{log}");
    };
    built("ada", &cached("\"keep\", \"/c/token\", \"hunter2\""));
    built("ada", &cached("\"expect-reversed\", \"/c/token\", \"2retnuh\""));
    built("eve", &cached("\"expect-none\", \"/c/token\""));
    let step = "[\"/app\", \"expect-none\", \"/run/secrets/TOKEN\"]\nCMD [\"/app\"]\n";
    let request = plugin.docker_build(&format!("{APP}RUN --mount=type=secret,id=TOKEN,mode=0444 [\"/app\", \"expect-reversed\", \"/run/secrets/TOKEN\", \"2retnuh\"]\nCMD [\"/app\"]\n"));
    let (end, log) = plugin.build(&BuildRequest { secrets: vec![variable("TOKEN", "hunter2")], ..request });
    assert!(matches!(end, BuildEvent::Built { .. }), "{end:?}\n{log}");
    built("eve", &format!("{APP}RUN --mount=type=secret,id=TOKEN {step}"));
    let (end, log) = build("eve", &format!("{APP}RUN --mount=type=secret,id=TOKEN,required=true {step}"));
    assert_eq!(failure(&end).0, Fault::Owner, "{log}");
}
