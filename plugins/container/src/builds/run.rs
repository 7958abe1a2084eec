//! One build: the command, its log, its limits, and what became of it.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use spaceport_backend_protocol::{BuildEvent, BuildRequest, Fault, LogLine, LogStream, Recipe, Variable, limits};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use super::failure::{failed, of_log};
use super::limits::{Disk, Held, hold};
use super::recipe::{CA_SECRET, Dockerfile, Found, PIP_SECRET, dockerfile, is_pip_told, pip_config};
use super::{client, outcome};
use crate::arguments::Settings;
use crate::guard;
use crate::instances::{Unit, size};
use crate::names::{LABEL_BUILD, LABEL_BUILT, LABEL_NAMESPACE};
use crate::plugin::Plugin;
use crate::refusal::of_engine;
use crate::serve::Lines;

/// The last lines that are looked at for the reason of a failure.
const LAST_LINES: usize = 40;
/// Time between two looks at the disk.
const LOOK: Duration = Duration::from_secs(2);
/// Where files can be that are on no disk.
const IN_MEMORY: &str = "/dev/shm";
/// How the arguments of BuildKit's own begin. They are no variables of a Space.
const RESERVED: &str = "BUILDKIT_";
/// Separates what the builds of one scope leave for the next from what those of others do.
const CACHE_SCOPE: &str = "BUILDKIT_CACHE_MOUNT_NS";

/// Builds, and says how it ended.
pub(super) async fn run(plugin: &Plugin, request: &BuildRequest, log: &Lines) -> BuildEvent {
    match attempt(plugin, request, log).await {
        Ok(end) | Err(end) => end,
    }
}

async fn attempt(plugin: &Plugin, request: &BuildRequest, log: &Lines) -> Result<BuildEvent, BuildEvent> {
    let platform = |words: &dyn std::fmt::Display| failed(Fault::Platform, &words.to_string());
    let docker = plugin.engine.client().await.map_err(|error| platform(&of_engine(&error)))?;
    guard::hold(plugin, &docker, &request.egress).await.map_err(|refusal| platform(&refusal))?;
    let info = docker.info().await.map_err(|error| platform(&of_engine(&error)))?;
    let client = client(plugin).await.map_err(|error| platform(&error))?;
    let files = Path::new(request.files.as_str());
    let has = |name: &str| files.join(name).is_file();
    let found = Found {
        packages: has("packages.txt"),
        pre_requirements: has("pre-requirements.txt"),
        requirements: has("requirements.txt"),
    };
    let recipe = dockerfile(request, found, &plugin.settings);
    let scratch = Scratch::new(request, &recipe, &plugin.settings).map_err(|error| platform(&error))?;
    let memory = info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default();
    tell_limits(hold(memory), log).await;
    let mut command = client.command();
    arguments(&mut command, plugin, request, &scratch);
    let disk = Disk::watch(info.docker_root_dir.unwrap_or_else(|| "/".to_owned()).into());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| platform(&error))?;
    let limit = Duration::from_secs(request.limits.seconds);
    let last = tokio::select! {
        ended = follow(&mut child, request.limits.log_bytes, log) => ended?,
        () = tokio::time::sleep(limit) => {
            return Err(failed(Fault::Owner, &format!("the build took longer than {} seconds", limit.as_secs())));
        }
        () = overflow(&disk, request.limits.disk_bytes, plugin) => {
            let most = size(request.limits.disk_bytes, Unit::Decimal);
            return Err(failed(Fault::Owner, &format!("the build took more disk than {most}, or all that the machine has")));
        }
    };
    match child.wait().await {
        Err(error) => Err(platform(&error)),
        Ok(status) if !status.success() => {
            Err(of_log(last.iter().map(String::as_str), matches!(recipe, Dockerfile::Written(_))))
        }
        Ok(_) => Ok(match &request.recipe {
            Recipe::Static { output, .. } => outcome::files(Path::new(output.as_str()), request.limits.disk_bytes),
            Recipe::Docker | Recipe::Gradio { .. } => {
                outcome::image(&docker, &scratch.image_id(), request.limits.disk_bytes).await
            }
        }),
    }
}

async fn tell_limits(held: Held, log: &Lines) {
    let words = match held {
        Held { memory: Some(memory), pids: Some(_) } => {
            format!("memory and processes are limited for all builds together: {}", size(memory, Unit::Binary))
        }
        Held { memory: Some(memory), pids: None } => {
            format!("memory is limited for all builds together ({}), processes are not", size(memory, Unit::Binary))
        }
        Held { memory: None, .. } => "the memory of a build is not limited on this host".to_owned(),
    };
    // If nobody reads on, the build ends elsewhere.
    let _ = log.write(&BuildEvent::Log(LogLine { stream: LogStream::Err, text: words, at_ms: None })).await;
}

async fn overflow(disk: &Disk, most: u64, plugin: &Plugin) {
    while !disk.is_over(most, plugin.builds.count()) {
        tokio::time::sleep(LOOK).await;
    }
}

