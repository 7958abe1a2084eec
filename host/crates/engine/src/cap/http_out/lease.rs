//! The right to have one request open.
//!
//! Held by the bodies of the exchange, both ways, so that a guest which stops reading keeps occupying its own turn and
//! nobody else's, and given back when the last of them is gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi_http::Error;

/// One open request.
#[derive(Clone)]
pub(super) struct Lease {
    _permits: Arc<[OwnedSemaphorePermit; 2]>,
}

impl Lease {
    /// Waits for a turn in the instance, then in the Space.
    pub(super) async fn take(instance: &Arc<Semaphore>, space: &Arc<Semaphore>, wait: Duration) -> Result<Self, Error> {
        let both = async {
            let instance = instance.clone().acquire_owned().await?;
            let space = space.clone().acquire_owned().await?;
            Ok::<_, tokio::sync::AcquireError>([instance, space])
        };
        match tokio::time::timeout(wait, both).await {
            Ok(Ok(permits)) => Ok(Self { _permits: Arc::new(permits) }),
            Ok(Err(_)) | Err(_) => Err(Error::ConnectionLimitReached),
        }
    }
}
