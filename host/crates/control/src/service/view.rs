//! What operations tell about a Space: values, not the wire's form.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use spaceport_core::lfs::LfsPointer;
use spaceport_core::lifecycle::{Millis, Release};
use spaceport_core::linked::Linked;
use spaceport_core::manifest::Manifest;
use spaceport_core::revision::Oid;
use spaceport_core::space::{Sdk, Space};
use spaceport_core::stage::Stage;
use spaceport_git::TreeEntry;

use super::Control;
use super::files::Head;
use super::likes::LikeCount;
use crate::builder::BuildPhase;
use crate::publish::sleep_after;

/// A Space with what its repository and its runtime say.
#[derive(Debug, Clone)]
pub struct SpaceView {
    /// Its settings.
    pub space: Space,
    /// The kind it is now: the README decides.
    pub sdk: Sdk,
    /// Origin of its app.
    pub app_url: String,
    /// The commit that is spoken of.
    pub head: Option<Head>,
    /// The front matter at that commit, as JSON text of an object.
    pub card: Option<String>,
    /// The models and datasets that it uses: those of its front matter, and where that lists none, those of its code.
    pub linked: Linked,
    /// The files at that commit, where they were asked for.
    pub files: Option<Vec<TreeEntry>>,
    /// Which of them stand for large files, by the ids of their contents.
    pub large: BTreeMap<Oid, LfsPointer>,
    /// How it runs.
    pub runtime: RuntimeView,
    /// How many like it.
    pub likes: LikeCount,
    /// Whether its discussions are switched off.
    pub discussions_disabled: bool,
}

/// How a Space runs.
#[derive(Debug, Clone, PartialEq)]
pub struct RuntimeView {
    /// The public stage.
    pub stage: Stage,
    /// The kind it is now.
    pub sdk: Sdk,
    /// The flavor it is to run on.
    pub hardware: String,
    /// The flavor of what answers now.
    pub current_hardware: Option<String>,
    /// Its storage tier.
    pub storage: Option<String>,
    /// Idleness after which it sleeps; `None`: it does not.
    pub sleep_after: Option<Duration>,
    /// Host name of its app.
    pub app_authority: String,
    /// The revision that answers, or would after waking.
    pub revision: Option<Oid>,
    /// Why the stage is an error, for those who see its settings and for visitors alike.
    pub error_message: Option<String>,
    /// Builds that are ahead of its own.
    pub queue_position: Option<usize>,
    /// For how long the stage has been this, as far as that is known.
    pub stage_age: Option<Duration>,
    /// What is done in its build, and how long ago that began.
    pub build: Option<(BuildPhase, Duration)>,
    /// How long the last build took that came to something, as far as that is known.
    pub last_build: Option<Duration>,
    /// Changes with every change of the state.
    pub generation: u64,
}

/// One built revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseView {
    /// Number and revision.
    pub release: Release,
    /// When it was built.
    pub created_at: Millis,
    /// Whether it is the one that answers.
    pub is_live: bool,
}

impl Control {
    /// Origin of a Space's app.
    pub fn app_url(&self, space: &Space) -> String {
        self.addresses().app_url(&space.subdomain, self.runtime_of(space).sdk)
    }

    /// How a Space runs now.
    pub(super) fn runtime_of(&self, space: &Space) -> RuntimeView {
        let fleet = self.inner.fleet.state(space.id);
        let manifest: Option<Arc<Manifest>> = fleet.as_ref().and_then(|view| view.manifest.clone());
        let sdk = manifest.map_or(space.sdk, |manifest| manifest.sdk);
        let now = self.inner.clock.now();
        let age = |since: Millis| Duration::from_millis(now.saturating_sub(since));
        let build = self.inner.fleet.build(space.id);
        RuntimeView {
            // A Space that the fleet does not know any more is on its way out.
            stage: fleet.as_ref().map_or(Stage::Deleting, |view| view.stage),
            sdk,
            hardware: space.hardware.clone(),
            current_hardware: fleet.as_ref().and_then(|view| view.hardware.clone()),
            storage: space.storage.clone(),
            sleep_after: sleep_after(space, &self.catalogue(), self.inner.fleet.config()),
            app_authority: self.addresses().app_authority(&space.subdomain, sdk),
            revision: fleet.as_ref().and_then(|view| view.state.served_revision()),
            error_message: fleet.as_ref().and_then(|view| view.error_message().map(str::to_owned)),
            queue_position: fleet.as_ref().and_then(|view| view.queue_position),
            stage_age: fleet.as_ref().and_then(|view| view.since).map(age),
            build: build.map(|(phase, begun_at)| (phase, age(begun_at))),
            last_build: self.inner.fleet.last_build(space.id),
            generation: fleet.as_ref().map_or(0, |view| view.generation),
        }
    }
}
