//! Git over SSH: its listener, with the key by which clients recognise this host.

use anyhow::Context;
use spaceport_control::service::Control;
use spaceport_db::KeyStore;
use spaceport_ssh::{HOST_KEY_FILE, HostKey};
use spaceport_web::SshDoor;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What listens.
pub(super) struct Ssh {
    /// What clients are told of it.
    pub(super) door: SshDoor,
    server: JoinHandle<()>,
}

impl Ssh {
    /// Serves git over SSH on the current runtime until told to stop, if there is a listener.
    pub(super) fn start(
        keys: &KeyStore,
        listener: Option<TcpListener>,
        control: &Control,
        stop: &CancellationToken,
    ) -> anyhow::Result<Option<Self>> {
        let Some(listener) = listener else { return Ok(None) };
        let text = keys.key_file(HOST_KEY_FILE, HostKey::generate).context("open the host's SSH key")?;
        let key = HostKey::parse(&text);
        let key = key.with_context(|| format!("read {}", keys.dir().join(HOST_KEY_FILE).display()))?;
        let address = listener.local_addr().context("find the SSH listener")?;
        let fingerprint = key.fingerprint();
        tracing::info!(%address, %fingerprint, "git is served over SSH");
        let door = SshDoor {
            host: host_of(&control.addresses().hub),
            port: address.port(),
            key: key.public().to_owned(),
            fingerprint: fingerprint.to_string(),
        };
        let server = tokio::spawn(spaceport_ssh::serve(listener, control.clone(), key, stop.clone()));
        Ok(Some(Self { door, server }))
    }

    /// Waits until what runs has ended.
    pub(super) async fn end(self) {
        if let Err(error) = self.server.await {
            tracing::error!(%error, "the SSH server ended");
        }
    }
}

/// A name without the port of HTTP.
fn host_of(authority: &str) -> String {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
        _ => authority.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_the_name_of_the_host_without_the_port_of_http() {
        for (authority, host) in
            [("localhost:7860", "localhost"), ("hub.example.org", "hub.example.org"), ("[::1]:80", "[::1]")]
        {
            assert_eq!(host_of(authority), host);
        }
    }
}
