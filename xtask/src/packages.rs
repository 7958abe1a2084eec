//! What has to come from outside cargo: Debian packages and Python environments.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::bail;

use crate::progress::{say, step};
use crate::workspace::{Workspace, run_program};

/// What leads names below `localhost` to this machine for those who ask the system, where it does not know by itself.
pub(crate) const NAMES_BELOW_LOCALHOST: &str = "libnss-myhostname";

/// How a package is recognised as there: by a program it brings, since not everybody has it from Debian, or by what it makes
/// work.
const PROBES: [(&str, &[&str]); 16] = [
    ("git", &["git", "--version"]),
    ("git-lfs", &["git-lfs", "version"]),
    ("openssh-client", &["ssh", "-V"]),
    ("gcc", &["cc", "--version"]),
    ("wrk", &["wrk", "-v"]),
    ("python3-venv", &["python3", "-c", "import ensurepip, venv"]),
    ("rustc-web", &["/usr/bin/rustc", "--version"]),
    ("cargo-web", &["/usr/bin/cargo", "--version"]),
    ("lld-19", &["wasm-ld-19", "--version"]),
    ("docker.io", &["dockerd", "--version"]),
    ("nftables", &["nft", "--version"]),
    ("iproute2", &["ip", "-V"]),
    ("debootstrap", &["debootstrap", "--version"]),
    (NAMES_BELOW_LOCALHOST, &["getent", "hosts", "name.localhost"]),
    ("chromium", &["chromium", "--version"]),
    ("chromium-driver", &["chromedriver", "--version"]),
];

/// Makes sure that these packages are there: installs what is missing, as root or by sudo without a password, after
/// saying which; else says the one command to run.
pub(crate) fn ensure(packages: &[&str]) -> anyhow::Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_there(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let Some(root) = become_root() else { bail!("{}", advice(&missing)) };
    step(&format!("install system packages: {}", missing.join(" ")), || {
        run_program(&mut apt(&root, &["update", "-qq"]))?;
        let mut install = apt(&root, &["install", "-y", "-qq", "--no-install-recommends"]);
        run_program(install.args(&missing).stdout(Stdio::null()))
    })
}

/// What to type where we may not install ourselves. The lists of a fresh machine are empty, hence the update.
fn advice(missing: &[&str]) -> String {
    let list = missing.join(" ");
    format!(
        "these system packages are missing: {list}. Install them with\n\n  \
         sudo apt-get update && sudo apt-get install -y {list}\n"
    )
}

/// A Python environment of our own with exactly these packages; the folder it is in.
pub(crate) fn python_venv(workspace: &Workspace, name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    ensure(&["python3-venv"])?;
    let folder = workspace.target.join("venv").join(name);
    let mark = folder.join("spaceport-packages");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    say(&format!("    python packages: {}", packages.join(" ")));
    run_program(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    run_program(pip.args(packages))?;
    std::fs::write(mark, wanted)?;
    Ok(folder)
}

/// Whether it is there already, from Debian or not.
pub(crate) fn is_there(package: &str) -> bool {
    let probe = match PROBES.iter().find(|(name, _)| *name == package) {
        Some((_, [program, args @ ..])) => {
            Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status()
        }
        _ => Command::new("dpkg").args(["--status", package]).stdout(Stdio::null()).stderr(Stdio::null()).status(),
    };
    // `wrk -v` prints its version and ends with 1; that it could be started is the answer.
    probe.is_ok_and(|status| status.success() || package == "wrk")
}

/// The words in front of a command that needs root: none as root, `sudo -n` where that works.
fn become_root() -> Option<Vec<&'static str>> {
    let says =
        |command: &mut Command| command.stderr(Stdio::null()).output().ok().filter(|output| output.status.success());
    if is_root() {
        return Some(Vec::new());
    }
    says(Command::new("sudo").args(["-n", "true"])).map(|_| vec!["sudo", "-n"])
}

/// Whether this runs as root.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

fn apt(root: &[&str], args: &[&str]) -> Command {
    let words: Vec<&str> = root.iter().copied().chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(args);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_is_one_command_for_all_that_is_missing() {
        let text = advice(&["git", "lld-19"]);
        assert_eq!(text.lines().nth(2), Some("  sudo apt-get update && sudo apt-get install -y git lld-19"), "{text}");
    }

    #[test]
    fn a_command_that_needs_root_goes_behind_sudo_where_that_is_how() {
        let words = |root: &[&str]| format!("{:?}", apt(root, &["update"]));
        assert_eq!(words(&[]), r#""env" "DEBIAN_FRONTEND=noninteractive" "apt-get" "update""#);
        assert!(words(&["sudo", "-n"]).starts_with(r#""sudo" "-n" "env""#));
    }
}
