//! The command line. The environment is read here and nowhere else.

use std::ffi::OsString;
use std::path::PathBuf;

use spaceport_backend_protocol::{SOCKET_ARGUMENT, SOCKET_VARIABLE};

use crate::devices::DevicesConfig;
use crate::names::{LONGEST, Names};

/// Where the Engine listens unless `DOCKER_HOST` says otherwise.
const ENGINE: &str = "/var/run/docker.sock";
/// What the programs that this one starts are told of its own environment: where programs are, and how the Engine, its
/// registries and the network are reached.
const PASSED_ON: [&str; 10] = [
    "PATH",
    "HOME",
    "LANG",
    "DOCKER_CONFIG",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// How the program was called.
pub(crate) const USAGE: &str = "spaceport-container --socket PATH [--namespace NAME] [--base-image IMAGE] [--ca-bundle FILE] \
                                [--pip-index URL] [--docker PROGRAM] \
                                [--device id=ID,kind=MODEL,memory=BYTES[,node=FILE]]...";

/// What the program is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Where to listen.
    pub(crate) socket: PathBuf,
    /// What to call things.
    pub(crate) names: Names,
    /// Where the Engine listens.
    pub(crate) engine: PathBuf,
    /// What builds go by.
    pub(crate) settings: Settings,
    /// Where GPUs are looked for.
    pub(crate) devices: DevicesConfig,
}

/// What builds go by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The image that generated ones begin with. `{python_version}` in it stands for the version that a Space asks for.
    pub(crate) base_image: Option<String>,
    /// Certificates that package indexes are checked with, where the base image's are not enough.
    pub(crate) ca_bundle: Option<PathBuf>,
    /// Where pip finds packages.
    pub(crate) pip_index: Option<String>,
    /// The `docker` command to build with.
    pub(crate) docker: Option<PathBuf>,
    /// The environment of the programs that are started.
    pub(crate) environment: Vec<(String, OsString)>,
}

/// A command line that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error("{0} is not known")]
    Unknown(String),
    #[error("{0} needs a value")]
    NoValue(String),
    #[error("--socket PATH is missing")]
    NoSocket,
    #[error("--device: {0}")]
    Device(String),
    #[error("--namespace: {0:?} is not 1 to {LONGEST} lower-case letters and digits")]
    Namespace(String),
    #[error("DOCKER_HOST: {0:?} is not unix:// and a path; only an engine on this machine can be used")]
    Engine(String),
}

impl Arguments {
    /// Reads the command line and the environment of this process.
    #[expect(clippy::disallowed_methods, reason = "this is where the program's environment is read")]
    pub(crate) fn read() -> Result<Self, ArgumentError> {
        let variable = |name: &str| std::env::var_os(name);
        Self::parse(std::env::args().skip(1), &variable)
    }

    fn parse(
        mut arguments: impl Iterator<Item = String>,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ArgumentError> {
        let (mut settings, mut devices) = (Settings::default(), DevicesConfig::default());
        let (mut socket, mut namespace) = (variable(SOCKET_VARIABLE).map(PathBuf::from), None);
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| ArgumentError::NoValue(name.clone()));
            match name.as_str() {
                SOCKET_ARGUMENT => socket = Some(value()?.into()),
                "--namespace" => namespace = Some(value()?),
                "--base-image" => settings.base_image = Some(value()?),
                "--ca-bundle" => settings.ca_bundle = Some(value()?.into()),
                "--pip-index" => settings.pip_index = Some(value()?),
                "--docker" => settings.docker = Some(value()?.into()),
                "--device" => devices.declared.push(value()?.parse().map_err(ArgumentError::Device)?),
                _ => return Err(ArgumentError::Unknown(name)),
            }
        }
        let socket = socket.ok_or(ArgumentError::NoSocket)?;
        let names = match namespace {
            Some(text) if !is_namespace(&text) => return Err(ArgumentError::Namespace(text)),
            Some(text) => Names::given(text),
            None => Names::of_socket(&socket),
        };
        settings.environment =
            PASSED_ON.iter().filter_map(|name| Some(((*name).to_owned(), variable(name)?))).collect();
        Ok(Self { socket, names, engine: engine(variable)?, settings, devices })
    }
}

fn is_namespace(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn engine(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, ArgumentError> {
    let Some(host) = variable("DOCKER_HOST").filter(|host| !host.is_empty()) else { return Ok(ENGINE.into()) };
    let host = host.to_string_lossy();
    match host.strip_prefix("unix://").filter(|path| path.starts_with('/')) {
        Some(path) => Ok(path.into()),
        None => Err(ArgumentError::Engine(host.into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str, host: Option<&str>) -> Result<Arguments, ArgumentError> {
        let variable = |name: &str| match name {
            "DOCKER_HOST" => host.map(OsString::from),
            "PATH" => Some("/bin".into()),
            _ => None,
        };
        Arguments::parse(line.split_whitespace().map(str::to_owned), &variable)
    }

    #[test]
    fn what_is_said_is_understood() {
        let arguments = parse("--base-image base:1 --socket /s --namespace ci1", Some("unix:///run/d.sock")).unwrap();
        assert_eq!(arguments.socket, PathBuf::from("/s"));
        assert_eq!(arguments.names.namespace(), "ci1");
        assert_eq!(arguments.engine, PathBuf::from("/run/d.sock"));
        assert_eq!(arguments.settings.base_image.as_deref(), Some("base:1"));
        assert_eq!(arguments.settings.environment, [("PATH".to_owned(), OsString::from("/bin"))]);
        assert_eq!(parse("--socket /s", None).unwrap().engine, PathBuf::from(ENGINE));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let words = |line, host| parse(line, host).unwrap_err().to_string();
        assert_eq!(words("", None), "--socket PATH is missing");
        assert_eq!(words("--socket", None), "--socket needs a value");
        assert_eq!(words("--sokcet /s", None), "--sokcet is not known");
        assert!(words("--socket /s --namespace A/b", None).contains("\"A/b\""));
        assert!(words("--socket /s", Some("tcp://10.0.0.1:2375")).contains("only an engine on this machine"));
    }
}
