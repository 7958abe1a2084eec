//! Finding Spaces, and telling of one with its repository.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use spaceport_core::id::SpaceId;
use spaceport_core::linked::Linked;
use spaceport_core::manifest::Manifest;
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
use crate::linked::of_revision;

/// A front matter as JSON.
type Card = serde_json::Map<String, Value>;

/// Which Spaces are listed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpaceFilter {
    /// Of this owner only.
    pub owner: Option<OwnerName>,
    /// With this text in path or title.
    pub search: Option<String>,
    /// With all of these tags; the kind counts as one.
    pub tags: Vec<String>,
    /// That use all of these models, by their front matter or their code.
    pub models: Vec<String>,
    /// That use all of these datasets.
    pub datasets: Vec<String>,
    /// That use any model or dataset.
    pub is_linked: bool,
    /// On this hardware only.
    pub hardware: Option<String>,
    /// Those first that their owners have pinned.
    pub is_pinned_first: bool,
    /// In which order.
    pub sort: SortBy,
    /// The other way round.
    pub is_ascending: bool,
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Listing {
    /// How many there are on the whole list.
    pub total: usize,
    /// Those of the part.
    pub views: Vec<SpaceView>,
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
    /// The Spaces that the actor may see, by default newest first.
    pub fn spaces(&self, actor: &Actor, filter: &SpaceFilter) -> ServiceResult<Vec<SpaceView>> {
        Ok(self.list(actor, filter, 0, usize::MAX)?.views)
    }

    /// A part of them. Only what is shown is looked at closely, so a page of a long list costs little more than one of a short.
    pub fn list(&self, actor: &Actor, filter: &SpaceFilter, skip: usize, limit: usize) -> ServiceResult<Listing> {
        let found = self.find(actor, filter)?;
        let total = found.len();
        let shown = found.into_iter().skip(skip).take(limit);
        let views = shown.map(|space| {
            let likes = self.like_count(space.id)?;
            self.listed(Space::clone(&space), likes)
        });
        Ok(Listing { total, views: views.collect::<ServiceResult<_>>()? })
    }

    /// The Spaces that the actor may see and that pass a filter, in its order.
    pub(super) fn find(&self, actor: &Actor, filter: &SpaceFilter) -> ServiceResult<Vec<Arc<Space>>> {
        let likes = match filter.sort {
            SortBy::Likes | SortBy::Trending => self.like_counts()?,
            SortBy::LastModified | SortBy::CreatedAt => HashMap::new(),
        };
        let linked = if filter.asks_for_linked() { self.all_linked()? } else { HashMap::new() };
        let rank = |space: &Space| {
            let likes = || likes.get(&space.id).copied().unwrap_or_default();
            match filter.sort {
                SortBy::LastModified => space.updated_at,
                SortBy::CreatedAt => space.created_at,
                SortBy::Likes => likes().total,
                SortBy::Trending => likes().recent,
            }
        };
        let is_seen = |space: &Space| can(actor, Action::See, Subject::of(space)).is_ok();
        let all = self.inner.db.all_spaces().map_err(read_failed)?;
        let mut found: Vec<(u64, Arc<Space>)> = all
            .iter()
            .filter(|space| filter.owner.as_ref().is_none_or(|owner| is_owner(space, owner)))
            .filter(|space| filter.hardware.as_ref().is_none_or(|hardware| space.hardware == *hardware))
            .filter(|space| is_seen(space))
            .filter(|space| {
                let manifest = || self.inner.fleet.manifest(space.id);
                filter.is_plain() || filter.matches(space, manifest().as_deref(), linked.get(&space.id))
            })
            .map(|space| (rank(space), space.clone()))
            .collect();
        found.sort_by(|(a_rank, a), (b_rank, b)| {
            let by_rank = if filter.is_ascending { a_rank.cmp(b_rank) } else { b_rank.cmp(a_rank) };
            by_rank.then_with(|| a.path.cmp(&b.path))
        });
        let mut found: Vec<Arc<Space>> = found.into_iter().map(|(_, space)| space).collect();
        if filter.is_pinned_first {
            // The order among the others stays.
            found.sort_by_cached_key(|space| {
                !self.inner.fleet.manifest(space.id).is_some_and(|manifest| manifest.is_pinned)
            });
        }
        Ok(found)
    }

    /// A Space with its repository at a revision, by default the deploy branch's head.
    pub async fn view(&self, actor: &Actor, path: &SpacePath, revision: Option<&str>) -> ServiceResult<SpaceView> {
        let space = self.space(actor, path, Action::See)?;
        let likes = self.like_count(space.id)?;
        self.with_repository(self.listed(space, likes)?, revision).await
    }

    /// A listed Space with its repository at a revision, by default the deploy branch's head.
    pub async fn with_repository(&self, listed: SpaceView, revision: Option<&str>) -> ServiceResult<SpaceView> {
        let space = &listed.space;
        let repo = self.inner.repos.repo(space.id);
        let oid = resolve(&repo, revision.unwrap_or("HEAD")).await?;
        // Each is a process of git: together they take the time of one.
        let read = async { tokio::try_join!(repo.log(oid, 1), repo.tree(oid), repo.read(oid, README)) };
        let (log, files, readme) = read.await.map_err(git_failed)?;
        let at = log.first().map_or(space.updated_at, |entry| entry.at);
        let large = self.pointers(space.id, &repo, &files.iter().collect::<Vec<_>>()).await?;
        let card = readme.and_then(|text| card_of(&text));
        let found = match self.inner.db.linked_repos().get(&space.id).map_err(read_failed)? {
            Some(kept) if kept.revision == oid => kept.linked,
            _ => of_revision(&repo, &files, &self.addresses().hub).await.map_err(git_failed)?,
        };
        let linked = found.with_card(&card_json(card.as_deref()));
        Ok(SpaceView { head: Some(Head { oid, at }), card, linked, files: Some(files), large, ..listed })
    }

    /// The path of the Space that answers at a subdomain, if the actor may see it.
    pub fn by_subdomain(&self, actor: &Actor, subdomain: &str) -> ServiceResult<SpacePath> {
        let id = self.inner.db.subdomains().get(&subdomain.to_owned()).map_err(read_failed)?.ok_or(Denied::Hidden)?;
        let space = self.inner.db.running_space(id).map_err(read_failed)?.ok_or(Denied::Hidden)?;
        Ok(self.space(actor, &space.path, Action::See)?.path)
    }

    /// What is known without a look into the repository: the card of the newest build.
    pub(super) fn listed(&self, space: Space, likes: LikeCount) -> ServiceResult<SpaceView> {
        let runtime = self.runtime_of(&space);
        let card = self.inner.fleet.manifest(space.id).map(|manifest| manifest.card.clone());
        let kept = self.inner.db.linked_repos().get(&space.id).map_err(read_failed)?;
        let linked = kept.map(|kept| kept.linked).unwrap_or_default().with_card(&card_json(card.as_deref()));
        Ok(SpaceView {
            sdk: runtime.sdk,
            app_url: self.addresses().app_url(&space.subdomain, runtime.sdk),
            head: None,
            card,
            linked,
            files: None,
            large: Default::default(),
            runtime,
            likes,
            // Whoever asks for them is told if this cannot be read.
            discussions_disabled: self.are_discussions_disabled(space.id).unwrap_or(false),
            space,
        })
    }

    /// What the code of every Space names, as far as it was read.
    fn all_linked(&self) -> ServiceResult<HashMap<SpaceId, Linked>> {
        let rows = self.inner.db.linked_repos().scan().map_err(read_failed)?;
        Ok(rows.into_iter().map(|(space, kept)| (space, kept.linked)).collect())
    }
}

