//! What the world sees of a Space: its route for the data path, its view for everybody who asks or waits.
//!
//! Both are made from the supervisor's state and replaced as wholes, the route first, so that whoever sees a Space live
//! finds its route live too.

use std::sync::Arc;
use std::time::Duration;

use spaceport_core::hardware::{Catalogue, Hardware};
use spaceport_core::id::AccountId;
use spaceport_core::lifecycle::{Desired, Serving, State};
use spaceport_core::manifest::Manifest;
use spaceport_core::name::{SpacePath, Subdomain};
use spaceport_core::space::{Sdk, Space, Visibility};
use spaceport_core::stage::Stage;

use crate::fleet::FleetConfig;
use crate::routes::{RouteEntry, RouteTarget};
use crate::service::Addresses;

/// What of a Space's settings is needed while nothing is launched; the rest is read when it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Profile {
    pub(crate) path: SpacePath,
    pub(crate) subdomain: Subdomain,
    pub(crate) owner: AccountId,
    pub(crate) creator: AccountId,
    pub(crate) visibility: Visibility,
    /// The kind it was created as.
    pub(crate) sdk: Sdk,
    /// Idleness after which it sleeps; static Spaces have a time of their own.
    pub(crate) sleep_after: Option<Duration>,
    pub(crate) has_storage: bool,
    /// The flavor that it is to run on.
    pub(crate) hardware: String,
}

/// What a route is made of, beside the profile.
pub(crate) struct RouteSource<'a> {
    pub(crate) space: spaceport_core::id::SpaceId,
    pub(crate) state: &'a State,
    /// The kind of what serves, or would after waking, if there is such.
    pub(crate) sdk: Option<Sdk>,
    /// The configuration of what serves; else of the newest release.
    pub(crate) manifest: Option<&'a Manifest>,
    pub(crate) generation: u64,
    /// What answers, if something does.
    pub(crate) live: Option<RouteTarget>,
}

impl Profile {
    /// The profile of a Space under the operator's rules.
    pub(crate) fn of(space: &Space, catalogue: &Catalogue, config: &FleetConfig) -> Self {
        Self {
            path: space.path.clone(),
            subdomain: space.subdomain.clone(),
            owner: space.owner,
            creator: space.creator,
            visibility: space.visibility,
            sdk: space.sdk,
            sleep_after: sleep_after(space, catalogue, config),
            has_storage: space.storage.is_some(),
            hardware: space.hardware.clone(),
        }
    }

    /// The route of a Space.
    pub(crate) fn route(&self, source: RouteSource<'_>) -> RouteEntry {
        let RouteSource { space, state, sdk, manifest, generation, live } = source;
        let sdk = sdk.or(manifest.map(|manifest| manifest.sdk)).unwrap_or(self.sdk);
        RouteEntry {
            space,
            path: self.path.clone(),
            owner: self.owner,
            creator: self.creator,
            visibility: self.visibility,
            sdk,
            generation,
            custom_headers: manifest.map(|manifest| manifest.custom_headers.clone()).unwrap_or_default(),
            disable_embedding: manifest.is_some_and(|manifest| manifest.disable_embedding),
            headers: Default::default(),
            target: live.unwrap_or_else(|| target_without_instance(state, sdk)),
        }
    }

    /// The host names at which a Space of these kinds answers: lower case, without a port.
    pub(crate) fn hosts(&self, addresses: &Addresses, sdks: impl IntoIterator<Item = Sdk>) -> Vec<String> {
        let mut hosts: Vec<String> =
            sdks.into_iter().map(|sdk| host_of(&addresses.app_authority(&self.subdomain, sdk))).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }
}

/// Idleness after which a Space sleeps under the operator's rules.
pub(crate) fn sleep_after(space: &Space, catalogue: &Catalogue, config: &FleetConfig) -> Option<Duration> {
    let is_free = catalogue.flavor(&space.hardware).is_none_or(Hardware::is_free);
    space.sleep_after.on(is_free, config.free_sleep_after)
}

