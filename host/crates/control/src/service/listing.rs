//! Finding Spaces, and telling of one with its repository.

use spaceport_core::name::{OwnerName, SpacePath};
use spaceport_core::permission::{Action, Actor, Denied, Subject, can};
use spaceport_core::space::Space;

use super::Control;
use super::error::ServiceResult;
use super::files::{Head, resolve};
use super::readme::{README, card_of};
use super::storage::{git_failed, read_failed};
use super::view::SpaceView;

/// Which Spaces are listed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpaceFilter {
    /// Of this owner only.
    pub owner: Option<OwnerName>,
    /// With this text in path or title.
    pub search: Option<String>,
    /// With all of these tags; the kind counts as one.
    pub tags: Vec<String>,
    /// In which order.
    pub sort: SortBy,
}

/// The order of a list, newest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortBy {
    /// By the last change.
    #[default]
    LastModified,
    /// By creation.
    CreatedAt,
}

impl Control {
    /// The Spaces that the actor may see, newest first. One read of all of them.
    pub fn spaces(&self, actor: &Actor, filter: &SpaceFilter) -> ServiceResult<Vec<SpaceView>> {
        let all = self.inner.db.spaces().scan().map_err(read_failed)?;
        let mut views: Vec<SpaceView> = all
            .into_iter()
            .map(|(_, space)| space)
            .filter(|space| {
                can(actor, Action::See, Subject { owner: space.owner, visibility: space.visibility }).is_ok()
            })
            .filter(|space| filter.owner.as_ref().is_none_or(|owner| is_owner(space, owner)))
            .map(|space| self.listed(space))
            .filter(|view| filter.matches(view))
            .collect();
        views.sort_by_key(|view| {
            let at = match filter.sort {
                SortBy::LastModified => view.space.updated_at,
                SortBy::CreatedAt => view.space.created_at,
            };
            (std::cmp::Reverse(at), view.space.path.key())
        });
        Ok(views)
    }

    /// A Space with its repository at a revision, by default the deploy branch's head.
    pub async fn view(&self, actor: &Actor, path: &SpacePath, revision: Option<&str>) -> ServiceResult<SpaceView> {
        let space = self.space(actor, path, Action::See)?;
        let repo = self.inner.repos.repo(space.id);
        let oid = resolve(&repo, revision.unwrap_or("HEAD")).await?;
        let at = repo.log(oid, 1).await.map_err(git_failed)?.first().map_or(space.updated_at, |entry| entry.at);
        let files = repo.tree(oid).await.map_err(git_failed)?;
        let large = self.pointers(space.id, &repo, &files.iter().collect::<Vec<_>>()).await?;
        let card = match files.iter().find(|file| file.path.as_str() == README) {
            Some(_) => repo.read(oid, README).await.map_err(git_failed)?.and_then(|text| card_of(&text)),
            None => None,
        };
        Ok(SpaceView { head: Some(Head { oid, at }), card, files: Some(files), large, ..self.listed(space) })
    }

    /// The path of the Space that answers at a subdomain, if the actor may see it.
    pub fn by_subdomain(&self, actor: &Actor, subdomain: &str) -> ServiceResult<SpacePath> {
        let id = self.inner.db.subdomains().get(&subdomain.to_owned()).map_err(read_failed)?.ok_or(Denied::Hidden)?;
        let space = self.inner.db.spaces().get(&id).map_err(read_failed)?.ok_or(Denied::Hidden)?;
        Ok(self.space(actor, &space.path, Action::See)?.path)
    }

    /// What is known without a look into the repository: the card of the newest build.
    fn listed(&self, space: Space) -> SpaceView {
        let runtime = self.runtime_of(&space);
        let card =
            self.inner.fleet.state(space.id).and_then(|view| view.manifest).map(|manifest| manifest.card.clone());
        SpaceView {
            sdk: runtime.sdk,
            app_url: self.addresses().app_url(&space.subdomain, runtime.sdk),
            head: None,
            card,
            files: None,
            large: Default::default(),
            runtime,
            space,
        }
    }
}

impl SpaceFilter {
    fn matches(&self, view: &SpaceView) -> bool {
        let text = |text: &str| text.to_lowercase();
        let is_found = self.search.as_ref().is_none_or(|search| {
            let search = text(search);
            view.space.path.key().contains(&search) || view.title().is_some_and(|title| text(&title).contains(&search))
        });
        let tags = view.tags();
        is_found && self.tags.iter().all(|wanted| tags.contains(wanted))
    }
}

impl SpaceView {
    /// The front matter as JSON, an object.
    pub fn card_json(&self) -> serde_json::Map<String, serde_json::Value> {
        self.card.as_deref().and_then(|card| serde_json::from_str(card).ok()).unwrap_or_default()
    }

    /// The title in the front matter.
    pub fn title(&self) -> Option<String> {
        Some(self.card_json().get("title")?.as_str()?.to_owned())
    }

    /// The kind and the tags of the front matter.
    pub fn tags(&self) -> Vec<String> {
        let card = self.card_json();
        let written = card.get("tags").and_then(|tags| tags.as_array()).into_iter().flatten();
        let written = written.filter_map(|tag| tag.as_str().map(str::to_owned));
        std::iter::once(self.sdk.as_str().to_owned()).chain(written).collect()
    }
}

fn is_owner(space: &Space, owner: &OwnerName) -> bool {
    space.path.owner.as_str().eq_ignore_ascii_case(owner.as_str())
}
