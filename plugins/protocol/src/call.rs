//! The verbs as methods and paths: how the host writes them and how a plugin reads them.

use crate::{InstanceId, Version};

/// A verb with what its path names. The table in the crate's documentation has request, reply and refusals of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Which versions does the plugin speak?
    Protocol,
    /// What can it do?
    Describe,
    /// Can it do anything at the moment?
    Health,
    /// Make an artifact of files.
    Build,
    /// Keep these artifacts; the rest may go.
    Retain,
    /// Which instances are there?
    List,
    /// Run an artifact.
    Start,
    /// End an instance.
    Stop(InstanceId),
    /// Forget an instance.
    Remove(InstanceId),
    /// What has an instance used?
    Stats(InstanceId),
    /// Run a command inside an instance.
    Exec(InstanceId),
    /// What does an instance write?
    Logs(InstanceId),
}

/// What is in front of a version's paths.
const PREFIX: &str = "/v";

impl Call {
    /// Its name, for logs and errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Describe => "describe",
            Self::Health => "health",
            Self::Build => "build",
            Self::Retain => "retain",
            Self::List => "list",
            Self::Start => "start",
            Self::Stop(_) => "stop",
            Self::Remove(_) => "remove",
            Self::Stats(_) => "stats",
            Self::Exec(_) => "exec",
            Self::Logs(_) => "logs",
        }
    }

    /// The method of its request.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Protocol | Self::Health | Self::List | Self::Stats(_) | Self::Logs(_) => "GET",
            Self::Describe | Self::Build | Self::Retain | Self::Start | Self::Stop(_) | Self::Exec(_) => "POST",
            Self::Remove(_) => "DELETE",
        }
    }

    /// The path of its request.
    pub fn path(&self, version: Version) -> String {
        let path = match self {
            Self::Protocol => return "/protocol".to_owned(),
            Self::Describe => "describe".to_owned(),
            Self::Health => "health".to_owned(),
            Self::Build => "builds".to_owned(),
            Self::Retain => "artifacts/retain".to_owned(),
            Self::List | Self::Start => "instances".to_owned(),
            Self::Remove(id) => format!("instances/{id}"),
            Self::Stop(id) => format!("instances/{id}/stop"),
            Self::Stats(id) => format!("instances/{id}/stats"),
            Self::Exec(id) => format!("instances/{id}/exec"),
            Self::Logs(id) => format!("instances/{id}/logs"),
        };
        format!("{PREFIX}{version}/{path}")
    }

    /// The verb of a request and its version; `None` if it is none of this crate's.
    pub fn parse(method: &str, path: &str) -> Option<(Self, Version)> {
        let (call, version) = if path == "/protocol" {
            (Self::Protocol, Version::CURRENT)
        } else {
            let (version, path) = path.strip_prefix(PREFIX)?.split_once('/')?;
            let version = Version(version.parse().ok()?);
            (Self::of_path(method, path)?, version)
        };
        let is_ours = Version::ALL.contains(&version) && call.method() == method;
        // A number may be written in more ways than one; only ours is a path.
        (is_ours && call.path(version) == path).then_some((call, version))
    }

    fn of_path(method: &str, path: &str) -> Option<Self> {
        match (method, &path.split('/').collect::<Vec<_>>()[..]) {
            (_, ["describe"]) => Some(Self::Describe),
            (_, ["health"]) => Some(Self::Health),
            (_, ["builds"]) => Some(Self::Build),
            (_, ["artifacts", "retain"]) => Some(Self::Retain),
            ("GET", ["instances"]) => Some(Self::List),
            (_, ["instances"]) => Some(Self::Start),
            (_, ["instances", id]) => Some(Self::Remove(id.parse().ok()?)),
            (_, ["instances", id, "stop"]) => Some(Self::Stop(id.parse().ok()?)),
            (_, ["instances", id, "stats"]) => Some(Self::Stats(id.parse().ok()?)),
            (_, ["instances", id, "exec"]) => Some(Self::Exec(id.parse().ok()?)),
            (_, ["instances", id, "logs"]) => Some(Self::Logs(id.parse().ok()?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_writes_the_plugin_reads() {
        let id: InstanceId = "a-1".parse().unwrap();
        let of_all = [Call::Protocol, Call::Describe, Call::Health, Call::Build, Call::Retain, Call::List, Call::Start];
        let of_one = [Call::Stop, Call::Remove, Call::Stats, Call::Exec, Call::Logs].map(|call| call(id.clone()));
        for call in of_all.into_iter().chain(of_one) {
            let path = call.path(Version::CURRENT);
            assert_eq!(Call::parse(call.method(), &path), Some((call, Version::CURRENT)), "{path}");
        }
    }

    #[test]
    fn what_is_no_call_is_none() {
        for (method, path) in [
            ("POST", "/protocol"),
            ("GET", "/v1/describe"),
            ("GET", "/v2/health"),
            ("GET", "/v01/health"),
            ("GET", "/v+1/health"),
            ("GET", "/v1/health/"),
            ("GET", "/v1/health?x"),
            ("GET", "/v1/builds"),
            ("PUT", "/v1/instances"),
            ("GET", "/v1/instances/a"),
            ("DELETE", "/v1/instances/a/stop"),
            ("POST", "/v1/artifacts"),
            ("POST", "/v1/instances/../stop"),
            ("POST", "/v1/instances//stop"),
            ("POST", "/v1/instances/a/b/stop"),
            ("GET", ""),
        ] {
            assert_eq!(Call::parse(method, path), None, "{method} {path}");
        }
    }
}
