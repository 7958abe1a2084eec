//! The `docker` command: which one can build, and how it is started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::arguments::Settings;

/// The first version whose command has no BuildKit of its own and needs the plugin `buildx` for it.
const NEEDS_PLUGIN: u32 = 23;

/// A command that can build with BuildKit.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    program: PathBuf,
    environment: Vec<(String, OsString)>,
}

/// There is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no docker command that can build with BuildKit (a docker from version {NEEDS_PLUGIN} on needs its plugin buildx); \
     looked at: {looked_at}"
)]
pub(crate) struct NoClient {
    looked_at: String,
}

impl Client {
    /// The first that can build.
    pub(crate) async fn find(settings: &Settings, engine: &Path) -> Result<Self, NoClient> {
        let mut environment = settings.environment.clone();
        let mut host = OsString::from("unix://");
        host.push(engine);
        let own = [("DOCKER_HOST", host), ("DOCKER_BUILDKIT", "1".into()), ("BUILDKIT_COLORS", OsString::new())];
        environment.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let mut looked_at = Vec::new();
        for program in candidates(settings) {
            let client = Self { program, environment: environment.clone() };
            if client.can_build().await {
                return Ok(client);
            }
            looked_at.push(client.program.display().to_string());
        }
        if looked_at.is_empty() {
            looked_at.push("nothing, there is none in PATH".to_owned());
        }
        Err(NoClient { looked_at: looked_at.join(", ") })
    }

    async fn can_build(&self) -> bool {
        let buildx = self.command().args(["buildx", "version"]).output().await;
        if buildx.is_ok_and(|output| output.status.success()) {
            return true;
        }
        let version = self.command().arg("--version").output().await;
        version.is_ok_and(|output| major(&String::from_utf8_lossy(&output.stdout)).is_some_and(|it| it < NEEDS_PLUGIN))
    }

    /// The command, to which arguments may be added. It ends with whoever holds it.
    #[expect(clippy::disallowed_methods, reason = "this is where the command is started")]
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

/// What the operator named, or every `docker` in the path.
fn candidates(settings: &Settings) -> Vec<PathBuf> {
    if let Some(given) = &settings.docker {
        return vec![given.clone()];
    }
    let path = settings.environment.iter().find(|(name, _)| name == "PATH");
    let dirs = path.into_iter().flat_map(|(_, value)| std::env::split_paths(value).collect::<Vec<_>>());
    dirs.map(|dir| dir.join("docker")).filter(|program| program.is_file()).collect()
}

/// The first number of `Docker version 20.10.24+dfsg1, build …`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix("Docker version ")?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_command_is_read() {
        assert_eq!(major("Docker version 20.10.24+dfsg1, build 297e128"), Some(20));
        assert_eq!(major("Docker version 28.2.2, build e6534b4"), Some(28));
        assert_eq!(major("podman version 4"), None);
    }
}
