//! The control plane behind the edge: waking sleepers, and who may visit a private Space.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use spaceport_control::fleet::WakeError;
use spaceport_control::routes::RouteEntry;
use spaceport_control::service::Control;
use spaceport_core::id::SpaceId;
use spaceport_core::permission::Subject;
use spaceport_web::edge::{Platform, WakeRefusal};

/// The door from the edge to everything else.
pub(crate) struct FleetPlatform {
    control: Control,
}

impl FleetPlatform {
    /// The platform over these operations.
    pub(crate) fn new(control: Control) -> Self {
        Self { control }
    }
}

impl Platform for FleetPlatform {
    fn wake(&self, space: SpaceId) -> BoxFuture<'static, Result<Arc<RouteEntry>, WakeRefusal>> {
        let control = self.control.clone();
        async move { control.fleet().wake(space).await.map_err(refusal) }.boxed()
    }

    fn may_visit(&self, token: String, space: SpaceId, subject: Subject) -> BoxFuture<'static, bool> {
        let control = self.control.clone();
        async move {
            let may = tokio::task::spawn_blocking(move || control.may_visit(&token, space, subject)).await;
            matches!(may, Ok(Ok(true)))
        }
        .boxed()
    }
}

fn refusal(error: WakeError) -> WakeRefusal {
    let message = match &error {
        WakeError::Failed { message, .. } => message.clone(),
        _ => None,
    };
    match (error.stage(), error) {
        (_, WakeError::Gone) => WakeRefusal::Gone,
        (_, WakeError::Waits(message)) => WakeRefusal::Waits(message),
        (Some(stage), _) => WakeRefusal::Unavailable { stage, message },
        (None, _) => WakeRefusal::Later,
    }
}
