//! The connection to the Engine. It may come and go: each call connects anew, and the version is settled again whenever the
//! Engine was away.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::EventsOptions;
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::StreamExt;
use parking_lot::Mutex;
use spaceport_backend_protocol::{Health, Line};
use tokio::time::timeout;

use crate::refusal::of_engine;

/// Seconds until the Engine has begun to answer. A busy one takes some for a removal.
const CALL: u64 = 60;
/// How long a healthy Engine takes to say that it is there.
const PING: Duration = Duration::from_secs(4);

/// The Engine.
#[derive(Debug)]
pub(crate) struct Engine {
    socket: PathBuf,
    settled: Mutex<Option<Docker>>,
}

impl Engine {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket, settled: Mutex::default() }
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &PathBuf {
        &self.socket
    }

    /// A client that speaks the Engine's version.
    pub(crate) async fn client(&self) -> Result<Docker, Error> {
        if let Some(docker) = self.settled.lock().clone() {
            return Ok(docker);
        }
        let docker = Docker::connect_with_unix(&self.socket.to_string_lossy(), CALL, API_DEFAULT_VERSION)?;
        let docker = docker.negotiate_version().await?;
        *self.settled.lock() = Some(docker.clone());
        Ok(docker)
    }

    /// A client for one call that may take so much longer.
    pub(crate) async fn patient_client(&self, more: Duration) -> Result<Docker, Error> {
        Ok(self.client().await?.with_timeout(Duration::from_secs(CALL) + more))
    }

    /// Waits until it ends, or is seen not to be there: its stream of events ends with it.
    pub(crate) async fn end(&self) {
        if let Ok(docker) = self.client().await {
            // Nobody needs the events themselves, so few are asked for.
            let filters = HashMap::from([("type".to_owned(), vec!["daemon".to_owned()])]);
            let options = EventsOptions { filters: Some(filters), ..EventsOptions::default() };
            let mut events = std::pin::pin!(docker.events(Some(options)));
            while let Some(Ok(_)) = events.next().await {}
        }
        // The one that comes next may be another version.
        *self.settled.lock() = None;
    }

    /// Whether it answers.
    pub(crate) async fn health(&self) -> Health {
        let asked = async { self.client().await?.ping().await };
        let reason = match timeout(PING, asked).await {
            Ok(Ok(_)) => return Health::Ready,
            Ok(Err(error)) => of_engine(&error).message,
            Err(_) => Line::lossy("the container engine does not answer in time"),
        };
        // The one that comes back may be another version.
        *self.settled.lock() = None;
        Health::Unready { reason }
    }
}