impl SpaceFilter {
    /// Whether it asks nothing of what an author wrote.
    fn is_plain(&self) -> bool {
        self.tags.is_empty() && !self.asks_for_linked() && self.search.is_none()
    }

    /// Whether it asks what a Space uses.
    fn asks_for_linked(&self) -> bool {
        self.is_linked || !self.models.is_empty() || !self.datasets.is_empty()
    }

    /// Whether a Space passes, whose code names what is `found`.
    fn matches(&self, space: &Space, manifest: Option<&Manifest>, found: Option<&Linked>) -> bool {
        let is_found = self.search.as_ref().is_none_or(|search| {
            let search = search.to_lowercase();
            let title = manifest.and_then(|manifest| manifest.title.as_deref()).unwrap_or_default();
            space.path.key().contains(&search) || title.to_lowercase().contains(&search)
        });
        let sdk = manifest.map_or(space.sdk, |manifest| manifest.sdk);
        let tags: Vec<&String> = self.tags.iter().filter(|tag| tag.as_str() != sdk.as_str()).collect();
        if !is_found || (tags.is_empty() && !self.asks_for_linked()) {
            return is_found;
        }
        // Most front matters say nothing of it, which shows without reading them as JSON.
        let text = manifest.map_or("{}", |manifest| manifest.card.as_str());
        if !tags.iter().all(|word| may_hold(text, word)) {
            return false;
        }
        let lists: Lists = serde_json::from_str(text).unwrap_or_default();
        let written = texts_of(&lists.tags);
        tags.iter().all(|tag| written.contains(&tag.as_str()))
            && (!self.asks_for_linked() || self.fits(&found.cloned().unwrap_or_default().with_card(&lists.linked())))
    }

