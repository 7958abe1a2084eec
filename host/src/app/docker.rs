//! Whether there is a container engine, and the program that works with it. All that is asked of the engine is a connection:
//! to speak with it is the backend's alone.

use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The backend that comes with the host.
pub(super) const PROGRAM: &str = "spaceport-container";
/// Where Docker listens unless `DOCKER_HOST` says otherwise.
const SOCKET: &str = "/var/run/docker.sock";
/// Longest wait for a connection to an engine on another machine.
const CONNECT: Duration = Duration::from_secs(1);

/// The backend's program, if it is beside this one.
pub(super) fn program() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?.parent()?.join(PROGRAM);
    beside.is_file().then_some(beside)
}

/// Whether an engine answers; why not, in a sentence for the operator.
#[expect(clippy::disallowed_methods, reason = "where the container engine is is the machine's to say")]
pub(super) fn answer() -> Result<(), String> {
    match std::env::var("DOCKER_HOST") {
        Ok(host) if !host.is_empty() => answers_at(&host),
        _ => answers_at(&format!("unix://{SOCKET}")),
    }
}

fn answers_at(host: &str) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{host}: {error}");
    if let Some(path) = host.strip_prefix("unix://") {
        return UnixStream::connect(Path::new(path)).map(drop).map_err(|error| failed(&error));
    }
    let Some(address) = host.strip_prefix("tcp://") else {
        // How such a one is reached is for the backend to know.
        return Ok(());
    };
    let mut addresses = address.to_socket_addrs().map_err(|error| failed(&error))?;
    let address = addresses.next().ok_or_else(|| failed(&"no address"))?;
    TcpStream::connect_timeout(&address, CONNECT).map(drop).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn an_engine_is_where_somebody_listens() {
        let temp = tempfile::tempdir().unwrap();
        let socket = temp.path().join("docker.sock");
        let at = format!("unix://{}", socket.display());
        assert!(answers_at(&at).unwrap_err().contains("docker.sock: No such file"), "it says where");
        let _listener = UnixListener::bind(&socket).unwrap();
        answers_at(&at).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("tcp://{}", listener.local_addr().unwrap());
        answers_at(&at).unwrap();
        drop(listener);
        assert!(answers_at(&at).is_err());
    }
}
