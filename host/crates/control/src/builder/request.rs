//! What a backend is asked to build: the revision's files, and of the Space's settings what a build may know.

use spaceport_core::egress::EgressPolicy;
use spaceport_core::lifecycle::BuildFailure;
use spaceport_core::manifest::Manifest;

use super::BuildOrder;
use super::job::{build_error, host_failure};
use super::steps::Steps;
use crate::fleet::Shared;
use crate::ports::{BuildRequest, Mount};
use crate::secrets::{SecretsError, secrets};

/// The request for a revision that is checked out.
pub(super) fn request(
    shared: &Shared,
    order: &BuildOrder,
    manifest: &Manifest,
    app: Mount,
    steps: &Steps,
) -> Result<BuildRequest, BuildFailure> {
    let mut request = BuildRequest {
        space: order.space,
        path: order.path.clone(),
        revision: order.revision,
        manifest: manifest.clone(),
        app,
        site: None,
        variables: Vec::new(),
        secrets: Vec::new(),
        egress: EgressPolicy { rules: manifest.wasm.egress.clone(), ..shared.config.egress.clone() },
        clean: order.clean,
        log: steps.log(),
    };
    if manifest.sdk.is_container() || manifest.app_build_command.is_some() {
        give_settings(shared, order, &mut request)?;
    }
    Ok(request)
}

/// Adds variables and, unless what is built are pages that anybody may read, secrets; and sees to it that the log does not
/// show the latter.
fn give_settings(shared: &Shared, order: &BuildOrder, request: &mut BuildRequest) -> Result<(), BuildFailure> {
    let read = shared.db.running_space(order.space).map_err(|error| host_failure(order, &error))?;
    let Some(space) = read else { return Err(build_error("the Space is gone".to_owned())) };
    if request.manifest.sdk.is_container() {
        request.secrets = secrets(shared, &space).map_err(|error| match error {
            SecretsError::Unreadable(error) => host_failure(order, &error),
            error @ SecretsError::Sealed(_) => build_error(error.to_string()),
        })?;
        let values: Vec<String> = request.secrets.iter().map(|(_, value)| value.clone()).collect();
        shared.logs.hide_in_build(order.space, &values);
    }
    request.variables = space.variables.into_iter().map(|(name, variable)| (name, variable.value)).collect();
    Ok(())
}
