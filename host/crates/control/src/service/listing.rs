//! Finding Spaces, and telling of one with its repository.

use spaceport_core::name::{OwnerName, SpacePath};
use spaceport_core::permission::{Action, Actor, Denied, Subject, can};
use spaceport_core::space::Space;

use super::Control;
use super::error::ServiceResult;
use super::files::{Head, resolve};
use super::likes::LikeCount;
use super::readme::{README, card_of};
use super::storage::{git_failed, read_failed};
use super::view::SpaceView;

/// A front matter as JSON.
type Card = serde_json::Map<String, serde_json::Value>;

/// Which Spaces are listed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpaceFilter {
    /// Of this owner only.
    pub owner: Option<OwnerName>,
    /// With this text in path or title.
    pub search: Option<String>,
    /// With all of these tags; the kind counts as one.
    pub tags: Vec<String>,
    /// That use all of these models.
    pub models: Vec<String>,
    /// That use all of these datasets.
    pub datasets: Vec<String>,
    /// That use any model or dataset.
    pub is_linked: bool,
    /// In which order.
    pub sort: SortBy,
    /// The other way round.
    pub is_ascending: bool,
}

/// The order of a list, the newest or the most first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortBy {
    /// By the last change.
    #[default]
    LastModified,
    /// By creation.
    CreatedAt,
    /// By likes.
    Likes,
    /// By likes of the last days.
    Trending,
}

impl Control {
    /// The Spaces that the actor may see, by default newest first. One read of all of them.
    pub fn spaces(&self, actor: &Actor, filter: &SpaceFilter) -> ServiceResult<Vec<SpaceView>> {
        let all = self.inner.db.spaces().scan().map_err(read_failed)?;
        let likes = self.like_counts()?;
        let mut views: Vec<SpaceView> = all
            .into_iter()
            .map(|(_, space)| space)
            .filter(|space| {
                can(actor, Action::See, Subject { owner: space.owner, visibility: space.visibility }).is_ok()
            })
            .filter(|space| filter.owner.as_ref().is_none_or(|owner| is_owner(space, owner)))
            .map(|space| {
                let likes = likes.get(&space.id).copied().unwrap_or_default();
                self.listed(space, likes)
            })
            .filter(|view| filter.matches(view))
            .collect();
        views.sort_by_cached_key(|view| {
            let rank = match filter.sort {
                SortBy::LastModified => view.space.updated_at,
                SortBy::CreatedAt => view.space.created_at,
                SortBy::Likes => view.likes.total,
                SortBy::Trending => view.likes.recent,
            };
            let rank = if filter.is_ascending { rank } else { u64::MAX - rank };
            (rank, view.space.path.key())
        });
        Ok(views)
    }

    /// A Space with its repository at a revision, by default the deploy branch's head.
    pub async fn view(&self, actor: &Actor, path: &SpacePath, revision: Option<&str>) -> ServiceResult<SpaceView> {
        let space = self.space(actor, path, Action::See)?;
        let likes = self.like_count(space.id)?;
        self.with_repository(self.listed(space, likes), revision).await
    }

    /// A listed Space with its repository at a revision, by default the deploy branch's head.
    pub async fn with_repository(&self, listed: SpaceView, revision: Option<&str>) -> ServiceResult<SpaceView> {
        let space = &listed.space;
        let repo = self.inner.repos.repo(space.id);
        let oid = resolve(&repo, revision.unwrap_or("HEAD")).await?;
        let at = repo.log(oid, 1).await.map_err(git_failed)?.first().map_or(space.updated_at, |entry| entry.at);
        let files = repo.tree(oid).await.map_err(git_failed)?;
        let large = self.pointers(space.id, &repo, &files.iter().collect::<Vec<_>>()).await?;
        let card = match files.iter().find(|file| file.path.as_str() == README) {
            Some(_) => repo.read(oid, README).await.map_err(git_failed)?.and_then(|text| card_of(&text)),
            None => None,
        };
        Ok(SpaceView { head: Some(Head { oid, at }), card, files: Some(files), large, ..listed })
    }

    /// The path of the Space that answers at a subdomain, if the actor may see it.
    pub fn by_subdomain(&self, actor: &Actor, subdomain: &str) -> ServiceResult<SpacePath> {
        let id = self.inner.db.subdomains().get(&subdomain.to_owned()).map_err(read_failed)?.ok_or(Denied::Hidden)?;
        let space = self.inner.db.spaces().get(&id).map_err(read_failed)?.ok_or(Denied::Hidden)?;
        Ok(self.space(actor, &space.path, Action::See)?.path)
    }

    /// What is known without a look into the repository: the card of the newest build.
    fn listed(&self, space: Space, likes: LikeCount) -> SpaceView {
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
            likes,
            space,
        }
    }
}

impl SpaceFilter {
    fn matches(&self, view: &SpaceView) -> bool {
        let is_plain = self.tags.is_empty() && self.models.is_empty() && self.datasets.is_empty() && !self.is_linked;
        if is_plain && self.search.is_none() {
            return true;
        }
        let card = view.card_json();
        let is_found = self.search.as_ref().is_none_or(|search| {
            let search = search.to_lowercase();
            let title = card.get("title").and_then(|title| title.as_str()).unwrap_or_default();
            view.space.path.key().contains(&search) || title.to_lowercase().contains(&search)
        });
        let tags = view.tags_of(&card);
        let uses = |key: &str, wanted: &[String]| {
            let used = texts(&card, key);
            wanted.iter().all(|wanted| used.contains(&wanted.as_str()))
        };
        is_found
            && self.tags.iter().all(|wanted| tags.contains(wanted))
            && uses("models", &self.models)
            && uses("datasets", &self.datasets)
            && (!self.is_linked || ["models", "datasets"].iter().any(|key| !texts(&card, key).is_empty()))
    }
}

impl SpaceView {
    /// The front matter as JSON, an object.
    pub fn card_json(&self) -> Card {
        self.card.as_deref().and_then(|card| serde_json::from_str(card).ok()).unwrap_or_default()
    }

    /// The title in the front matter.
    pub fn title(&self) -> Option<String> {
        Some(self.card_json().get("title")?.as_str()?.to_owned())
    }

    /// The kind and the tags of the front matter.
    pub fn tags(&self) -> Vec<String> {
        self.tags_of(&self.card_json())
    }

    fn tags_of(&self, card: &Card) -> Vec<String> {
        let written = texts(card, "tags").into_iter().map(str::to_owned);
        std::iter::once(self.sdk.as_str().to_owned()).chain(written).collect()
    }
}

/// The texts of a list in a front matter.
fn texts<'a>(card: &'a Card, key: &str) -> Vec<&'a str> {
    let list = card.get(key).and_then(|list| list.as_array()).into_iter().flatten();
    list.filter_map(|text| text.as_str()).collect()
}

fn is_owner(space: &Space, owner: &OwnerName) -> bool {
    space.path.owner.as_str().eq_ignore_ascii_case(owner.as_str())
}
