//! A host with the container backend, and the engine beside it as its operator sees it. What a test has made there is gone with it.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::host::{TestHost, binary};
use crate::python::{Clients, environment};
use crate::space::TestSpace;
use crate::wait;

/// Must be there: set where the tests have to be run.
const NEEDED: &str = "SPACEPORT_NEEDS_DOCKER";
/// The image that the tests' own begin with.
const BASE_IMAGE: &str = "SPACEPORT_BASE_IMAGE";
/// What it is called where nobody says so.
const OWN_BASE_IMAGE: &str = "spaceport-base:bookworm";
/// Debian's own: the one that works with the engine that this machine runs.
const DOCKER: &str = "/usr/bin/docker";
/// How long a build and a start may take: packages come from far away, and the machine may be busy with other tests.
const SETTLE: Duration = Duration::from_secs(240);

/// Hosts of this process so far.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A host whose Docker and Gradio Spaces run in containers.
pub struct ContainerHost {
    host: TestHost,
    namespace: String,
}

impl ContainerHost {
    /// Starts one, unless no engine answers.
    #[track_caller]
    pub fn start() -> Option<Self> {
        Self::start_with("", &[])
    }

    /// The same with more configuration, and more words for the backend.
    #[track_caller]
    pub fn start_with(config: &str, arguments: &[&str]) -> Option<Self> {
        if let Err(why) = try_docker(&["version", "--format", "{{.Server.Version}}"]) {
            assert!(std::env::var_os(NEEDED).is_none(), "{NEEDED} is set, and no engine answers: {why}");
            eprintln!("skipped: no container engine answers here ({why})");
            return None;
        }
        let namespace = format!("e{:x}x{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let program = binary().with_file_name("spaceport-container");
        assert!(program.exists(), "{} is missing: build it", program.display());
        let own = ["--namespace", &namespace, "--base-image", &base_image()].map(str::to_owned);
        let given = arguments.iter().map(|word| (*word).to_owned());
        let command: Vec<String> = [program.to_str().unwrap().to_owned()].into_iter().chain(own).chain(given).collect();
        let allow = package_index();
        let egress = format!("[egress]\nallow = {allow:?}\n");
        let host = TestHost::start_with(&format!("{config}\n{egress}\n[backends.container]\ncommand = {command:?}\n"));
        let started = Self { host, namespace };
        let up = || (started.metric("spaceport_backend_up{backend=\"container\"}") == 1.0).then_some(());
        assert!(wait::until(SETTLE, up).is_some(), "the backend is not up");
        Some(started)
    }

    /// The containers that run.
    pub fn containers(&self) -> Vec<String> {
        self.lines(&["ps", "--quiet", "--no-trunc"])
    }

    /// The images that were built for its Spaces.
    pub fn images(&self) -> Vec<String> {
        self.lines(&["images", "--quiet", "--no-trunc"])
    }

    /// The backend's process, if there is one.
    pub fn plugin(&self) -> Option<i32> {
        let is_it = |pid: &i32| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let mut words = command.split(|byte| *byte == 0);
            words.next().is_some_and(|word| word.ends_with(b"spaceport-container"))
                && words.any(|word| word == self.namespace.as_bytes())
        };
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(is_it)
    }

    /// Waits until a Space is in this stage, however long its build takes.
    #[track_caller]
    pub fn brings(&self, space: &TestSpace<'_>, stage: &str) -> serde_json::Value {
        let ends = [stage, "BUILD_ERROR", "CONFIG_ERROR", "RUNTIME_ERROR"];
        let ended = || {
            let runtime = space.runtime();
            ends.contains(&runtime["stage"].as_str().unwrap()).then_some(())
        };
        wait::until(SETTLE, ended);
        space.reaches(stage)
    }

    fn lines(&self, words: &[&str]) -> Vec<String> {
        let filter = format!("label=dev.spaceport.namespace={}", self.namespace);
        let all: Vec<&str> = words.iter().copied().chain(["--filter", &filter]).collect();
        docker(&all).lines().map(str::to_owned).collect()
    }
}

impl Deref for ContainerHost {
    type Target = TestHost;

    fn deref(&self) -> &TestHost {
        &self.host
    }
}

impl DerefMut for ContainerHost {
    fn deref_mut(&mut self) -> &mut TestHost {
        &mut self.host
    }
}

impl Drop for ContainerHost {
    fn drop(&mut self) {
        self.host.kill();
        // It ends with its host; until then it may still be making something.
        wait::until(SETTLE, || self.plugin().is_none().then_some(()));
        let remove = |verb: &[&str], found: Vec<String>| {
            for id in found {
                let _ = try_docker(&[verb, &[&id]].concat());
            }
        };
        remove(&["rm", "--force", "--volumes"], self.lines(&["ps", "--all", "--quiet"]));
        remove(&["rmi", "--force"], self.lines(&["images", "--quiet"]));
        remove(&["network", "rm"], vec![format!("spaceport-{}", self.namespace)]);
        let table = format!("spaceport_sp_{}", self.namespace);
        let _ = Command::new("nft").args(["delete", "table", "inet", &table]).output();
    }
}

/// Where the package index is that pip asks if nobody tells it otherwise: it may be a mirror at an address that is not public.
const FIND_INDEX: &str = "
import ipaddress, socket
from pip._internal.models.index import PyPI
for address in sorted({found[4][0] for found in socket.getaddrinfo(PyPI.netloc, 443)}):
    print(ipaddress.ip_network(address))
";

fn package_index() -> Vec<String> {
    let output =
        Command::new(environment(Clients::Newest).join("bin/python")).args(["-c", FIND_INDEX]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// The image that a test's own may begin with: Python, Node.js, git, a C compiler.
pub fn base_image() -> String {
    std::env::var(BASE_IMAGE).unwrap_or_else(|_| OWN_BASE_IMAGE.to_owned())
}

/// What Docker's own command says, which must succeed.
#[track_caller]
pub fn docker(words: &[&str]) -> String {
    try_docker(words).unwrap_or_else(|why| panic!("docker {words:?}: {why}"))
}

fn try_docker(words: &[&str]) -> Result<String, String> {
    let program = PathBuf::from(DOCKER);
    let program = if program.exists() { program } else { "docker".into() };
    let output = Command::new(program).args(words).output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
