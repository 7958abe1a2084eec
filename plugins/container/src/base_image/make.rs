//! The steps, one after another.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use bollard::Docker;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;
use tokio_util::io::ReaderStream;

use super::bundle::certificates;
use super::{NotMade, Plan, tell};

/// Lines of a program's output that are repeated when it fails.
const LAST: usize = 8;
/// What there has to be before the rest is installed by the system itself, which knows better in which order: certificates to
/// add to, for mirrors that need them.
const FIRST: &str = "ca-certificates";
/// What the image's programs see if nobody says otherwise, and what it runs then.
const SETTINGS: &str =
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nENV LANG=C.UTF-8\nCMD [\"python3\"]";
/// Folders whose content is of use to nobody in an image.
const EMPTIED: [&str; 5] = ["var/lib/apt/lists", "var/cache/apt/archives", "var/log", "debootstrap", "tmp"];

/// How this machine reaches mirrors, if not directly.
const PROXIES: [&str; 3] = ["http_proxy", "https_proxy", "no_proxy"];

/// Makes the image; its id.
pub(super) fn make(plan: &Plan) -> Result<String, NotMade> {
    let began = Instant::now();
    look_around()?;
    let bundle = plan.ca_bundle.as_deref().map(read_bundle).transpose()?.unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| step("starting", error))?;
    let docker = runtime.block_on(connect())?;
    let folder = tempfile::Builder::new().prefix("spaceport-base-").tempdir_in(&plan.folder);
    let folder =
        folder.map_err(|error| step("making a folder to work in", format!("{}: {error}", plan.folder.display())))?;
    let root = folder.path().join("root");
    install(plan, &root)?;
    furnish(&root, plan, &bundle)?;
    let id = runtime.block_on(import(&docker, plan, &root))?;
    tell(&format!("made {} in {} s", plan.tag, began.elapsed().as_secs()));
    Ok(id)
}

fn step(step: &'static str, reason: impl std::fmt::Display) -> NotMade {
    NotMade::Step { step, reason: reason.to_string() }
}

/// Whether everything that will be needed is there: before minutes have been spent.
fn look_around() -> Result<(), NotMade> {
    if !rustix::process::geteuid().is_root() {
        let text = "making a base image needs root: its files belong to several users. Run it with sudo";
        return Err(NotMade::Missing(text.to_owned()));
    }
    for (program, package) in [("debootstrap", "debootstrap"), ("chroot", "coreutils"), ("tar", "tar")] {
        let is_there =
            Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        if !is_there {
            let text = format!("the program {program} is missing. Install it: apt-get install {package}");
            return Err(NotMade::Missing(text));
        }
    }
    Ok(())
}

fn read_bundle(path: &Path) -> Result<Vec<String>, NotMade> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string());
    let found = text.and_then(|text| certificates(&text).map_err(str::to_owned));
    found.map_err(|reason| NotMade::Missing(format!("--ca-bundle {}: {reason}", path.display())))
}

async fn connect() -> Result<Docker, NotMade> {
    let missing = |error| NotMade::Missing(format!("the container engine does not answer: {error}"));
    let docker = Docker::connect_with_defaults().map_err(missing)?;
    docker.ping().await.map_err(missing)?;
    Ok(docker)
}

fn install(plan: &Plan, root: &Path) -> Result<(), NotMade> {
    tell(&format!("installing the least of {}", plan.suite));
    let mut command = Command::new("debootstrap");
    command.arg("--variant=minbase").arg(format!("--include={FIRST}"));
    command.arg(&plan.suite).arg(root).args(&plan.mirror);
    command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stderr(Stdio::inherit());
    command.stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| step("debootstrap", error))?;
    let stdout = child.stdout.take().map(BufReader::new).into_iter();
    let (mut phase, mut last) = (String::new(), Vec::new());
    for line in stdout.flat_map(|stdout| stdout.lines().map_while(Result::ok)) {
        if let Some(new) = new_phase(&phase, &line) {
            tell(&format!("  {new}"));
            phase = new;
        }
        last.push(line);
        if last.len() > LAST {
            last.remove(0);
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        _ => {
            let log = fs::read_to_string(root.join("debootstrap/debootstrap.log")).unwrap_or_default();
            let log = log.lines().rev().take(LAST).map(str::to_owned);
            let reason: Vec<String> = last.into_iter().chain(log.collect::<Vec<_>>().into_iter().rev()).collect();
            Err(step("debootstrap could not install", reason.join("\n")))
        }
    }
}

/// What debootstrap has begun to do, by a line like `I: Unpacking bash...`.
fn new_phase(phase: &str, line: &str) -> Option<String> {
    let word = line.strip_prefix("I: ")?.split_whitespace().next()?.to_ascii_lowercase();
    let is_phase =
        ["retrieving", "validating", "resolving", "extracting", "unpacking", "configuring"].contains(&word.as_str());
    // Each package is retrieved and validated in turn.
    let is_same = word == phase || word == "validating";
    (is_phase && !is_same).then_some(word)
}