/// What a visitor gets while no instance answers.
fn target_without_instance(state: &State, sdk: Sdk) -> RouteTarget {
    match (state.desired, &state.serving) {
        // Who waits for a start waits as for a sleeper: the wake is under way.
        (Desired::Run, Serving::Asleep { .. } | Serving::Starting { .. } | Serving::Live { .. }) => RouteTarget::Asleep,
        (Desired::Run, Serving::Nothing | Serving::Failed { .. }) | (Desired::Paused | Desired::Deleted, _) => {
            RouteTarget::Unavailable {
                stage: visitors_stage(state, sdk),
                message: state.error_message().map(str::to_owned),
            }
        }
    }
}

/// The stage as far as it tells why nothing answers.
fn visitors_stage(state: &State, sdk: Sdk) -> Stage {
    state.stage(sdk == Sdk::Static)
}

/// The host of an authority, in lower case.
fn host_of(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.is_empty() => host,
        _ => authority,
    };
    host.to_ascii_lowercase()
}

/// The manifest behind a pointer, for [`RouteSource`].
pub(crate) fn plain(manifest: Option<&Arc<Manifest>>) -> Option<&Manifest> {
    manifest.map(Arc::as_ref)
}

#[cfg(test)]
mod tests {
    use spaceport_core::id::SpaceId;
    use spaceport_core::lifecycle::{InstanceId, Release};
    use spaceport_core::revision::Oid;

    use super::*;

    fn profile() -> Profile {
        let path = "Ada/My_App".parse().unwrap();
        Profile {
            subdomain: Subdomain::derive(&path),
            path,
            owner: AccountId::from_bytes([1; 12]),
            creator: AccountId::from_bytes([1; 12]),
            visibility: Visibility::Public,
            sdk: Sdk::Wasm,
            sleep_after: None,
            has_storage: false,
            hardware: "cpu-basic".into(),
        }
    }

    fn target(desired: Desired, serving: Serving) -> RouteTarget {
        let state = State { desired, serving, ..State::default() };
        let space = SpaceId::from_bytes([1; 12]);
        profile()
            .route(RouteSource { space, state: &state, sdk: None, manifest: None, generation: 1, live: None })
            .target
    }

    #[test]
    fn hosts_have_no_port_and_follow_the_kind() {
        let addresses =
            Addresses { scheme: "http".into(), hub: "hub.example".into(), spaces: "Apps.example:7860".into() };
        assert_eq!(profile().hosts(&addresses, [Sdk::Wasm]), ["ada-my-app.apps.example"]);
        assert_eq!(
            profile().hosts(&addresses, [Sdk::Static, Sdk::Wasm, Sdk::Docker]),
            ["ada-my-app.apps.example", "ada-my-app.static.apps.example"]
        );
        assert_eq!(host_of("ada.localhost"), "ada.localhost");
    }

    #[test]
    fn visitors_wait_for_what_starts_and_are_told_why_nothing_does() {
        let release = Release { number: 1, revision: Oid::from_bytes([0; 20]) };
        let starting = Serving::Starting { instance: InstanceId(1), release, failures: 0, fallback: None };
        assert!(matches!(target(Desired::Run, starting), RouteTarget::Asleep));
        assert!(matches!(target(Desired::Run, Serving::Asleep { release }), RouteTarget::Asleep));
        let failed = Serving::Failed { release, message: "no".into(), failures: 1, retry_at: None };
        for (desired, serving, expected) in [
            (Desired::Run, Serving::Nothing, Stage::NoAppFile),
            (Desired::Run, failed, Stage::RuntimeError),
            (Desired::Paused, Serving::Asleep { release }, Stage::Paused),
            (Desired::Deleted, Serving::Nothing, Stage::Deleting),
        ] {
            match target(desired, serving) {
                RouteTarget::Unavailable { stage, .. } => assert_eq!(stage, expected),
                _ => panic!("{expected} is not to be waited for"),
            }
        }
    }
}
