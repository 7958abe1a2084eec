//! Finding Spaces by words: how well a Space fits is told by where the words of a query stand in what its author wrote.

use spaceport_core::permission::Actor;
use spaceport_core::space::Space;
use spaceport_core::stage::Stage;

use super::Control;
use super::error::ServiceResult;
use super::listing::SpaceFilter;
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
        let wanted: Vec<String> = words(&query.text).take(MAX_WORDS).collect();
        let filter = SpaceFilter { tags: query.tags.clone(), ..SpaceFilter::default() };
        let may_fit = |space: &Space| {
            let card = self.inner.fleet.manifest(space.id).map(|manifest| manifest.card.to_lowercase());
            let (card, key) = (card.unwrap_or_default(), space.path.key());
            // Text in JSON may be escaped, but not within a word.
            wanted.iter().any(|word| key.contains(word) || card.contains(word) || space.sdk.as_str().contains(word))
        };
        let mut found: Vec<(SpaceView, f64)> = self
            .find(actor, &filter)?
            .into_iter()
            .filter(|space| may_fit(space))
            .map(|space| {
                let likes = self.like_count(space.id)?;
                self.listed(Space::clone(&space), likes)
            })
            .collect::<ServiceResult<Vec<_>>>()?
            .into_iter()
            .filter(|view| query.sdk.as_deref().is_none_or(|sdk| view.sdk.as_str() == sdk))
            .filter(|view| query.is_any_stage || is_to_be_visited(view.runtime.stage))
            .map(|view| (relevance(&wanted, &fields(&view)), view))
            .filter(|(relevance, _)| *relevance > 0.0)
            .map(|(relevance, view)| (view, relevance))
            .collect();
        // Those that fit equally well stay in the order of the list, newest first.
        found.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        found.truncate(MAX_FOUND);
        Ok(found)
    }
}

/// Whether a visitor gets an answer: a sleeper wakes.
fn is_to_be_visited(stage: Stage) -> bool {
    matches!(stage, Stage::Running | Stage::RunningBuilding | Stage::RunningAppStarting | Stage::Sleeping)
}

/// What an author wrote, by weight.
fn fields(view: &SpaceView) -> Vec<(f64, String)> {
    let card = view.card_json();
    let text = |key: &str| card.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let texts = |key: &str| {
        let list = card.get(key).and_then(|value| value.as_array()).into_iter().flatten();
        list.filter_map(|value| value.as_str()).collect::<Vec<_>>().join(" ")
    };
    vec![
        (TITLE, text("title")),
        (TITLE, view.space.path.name.to_string()),
        (ABOUT, text("short_description")),
        (ABOUT, view.tags().join(" ")),
        (LINKED, view.space.path.owner.to_string()),
        (LINKED, texts("models")),
        (LINKED, texts("datasets")),
    ]
}

/// The weight of the best place of each word, as a part of the most they could have.
fn relevance(wanted: &[String], fields: &[(f64, String)]) -> f64 {
    if wanted.is_empty() {
        return 0.0;
    }
    let best = |word: &String| {
        let weights = fields.iter().flat_map(|(weight, text)| {
            words(text).map(move |found| match found.strip_prefix(word.as_str()) {
                Some("") => *weight,
                Some(_) => *weight * BEGINNING,
                None => 0.0,
            })
        });
        weights.fold(0.0, f64::max)
    };
    let most = TITLE * wanted.len() as f64;
    wanted.iter().map(best).sum::<f64>() / most
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_the_title_weigh_most_and_beginnings_half() {
        let fields = [(TITLE, "Image Upscaler".to_owned()), (ABOUT, "Sharper pictures".to_owned())];
        let relevance = |query: &str| relevance(&words(query).collect::<Vec<_>>(), &fields);
        assert_eq!(relevance("image"), 1.0);
        assert_eq!(relevance("IMAGE upscaler!"), 1.0);
        assert_eq!(relevance("up"), 0.5);
        assert!((relevance("pictures") - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(relevance("sound"), 0.0);
        assert_eq!(relevance(" ,. "), 0.0);
        assert!(relevance("image sound") < relevance("image"));
    }
}
