//! Which artifacts may be launched again, told to the backends, so that they can let go of the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use spaceport_core::id::SpaceId;
use spaceport_db::BuiltRelease;

use crate::fleet::Shared;
use crate::ports::Artifact;

/// Releases of each Space whose artifacts are kept: as far as people go back at a moment's notice. What lies further back
/// is built again when it is gone back to.
const KEPT: usize = 5;

/// Tells every backend what is needed.
pub(crate) async fn retain(shared: &Arc<Shared>) {
    let db = shared.db.clone();
    let scanned = match tokio::task::spawn_blocking(move || db.releases().scan()).await {
        Ok(scanned) => scanned,
        // The runtime ends.
        Err(_) => return,
    };
    let releases = match scanned {
        Ok(releases) => releases,
        Err(error) => {
            tracing::warn!(%error, "the releases cannot be listed; what is not needed any more stays for now");
            return;
        }
    };
    let needed = needed(releases, |space| {
        let member = shared.member(space)?;
        let view = member.view.borrow();
        Some(view.state.release?.number)
    });
    for backend in &shared.backends {
        backend.retain(needed.clone()).await;
    }
}

/// The newest few of each Space, and the one that a restart would launch.
fn needed(releases: Vec<((SpaceId, u64), BuiltRelease)>, current: impl Fn(SpaceId) -> Option<u64>) -> Vec<Artifact> {
    let mut spaces: BTreeMap<SpaceId, Vec<(u64, String)>> = BTreeMap::new();
    for ((space, number), release) in releases {
        spaces.entry(space).or_default().push((number, release.artifact));
    }
    let mut needed = Vec::new();
    for (space, mut releases) in spaces {
        releases.sort_unstable_by(|a, b| b.cmp(a));
        let current = current(space);
        let is_needed = |(place, (number, _)): &(usize, (u64, String))| *place < KEPT || Some(*number) == current;
        needed.extend(releases.into_iter().enumerate().filter(is_needed).map(|(_, (_, artifact))| Artifact(artifact)));
    }
    needed.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    needed.dedup();
    needed
}

#[cfg(test)]
mod tests {
    use spaceport_core::lifecycle::Release;
    use spaceport_core::revision::Oid;

    use super::*;

    #[test]
    fn the_newest_of_each_space_are_needed_and_what_is_gone_back_to() {
        let [a, b] = [1, 2].map(|number| SpaceId::from_bytes([number; 12]));
        let built = |space: SpaceId, number: u64, artifact: &str| {
            let release = Release { number, revision: Oid::from_bytes([0; 20]) };
            let artifact = artifact.to_owned();
            ((space, number), BuiltRelease { release, artifact, readme: String::new(), created_at: 0 })
        };
        let mut releases: Vec<_> = (1..=9).map(|number| built(a, number, &format!("a{number}"))).collect();
        releases.extend([built(b, 1, "same"), built(b, 2, "same")]);
        let needed = needed(releases, |space| (space == a).then_some(2));
        let names: Vec<&str> = needed.iter().map(|artifact| artifact.0.as_str()).collect();
        assert_eq!(names, ["a2", "a5", "a6", "a7", "a8", "a9", "same"]);
    }
}
