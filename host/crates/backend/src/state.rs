//! How a backend is, for whoever wants to use it or to know.

use std::sync::Arc;
use std::time::Duration;

use spaceport_backend_protocol::Description;
use tokio::time::Instant;

use crate::{BackendName, Client};

/// How a backend is.
#[derive(Debug, Clone)]
pub enum State {
    /// Its program has been started and has not answered yet.
    Starting,
    /// It answers.
    Up(Arc<Up>),
    /// It cannot be used.
    Down {
        /// Why, in words that owners of Spaces may read too.
        reason: String,
        /// What helps the operator besides: paths, and the last words of the program.
        detail: Option<String>,
        /// When it is started or asked again.
        retry_at: Instant,
    },
    /// The host stops, and it has been stopped.
    Stopped,
}

/// A backend that answers.
#[derive(Debug)]
pub struct Up {
    /// What it can do.
    pub description: Description,
    /// Calls it.
    pub client: Client,
}

/// A backend at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its name.
    pub name: BackendName,
    /// Why it cannot be used, in words that owners of Spaces may read too; `None`: it can.
    pub problem: Option<String>,
    /// How often its program was started again since the host started.
    pub restarts: u64,
}

impl State {
    /// Why it cannot be used, in words; `None`: it can.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Up(_) => None,
            Self::Starting => Some("it is starting".to_owned()),
            Self::Down { reason, .. } => Some(reason.clone()),
            Self::Stopped => Some("it was stopped".to_owned()),
        }
    }

    /// One line in the log for a change.
    pub(crate) fn log(&self, backend: &BackendName) {
        match self {
            Self::Starting => tracing::info!(%backend, "a backend is started"),
            Self::Up(up) => {
                let Description { name, version, sdks, devices, .. } = &up.description;
                let sdks = sdks.iter().map(|sdk| sdk.as_str()).collect::<Vec<_>>().join(" ");
                let devices = devices.len();
                tracing::info!(%backend, %name, %version, sdks, devices, "a backend is up");
            }
            Self::Down { reason, detail, retry_at } => {
                let retry_ms = retry_at.saturating_duration_since(Instant::now()).as_millis();
                tracing::warn!(%backend, reason, detail, retry_ms, "a backend is down");
            }
            Self::Stopped => tracing::info!(%backend, "a backend is stopped"),
        }
    }

    /// Down for so long.
    pub(crate) fn down(fall: Fall, pause: Duration) -> Self {
        Self::Down { reason: fall.reason, detail: fall.detail, retry_at: Instant::now() + pause }
    }
}

/// Why a backend goes down.
#[derive(Debug)]
pub(crate) struct Fall {
    pub(crate) reason: String,
    pub(crate) detail: Option<String>,
}

impl From<String> for Fall {
    fn from(reason: String) -> Self {
        Self { reason, detail: None }
    }
}
