//! Finding Spaces by words: how well a Space fits is told by where the words of a query stand in what its author wrote.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use spaceport_core::permission::Actor;
use spaceport_core::space::{Sdk, Space};
use spaceport_core::stage::Stage;

use super::Control;
use super::error::ServiceResult;
use super::listing::{SpaceFilter, texts_of};
use super::view::SpaceView;

/// Spaces that are found at most.
const MAX_FOUND: usize = 100;
/// Words of a query that count; nobody writes more.
const MAX_WORDS: usize = 32;
/// What a word weighs in the title, the most it can.
const TITLE: f64 = 3.0;
/// What it weighs in the description and the tags.
const ABOUT: f64 = 2.0;
/// What it weighs in names of owners, models and datasets.
const LINKED: f64 = 1.0;
/// The part of a weight that the beginning of a word counts.
const BEGINNING: f64 = 0.5;

/// A query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpaceQuery {
    /// What is looked for, in words.
    pub text: String,
    /// Tags that must be there.
    pub tags: Vec<String>,
    /// The kind that it must be of.
    pub sdk: Option<String>,
    /// Whether Spaces that do not run are found too.
    pub is_any_stage: bool,
}

impl Control {
    /// The Spaces that the actor may see and that fit a query, best first, each with how well: above 0, at most 1.
    pub fn search_spaces(&self, actor: &Actor, query: &SpaceQuery) -> ServiceResult<Vec<(SpaceView, f64)>> {
        let wanted: Vec<String> = words(&query.text).take(MAX_WORDS).map(Cow::into_owned).collect();
        let filter = SpaceFilter { tags: query.tags.clone(), ..SpaceFilter::default() };
        let found = self.find(actor, &filter)?.into_iter();
        let mut found: Vec<(f64, Arc<Space>)> =
            found.filter_map(|space| Some((self.fit(query, &wanted, &space)?, space))).collect();
        // Those that fit equally well stay in the order of the list, newest first.
        found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        found.truncate(MAX_FOUND);
        let view = |(relevance, space): (f64, Arc<Space>)| {
            let likes = self.like_count(space.id)?;
            Ok((self.listed(Space::clone(&space), likes)?, relevance))
        };
        found.into_iter().map(view).collect()
    }

    /// How well a Space fits a query of these words; `None` if it does not. Asked of every Space, so what costs least comes
    /// first.
    fn fit(&self, query: &SpaceQuery, wanted: &[String], space: &Space) -> Option<f64> {
        let manifest = self.inner.fleet.manifest(space.id);
        let sdk = manifest.as_ref().map_or(space.sdk, |manifest| manifest.sdk);
        let card = manifest.as_ref().map_or("{}", |manifest| manifest.card.as_str());
        let is_of_kind = query.sdk.as_deref().is_none_or(|kind| sdk.as_str() == kind);
        let is_visited = || query.is_any_stage || self.inner.fleet.stage(space.id).is_some_and(is_to_be_visited);
        if !is_of_kind || !may_fit(wanted, space, sdk, card) || !is_visited() {
            return None;
        }
        let relevance = relevance(wanted, &fields(space, sdk, card));
        (relevance > 0.0).then_some(relevance)
    }
}

/// Whether one of these words is anywhere in what is known of a Space. Text in JSON may be escaped, but not within a word.
fn may_fit(wanted: &[String], space: &Space, sdk: Sdk, card: &str) -> bool {
    let key = space.path.key();
    let is_in =
        |card: &str| wanted.iter().any(|word| card.contains(word) || key.contains(word) || sdk.as_str().contains(word));
    is_in(card) || is_in(&card.to_lowercase())
}

/// Whether a visitor gets an answer: a sleeper wakes.
fn is_to_be_visited(stage: Stage) -> bool {
    matches!(stage, Stage::Running | Stage::RunningBuilding | Stage::RunningAppStarting | Stage::Sleeping)
}

/// What of a front matter is looked through; the rest is not made into values, since a query looks at all Spaces.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    title: Value,
    short_description: Value,
    tags: Value,
    models: Value,
    datasets: Value,
}

/// What an author wrote, by weight.
fn fields(space: &Space, sdk: Sdk, card: &str) -> Vec<(f64, String)> {
    let written: Written = serde_json::from_str(card).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| texts_of(value).join(" ");
    vec![
        (TITLE, text(&written.title)),
        (TITLE, space.path.name.to_string()),
        (ABOUT, text(&written.short_description)),
        (ABOUT, sdk.as_str().to_owned()),
        (ABOUT, list(&written.tags)),
        (LINKED, space.path.owner.to_string()),
        (LINKED, list(&written.models)),
        (LINKED, list(&written.datasets)),
    ]
}

/// The weight of the best place of each word, as a part of the most they could have.
fn relevance(wanted: &[String], fields: &[(f64, String)]) -> f64 {
    if wanted.is_empty() {
        return 0.0;
    }
    let mut best = vec![0.0_f64; wanted.len()];
    for (weight, found) in fields.iter().flat_map(|(weight, text)| words(text).map(move |found| (*weight, found))) {
        for (word, best) in wanted.iter().zip(&mut best) {
            let counts = match found.strip_prefix(word.as_str()) {
                Some("") => weight,
                Some(_) => weight * BEGINNING,
                None => 0.0,
            };
            *best = best.max(counts);
        }
    }
    best.iter().sum::<f64>() / (TITLE * wanted.len() as f64)
}

/// The words of a text, in lower case.
fn words(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let found = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    found.map(|word| match word.chars().any(char::is_uppercase) {
        true => word.to_lowercase().into(),
        false => word.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_the_title_weigh_most_and_beginnings_half() {
        let fields = [(TITLE, "Image Upscaler".to_owned()), (ABOUT, "Sharper pictures".to_owned())];
        let relevance = |query: &str| relevance(&words(query).map(Cow::into_owned).collect::<Vec<_>>(), &fields);
        assert_eq!(relevance("image"), 1.0);
        assert_eq!(relevance("IMAGE upscaler!"), 1.0);
        assert_eq!(relevance("up"), 0.5);
        assert!((relevance("pictures") - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(relevance("sound"), 0.0);
        assert_eq!(relevance(" ,. "), 0.0);
        assert!(relevance("image sound") < relevance("image"));
    }
}