/// What debootstrap leaves to be done.
fn furnish(root: &Path, plan: &Plan, bundle: &[String]) -> Result<(), NotMade> {
    tell("furnishing it: certificates, sources of packages, the user with the id 1000");
    let trusted = root.join("usr/local/share/ca-certificates");
    let work = || -> std::io::Result<()> {
        for (number, certificate) in bundle.iter().enumerate() {
            fs::write(trusted.join(format!("spaceport-{number:03}.crt")), certificate)?;
        }
        let list = root.join("etc/apt/sources.list");
        fs::write(&list, sources(&fs::read_to_string(&list)?, &plan.suite))
    };
    work().map_err(|error| step("furnishing", error))?;
    within(root, "update-ca-certificates", &[])?;
    within(root, "useradd", &["--create-home", "--uid", "1000", "--shell", "/bin/bash", "user"])?;
    tell("bringing it up to date");
    within(root, "apt-get", &["update", "-qq"])?;
    within(root, "apt-get", &["upgrade", "-y", "-qq"])?;
    tell(&format!("installing {} packages and what they need", plan.packages.len()));
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    let packages = plan.packages.iter().map(String::as_str);
    within(root, "apt-get", &install.into_iter().chain(packages).collect::<Vec<_>>())?;
    within(root, "apt-get", &["clean"])?;
    for folder in EMPTIED {
        empty(&root.join(folder)).map_err(|error| step("removing what is of no use", error))?;
    }
    // The engine writes its own.
    let _ = fs::remove_file(root.join("etc/resolv.conf"));
    fs::write(root.join("etc/machine-id"), "").map_err(|error| step("furnishing", error))
}

/// Sources of packages: the suite as it was installed from, its updates, and the security updates that lie beside it.
fn sources(installed: &str, suite: &str) -> String {
    let first = installed
        .lines()
        .find_map(|line| line.strip_prefix("deb ")?.split_whitespace().find(|word| word.contains("://")));
    let Some(mirror) = first.map(|mirror| mirror.trim_end_matches('/')) else { return installed.to_owned() };
    let mut text = format!("deb {mirror} {suite} main\n");
    // Suites that move on have neither.
    if !["sid", "unstable", "testing"].contains(&suite) {
        text.push_str(&format!("deb {mirror} {suite}-updates main\n"));
        if let Some(host) = mirror.strip_suffix("/debian") {
            text.push_str(&format!("deb {host}/debian-security {suite}-security main\n"));
        }
    }
    text
}

fn within(root: &Path, program: &str, arguments: &[&str]) -> Result<(), NotMade> {
    let mut command = Command::new("chroot");
    command.arg(root).arg(program).args(arguments);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command.envs(PROXIES.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    let output = command.output().map_err(|error| step("chroot", error))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(LAST)..].join("\n");
    Err(step("furnishing", format!("{program} in the new system: {last}")))
}

/// Removes what is in a folder, if it is there.
fn empty(folder: &Path) -> std::io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

async fn import(docker: &Docker, plan: &Plan, root: &Path) -> Result<String, NotMade> {
    tell("importing it into the container engine");
    let failed = |error: &dyn std::fmt::Display| step("importing", error);
    let arguments =
        ["--numeric-owner", "--one-file-system", "--exclude=./dev/*", "--exclude=./proc/*", "--exclude=./sys/*"];
    let mut command = tokio::process::Command::new("tar");
    command.args(arguments).args([OsStr::new("-C"), root.as_os_str(), OsStr::new("-c"), OsStr::new(".")]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut tar = command.spawn().map_err(|error| failed(&error))?;
    let stdout = tar.stdout.take().ok_or_else(|| failed(&"tar has no output"))?;
    let (repo, tag) = plan.tag.rsplit_once(':').unwrap_or((&plan.tag, "latest"));
    let changes = SETTINGS.lines().map(str::to_owned).collect();
    let options = CreateImageOptionsBuilder::default().from_src("-").repo(repo).tag(tag).changes(changes).build();
    let body = bollard::body_try_stream(ReaderStream::new(stdout));
    let told: Vec<_> =
        docker.create_image(Some(options), Some(body), None).try_collect().await.map_err(|error| failed(&error))?;
    match tar.wait().await {
        Ok(status) if status.success() => {}
        _ => return Err(failed(&"tar failed; the image is not whole")),
    }
    let id = told.into_iter().rev().find_map(|told| told.status);
    id.ok_or_else(|| failed(&"the engine told no id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_told_once() {
        let lines = [
            "I: Target architecture can be executed",
            "I: Retrieving a 1",
            "I: Validating a 1",
            "I: Retrieving b 2",
            "I: Unpacking a...",
            "I: Unpacking b...",
            "W: Unpacking",
            "I: Base system installed successfully.",
        ];
        let mut phases: Vec<String> = Vec::new();
        for line in lines {
            phases.extend(new_phase(phases.last().map_or("", String::as_str), line));
        }
        assert_eq!(phases, ["retrieving", "unpacking"]);
    }

    #[test]
    fn security_updates_lie_beside_the_suite() {
        let installed = "deb http://mirror.example/debian/ bookworm main\n";
        let all = "deb http://mirror.example/debian bookworm main\ndeb http://mirror.example/debian bookworm-updates main\n\
                   deb http://mirror.example/debian-security bookworm-security main\n";
        assert_eq!(sources(installed, "bookworm"), all);
        assert_eq!(sources("deb http://x.example/deb sid main", "sid"), "deb http://x.example/deb sid main\n");
        assert_eq!(sources("deb http://x.example/deb y main", "y").lines().count(), 2);
        assert_eq!(sources("# nothing", "y"), "# nothing");
    }
}