/// Passes on what the command writes until it has closed both its streams; the last lines.
async fn follow(child: &mut Child, most: u64, log: &Lines) -> Result<VecDeque<String>, BuildEvent> {
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else { return Ok(VecDeque::new()) };
    let (mut out, mut err) = (BufReader::new(out), BufReader::new(err));
    let (mut last, mut left) = (VecDeque::new(), most);
    let (mut out_ends, mut err_ends) = (false, false);
    let (mut out_line, mut err_line) = (Vec::new(), Vec::new());
    while !(out_ends && err_ends) {
        let (stream, line, ends) = tokio::select! {
            read = piece(&mut out, &mut out_line), if !out_ends => (LogStream::Out, &mut out_line, read.map(|it| (it, &mut out_ends))),
            read = piece(&mut err, &mut err_line), if !err_ends => (LogStream::Err, &mut err_line, read.map(|it| (it, &mut err_ends))),
        };
        let (read, ended) = ends.map_err(|error| failed(Fault::Platform, &error.to_string()))?;
        *ended = read == 0;
        if *ended && line.is_empty() {
            continue;
        }
        let text = String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned();
        line.clear();
        let bytes = u64::try_from(text.len() + 1).unwrap_or(u64::MAX);
        left = left.checked_sub(bytes).ok_or_else(|| {
            failed(Fault::Owner, &format!("the build wrote more than {} into its log", size(most, Unit::Decimal)))
        })?;
        let event = BuildEvent::Log(LogLine { stream, text: text.clone(), at_ms: None });
        if log.write(&event).await.is_err() {
            return Err(failed(Fault::Platform, "nobody reads on"));
        }
        last.push_back(text);
        if last.len() > LAST_LINES {
            last.pop_front();
        }
    }
    Ok(last)
}

/// Reads up to the end of a line, or as much as one may have. May be dropped and called again.
async fn piece(from: &mut (impl AsyncRead + AsyncBufReadExt + Unpin), line: &mut Vec<u8>) -> io::Result<usize> {
    // A byte that is no text becomes a character of three.
    let room = (limits::LOG_TEXT / 3).saturating_sub(line.len());
    from.take(u64::try_from(room.max(1)).unwrap_or(1)).read_until(b'\n', line).await
}

fn arguments(command: &mut Command, plugin: &Plugin, request: &BuildRequest, scratch: &Scratch) {
    let names = &plugin.names;
    command.args(["build", "--progress", "plain"]);
    if request.clean {
        command.arg("--no-cache");
    }
    if let Some(file) = &scratch.dockerfile {
        command.arg("--file").arg(file);
    }
    match &request.recipe {
        Recipe::Static { output, .. } => {
            command.arg("--output").arg(format!("type=local,dest={output}"));
        }
        Recipe::Docker | Recipe::Gradio { .. } => {
            let built = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
            command.arg("--tag").arg(names.image(&request.id)).arg("--iidfile").arg(scratch.image_id());
            let labels = [
                (LABEL_NAMESPACE, names.namespace().to_owned()),
                (LABEL_BUILD, request.id.to_string()),
                (LABEL_BUILT, built.to_string()),
            ];
            for (name, value) in labels {
                command.arg("--label").arg(format!("{name}={value}"));
            }
        }
    }
    // A generated image for gradio asks for none.
    if !matches!(request.recipe, Recipe::Gradio { .. }) {
        for Variable { name, value } in &request.variables {
            if !name.as_str().starts_with(RESERVED) {
                command.arg("--build-arg").arg(format!("{name}={}", value.as_str()));
            }
        }
    }
    let scope = if request.clean { &request.id } else { &request.scope };
    command.arg("--build-arg").arg(format!("{CACHE_SCOPE}={}-{scope}", names.namespace()));
    for (id, file) in &scratch.secrets {
        command.arg("--secret").arg(format!("id={id},src={}", file.display()));
    }
    command.arg("--").arg(request.files.as_str());
}

/// Files that only the build needs, gone with it: in memory where the machine has such a place, since some are secrets.
struct Scratch {
    dir: TempDir,
    dockerfile: Option<PathBuf>,
    secrets: Vec<(String, PathBuf)>,
}

impl Scratch {
    fn new(request: &BuildRequest, recipe: &Dockerfile, settings: &Settings) -> io::Result<Self> {
        let dir = match Path::new(IN_MEMORY).is_dir() {
            true => tempfile::Builder::new().prefix("spaceport-").tempdir_in(IN_MEMORY)?,
            false => tempfile::Builder::new().prefix("spaceport-").tempdir()?,
        };
        let mut scratch = Self { dir, dockerfile: None, secrets: Vec::new() };
        if let Dockerfile::Written(text) = recipe {
            let folder = scratch.dir.path().join("recipe");
            fs::DirBuilder::new().mode(0o700).create(&folder)?;
            let file = folder.join("Dockerfile");
            write(&file, text.as_bytes())?;
            // What the repository leaves out of an image of its own making does not count here.
            write(&folder.join("Dockerfile.dockerignore"), b".git\n")?;
            scratch.dockerfile = Some(file);
        }
        for (number, secret) in request.secrets.iter().enumerate() {
            scratch.keep(secret.name.as_str(), &format!("secret-{number}"), secret.value.as_str().as_bytes())?;
        }
        if matches!(recipe, Dockerfile::Written(_)) && is_pip_told(settings) {
            scratch.keep(PIP_SECRET.0, "pip", pip_config(settings).as_bytes())?;
        }
        if let (Dockerfile::Written(_), Some(bundle)) = (recipe, &settings.ca_bundle) {
            scratch.secrets.push((CA_SECRET.0.to_owned(), bundle.clone()));
        }
        Ok(scratch)
    }

    fn keep(&mut self, id: &str, name: &str, content: &[u8]) -> io::Result<()> {
        let file = self.dir.path().join(name);
        write(&file, content)?;
        self.secrets.push((id.to_owned(), file));
        Ok(())
    }

    /// Where the command leaves the image's id.
    fn image_id(&self) -> PathBuf {
        self.dir.path().join("image")
    }
}

fn write(file: &Path, content: &[u8]) -> io::Result<()> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(content)
}
