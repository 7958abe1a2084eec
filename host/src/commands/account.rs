//! `spaceport user`, `spaceport org` and `spaceport token`: through the running host's admin socket, or straight on its database while
//! none runs.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use spaceport_control::clock::SystemClock;
use spaceport_control::service::{Accounts, NewToken, NewUser};
use spaceport_core::permission::TokenRole;
use spaceport_db::{Db, OpenError, Options};
use spaceport_web::admin::{
    CreateOrganization, CreateToken, CreateUser, CreatedOrganization, CreatedToken, CreatedUser,
};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use crate::app::{ADMIN_SOCKET, STORE};
use crate::cli::{OrgCommand, TokenCommand, UserCommand};

/// Longest password read from standard input, in bytes.
const MAX_PASSWORD: u64 = 4096;
/// How long a host that has the database may take until it listens.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two looks.
const POLL: Duration = Duration::from_millis(50);

/// `spaceport user …`.
pub(super) fn user(command: UserCommand) -> anyhow::Result<()> {
    let UserCommand::Create { name, admin, password_stdin, data } = command;
    let password = if password_stdin { Some(read_password()?) } else { None };
    let created = block_on(async {
        let place = Place::find(&data).await?;
        match place {
            Place::Host(host) => {
                let password = password.as_ref().map(|password| password.to_string());
                let body = CreateUser { name: name.to_string(), admin, password };
                let user: CreatedUser = host.post("/users", &body).await?;
                Ok(user.name)
            }
            Place::Database(accounts) => {
                let password = password.as_ref().map(|password| password.to_string());
                let account = accounts.create_user(NewUser { name, is_admin: admin, password }).await?;
                Ok(account.name)
            }
        }
    })?;
    print(&format!("created {created}"))
}

/// `spaceport org …`.
pub(super) fn organization(command: OrgCommand) -> anyhow::Result<()> {
    let OrgCommand::Create { name, owner, data } = command;
    let created = block_on(async {
        match Place::find(&data).await? {
            Place::Host(host) => {
                let body = CreateOrganization { name: name.to_string(), owner: owner.to_string() };
                let organization: CreatedOrganization = host.post("/organizations", &body).await?;
                Ok(organization.name)
            }
            Place::Database(accounts) => Ok(accounts.create_organization(name, &owner).await?.name),
        }
    })?;
    print(&format!("created {created}"))
}

/// `spaceport token …`.
pub(super) fn token(command: TokenCommand) -> anyhow::Result<()> {
    let TokenCommand::Create { user, role, name, data } = command;
    let role = TokenRole::from(role);
    let token = block_on(async {
        match Place::find(&data).await? {
            Place::Host(host) => {
                let body = CreateToken { user: user.to_string(), role: role.as_str().to_owned(), name };
                let created: CreatedToken = host.post("/tokens", &body).await?;
                Ok(created.token)
            }
            Place::Database(accounts) => {
                let token = accounts.create_token(NewToken { user, role, label: name }).await?;
                Ok(token.expose().to_owned())
            }
        }
    })?;
    print(&token)
}

/// Who keeps the accounts now.
enum Place {
    Host(AdminSocket),
    Database(Accounts),
}

impl Place {
    /// A host that is just starting or stopping has the database, but does not listen: it is waited for.
    async fn find(data: &Path) -> anyhow::Result<Self> {
        let began = Instant::now();
        loop {
            if let Ok(stream) = UnixStream::connect(&data.join(ADMIN_SOCKET)).await {
                return Ok(Self::Host(AdminSocket { stream }));
            }
            // Accounts hold nothing that is sealed, and where the keys are only the configuration knows.
            match Db::open_without_keys(&data.join(STORE), Options::default()) {
                Ok((db, report)) => {
                    report.warnings().iter().for_each(|warning| warn(warning));
                    return Ok(Self::Database(Accounts::new(Arc::new(db), Arc::new(SystemClock::new()))));
                }
                Err(OpenError::InUse(_)) if began.elapsed() < PATIENCE => tokio::time::sleep(POLL).await,
                other => other.with_context(|| format!("open the data directory {}", data.display())).map(drop)?,
            }
        }
    }
}

/// A connection to the running host's admin socket.
struct AdminSocket {
    stream: UnixStream,
}

impl AdminSocket {
    async fn post<T: DeserializeOwned>(self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(self.stream))
            .await
            .context("speak to the running host")?;
        let request = http::Request::post(path)
            .header("host", "admin")
            .header("content-type", "application/json")
            .body(Full::new(bytes::Bytes::from(serde_json::to_vec(body)?)))?;
        let exchange = async {
            let response = sender.send_request(request).await.context("ask the running host")?;
            let status = response.status();
            let answer = response.into_body().collect().await.context("read the running host's answer")?.to_bytes();
            drop(sender);
            anyhow::Ok((status, answer))
        };
        let (exchanged, _) = tokio::join!(exchange, connection);
        let (status, answer) = exchanged?;
        if status.is_success() {
            return serde_json::from_slice(&answer).context("understand the running host's answer");
        }
        let error: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
        bail!("{}", error["error"].as_str().unwrap_or("the running host refused"))
    }
}

fn read_password() -> anyhow::Result<Zeroizing<String>> {
    let mut password = Zeroizing::new(String::new());
    std::io::stdin().take(MAX_PASSWORD).read_to_string(&mut password).context("read the password")?;
    let password = Zeroizing::new(password.trim_end_matches(['\r', '\n']).to_owned());
    if password.is_empty() {
        bail!("the password on standard input is empty");
    }
    Ok(password)
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?.block_on(work)
}

fn warn(warning: &str) {
    // Nobody may be listening any more.
    let _ = writeln!(std::io::stderr(), "warning: {warning}");
}

fn print(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("write to standard output")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_that_another_process_is_about_to_close_is_waited_for() {
        let dir = tempfile::TempDir::new().unwrap();
        let held = Db::open_without_keys(&dir.path().join(STORE), Options::default()).unwrap();
        // The first look, which comes before the database is closed, finds it in use.
        let (found, ()) = tokio::join!(Place::find(dir.path()), async { drop(held) });
        assert!(matches!(found.unwrap(), Place::Database(_)));
    }

    #[tokio::test]
    async fn a_host_that_begins_to_listen_is_spoken_to() {
        let dir = tempfile::TempDir::new().unwrap();
        let _held = Db::open_without_keys(&dir.path().join(STORE), Options::default()).unwrap();
        let listen = async { tokio::net::UnixListener::bind(dir.path().join(ADMIN_SOCKET)).unwrap() };
        let (found, _listener) = tokio::join!(Place::find(dir.path()), listen);
        assert!(matches!(found.unwrap(), Place::Host(_)));
    }

    #[tokio::test]
    async fn no_key_is_made_for_an_account() {
        let dir = tempfile::TempDir::new().unwrap();
        drop(Place::find(dir.path()).await.unwrap());
        let made: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(made, [STORE]);
    }
}