    /// Whether what a Space uses is what is asked for.
    fn fits(&self, linked: &Linked) -> bool {
        let has = |there: &[String], wanted: &[String]| wanted.iter().all(|id| there.contains(id));
        has(&linked.models, &self.models)
            && has(&linked.datasets, &self.datasets)
            && (!self.is_linked || !linked.is_empty())
    }
}

/// What of a front matter is asked for by filters; the rest is not made into values, since filters look at all Spaces.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Lists {
    tags: Value,
    models: Value,
    datasets: Value,
}

impl Lists {
    /// What names models and datasets, as a front matter has it.
    fn linked(&self) -> Card {
        [("models", &self.models), ("datasets", &self.datasets)]
            .map(|(key, list)| (key.to_owned(), list.clone()))
            .into_iter()
            .collect()
    }
}

/// Whether a text may be in JSON: not, if it is not there as it is and nothing of it would be escaped.
fn may_hold(json: &str, text: &str) -> bool {
    json.contains(text) || text.chars().any(|c| c.is_control() || matches!(c, '"' | '\\'))
}

impl SpaceView {
    /// The front matter as JSON, an object.
    pub fn card_json(&self) -> Card {
        card_json(self.card.as_deref())
    }

    /// The title in the front matter.
    pub fn title(&self) -> Option<String> {
        Some(self.card_json().get("title")?.as_str()?.to_owned())
    }

    /// The kind and the tags of the front matter.
    pub fn tags(&self) -> Vec<String> {
        let card = self.card_json();
        let written = texts(&card, "tags").into_iter().map(str::to_owned);
        std::iter::once(self.sdk.as_str().to_owned()).chain(written).collect()
    }
}

fn card_json(card: Option<&str>) -> Card {
    card.and_then(|card| serde_json::from_str(card).ok()).unwrap_or_default()
}

/// The texts of a list in a front matter.
fn texts<'a>(card: &'a Card, key: &str) -> Vec<&'a str> {
    card.get(key).map(texts_of).unwrap_or_default()
}

/// The texts in a list.
pub(super) fn texts_of(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str()).collect()
}

fn is_owner(space: &Space, owner: &OwnerName) -> bool {
    space.path.owner.as_str().eq_ignore_ascii_case(owner.as_str())
}
