//! Making up for what was interrupted: once at the start and then every few minutes, without being told what happened.
//!
//! Compares the heads of deploy branches with what was built, and the directories of Spaces with the Spaces there are.
//! Everything it does is an ordinary message or harmless to repeat. User data (repositories, `/data`) of Spaces that the
//! database does not know is never touched: a deletion leaves a mark in the database ([`crate::supervisor`]), so where
//! there is none something else has gone wrong.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::Millis;
use spaceport_core::revision::DEPLOY_BRANCH;
use tokio_util::sync::CancellationToken;

use crate::fleet::Shared;
use crate::retain::retain;
use crate::supervisor::drop_stale_parts;
use crate::supervisor::member::{Input, Member};

/// Time between two rounds.
const INTERVAL: Duration = Duration::from_secs(10 * 60);
/// Heads asked for at the same time: each is a git process.
const HEADS: usize = 4;
/// After the first round only Spaces changed this lately are looked at again, and those that could not be told of a head;
/// two intervals, so that none is missed.
const RECENT: Millis = 2 * 10 * 60 * 1000;

/// Compares and repairs until the fleet is gone.
pub(crate) async fn run(fleet: Weak<Shared>, closing: CancellationToken) {
    let mut suspects = BTreeSet::new();
    let mut is_first = true;
    loop {
        {
            let Some(shared) = fleet.upgrade() else { return };
            let round = async { suspects = round(&shared, std::mem::take(&mut suspects), is_first).await };
            if closing.run_until_cancelled(round).await.is_none() {
                return;
            }
        }
        is_first = false;
        if closing.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
            return;
        }
    }
}

/// One round; takes and returns what [`orphans`] found once.
async fn round(shared: &Arc<Shared>, suspects: BTreeSet<SpaceId>, is_first: bool) -> BTreeSet<SpaceId> {
    heads(shared, is_first).await;
    let suspects = orphans(shared, suspects, is_first).await;
    drop_stale_parts(shared).await;
    retain(shared).await;
    suspects
}

/// Tells supervisors whose deploy branch has a head that was never built.
async fn heads(shared: &Arc<Shared>, all: bool) {
    let recent = match all {
        true => None,
        false => Some(changed_since(shared, shared.clock.now().saturating_sub(RECENT)).await),
    };
    let members = shared.members().into_iter();
    let untold = shared.untold.lock().clone();
    let is_due =
        |space: &SpaceId| untold.contains(space) || recent.as_ref().is_none_or(|recent| recent.contains(space));
    let members = members.filter(|member| is_due(&member.space));
    futures_util::stream::iter(members).for_each_concurrent(HEADS, |member| head(shared, member)).await;
}

async fn head(shared: &Arc<Shared>, member: Arc<Member>) {
    match shared.repos.repo(member.space).head(DEPLOY_BRANCH).await {
        Ok(Some(head)) if member.view.borrow().state.known_head() != Some(head) => {
            member.post(shared, Input::CheckHead);
        }
        Ok(_) => drop(shared.untold.lock().remove(&member.space)),
        // A Space deleted meanwhile has none.
        Err(error) if shared.member(member.space).is_some() => {
            tracing::warn!(space_id = %member.space, %error, "the repository of a Space cannot be read");
        }
        Err(_) => {}
    }
}

async fn changed_since(shared: &Arc<Shared>, since: Millis) -> HashSet<SpaceId> {
    let db = shared.db.clone();
    let scanned = tokio::task::spawn_blocking(move || db.spaces().scan()).await;
    match scanned {
        Ok(Ok(spaces)) => spaces.into_iter().filter(|(_, space)| space.updated_at >= since).map(|(id, _)| id).collect(),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the Spaces cannot be listed");
            HashSet::new()
        }
        // The runtime ends.
        Err(_) => HashSet::new(),
    }
}

/// Removes copies and logs of Spaces there are not: at the start those found, later those found twice in a row, since a
/// Space that is being created or deleted may look like one. Returns those found once.
async fn orphans(shared: &Arc<Shared>, suspects: BTreeSet<SpaceId>, is_first: bool) -> BTreeSet<SpaceId> {
    let logs = shared.logs.clone();
    let with_logs = tokio::task::spawn_blocking(move || logs.spaces()).await;
    let with_logs = with_logs.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked))).unwrap_or_default();
    let with_copies = shared.checkouts.spaces().await.unwrap_or_default();
    let found: BTreeSet<SpaceId> =
        with_logs.into_iter().chain(with_copies).filter(|space| shared.member(*space).is_none()).collect();
    let (certain, doubtful): (BTreeSet<_>, BTreeSet<_>) =
        found.into_iter().partition(|space| is_first || suspects.contains(space));
    for space in certain {
        remove(shared, space).await;
    }
    doubtful
}

async fn remove(shared: &Arc<Shared>, space: SpaceId) {
    tracing::info!(space_id = %space, "removing copies and logs of a Space there is not");
    let logs = shared.logs.clone();
    let removed = tokio::task::spawn_blocking(move || logs.remove(space)).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!(space_id = %space, %error, "the logs of a Space there is not cannot be removed");
    }
    if let Err(error) = shared.checkouts.remove_copies(space).await {
        tracing::warn!(space_id = %space, %error, "the copies of a Space there is not cannot be removed");
    }
}

#[cfg(test)]
mod tests {
    use spaceport_core::lfs::LfsOid;
    use spaceport_core::stage::Stage;

    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn uploads_that_nobody_goes_on_with_are_dropped_while_the_host_runs() {
        let world = World::new().await;
        let space = world.store("hello").await;
        let shared = world.fleet.shared();
        let upload = (space.id, LfsOid::from_bytes([1; 32]), 4);
        shared.lfs.receive_part(upload, 0, b"part".as_slice()).await.unwrap();
        let parts = world.temp.path().join("lfs/parts");
        world.clock.advance(Millis::MAX / 4);
        round(shared, BTreeSet::new(), false).await;
        assert_eq!(std::fs::read_dir(parts).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_head_that_could_not_be_recorded_is_built_once_it_can_be() {
        let world = World::new().await;
        let space = world.create("hello", &[("README.md", "---\nsdk: static\n---\n"), ("index.html", "1")]).await;
        world.reaches(&space, Stage::Running).await;
        let head = world.commit(&space, &[("index.html", "2")]).await;
        // It was changed long ago, so that no round looks at it by itself.
        world.clock.advance(10 * RECENT);
        let shared = world.fleet.shared();
        round(shared, BTreeSet::new(), false).await;
        assert_ne!(world.fleet.state(space.id).unwrap().state.known_head(), Some(head));
        shared.untold.lock().insert(space.id);
        round(shared, BTreeSet::new(), false).await;
        world.serves(&space, head).await;
        assert!(shared.untold.lock().contains(&space.id), "until it is seen that it was recorded");
        round(shared, BTreeSet::new(), false).await;
        assert!(shared.untold.lock().is_empty());
    }
}
