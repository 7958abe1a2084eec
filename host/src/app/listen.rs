//! The sockets: bound before anything works.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use axum::Router;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// The port unless the operator says another.
const PORT: u16 = 7860;
/// Connections that the system holds until they are accepted; it makes that less if its administrator says so
/// (`net.core.somaxconn`, which is this much since Linux 5.4). Whoever comes beyond is not refused but left to try again,
/// a second later: with the 128 of the standard library, a crowd at one Space makes visitors of another wait for that.
const BACKLOG: i32 = 4096;
/// Only the owner of the data directory speaks to the host through the admin socket.
const OWNER_ONLY: u32 = 0o600;

/// Sockets that listen.
pub struct Listeners {
    public: Vec<TcpListener>,
    admin: TcpListener,
    ssh: Option<TcpListener>,
}

impl Listeners {
    /// Binds what the configuration says.
    pub fn bind(config: &Config) -> anyhow::Result<Self> {
        let public = match config.http.listen.as_slice() {
            [] => bind_localhost()?,
            addresses => addresses.iter().map(|address| bind(*address)).collect::<Result<_, _>>()?,
        };
        Ok(Self { public, admin: bind(config.admin_listen)?, ssh: config.ssh.and_then(bind_ssh) })
    }

    /// Where the SSH listener is, if there is one.
    pub(super) fn ssh_address(&self) -> Option<SocketAddr> {
        self.ssh.as_ref()?.local_addr().ok()
    }

    /// The SSH listener, for the current runtime.
    pub(super) fn take_ssh(&mut self) -> anyhow::Result<Option<tokio::net::TcpListener>> {
        self.ssh.take().map(into_tokio).transpose().context("take over the SSH listener")
    }

    /// The port of the first public socket.
    pub(super) fn port(&self) -> u16 {
        self.public.first().and_then(|listener| listener.local_addr().ok()).map_or(PORT, |address| address.port())
    }

    /// Where the admin listener is.
    pub(super) fn admin_address(&self) -> SocketAddr {
        self.admin.local_addr().unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))
    }

    /// Serves the admin socket and the admin listener on the current runtime until told to stop.
    pub(super) fn serve_admin(
        &self,
        socket: &Path,
        shell: Router,
        metrics: Router,
        stop: CancellationToken,
    ) -> anyhow::Result<JoinHandle<()>> {
        let shell_socket = bind_unix(socket)?;
        let listener = self.admin.try_clone().and_then(into_tokio).context("take over the admin listener")?;
        Ok(tokio::spawn(async move {
            let shell = axum::serve(shell_socket, shell).with_graceful_shutdown(stop.clone().cancelled_owned());
            let metrics = axum::serve(listener, metrics).with_graceful_shutdown(stop.cancelled_owned());
            let (shell, metrics) = tokio::join!(shell, metrics);
            for error in [shell.err(), metrics.err()].into_iter().flatten() {
                tracing::error!(%error, "an admin listener ended");
            }
        }))
    }

    /// The public sockets, for the current runtime.
    pub(super) fn into_public(self) -> anyhow::Result<Vec<tokio::net::TcpListener>> {
        let listeners = self.public.into_iter().map(into_tokio).collect::<Result<_, _>>();
        listeners.context("take over the listeners")
    }
}

/// Both addresses of localhost; a machine without IPv6 has one.
fn bind_localhost() -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = vec![bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT))?];
    match listen(SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), PORT)) {
        Ok(listener) => listeners.push(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            return Err(error).with_context(|| format!("listen on [::1]:{PORT}"));
        }
        Err(error) => tracing::debug!(%error, "no IPv6 on this machine"),
    }
    Ok(listeners)
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    listen(address).with_context(|| format!("listen on {address}"))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    // It listens already, with a short queue: this makes it long.
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// A port that is taken costs no more than SSH: git goes over HTTP as well, and a second host on the machine is no mistake.
fn bind_ssh(address: SocketAddr) -> Option<TcpListener> {
    match listen(address) {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::warn!(%address, %error, "git is not served over SSH: set [ssh] listen to another address, or \"\" for none");
            None
        }
    }
}

fn into_tokio(listener: TcpListener) -> io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

fn bind_unix(socket: &Path) -> anyhow::Result<UnixListener> {
    // A socket that a killed host left behind. The database's lock says that no other host runs here.
    let _ = fs::remove_file(socket);
    let listener = UnixListener::bind(socket).with_context(|| format!("listen on {}", socket.display()))?;
    fs::set_permissions(socket, fs::Permissions::from_mode(OWNER_ONLY))
        .with_context(|| format!("protect {}", socket.display()))?;
    Ok(listener)
}
