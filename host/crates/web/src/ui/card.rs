//! What a Space's front matter says of its looks, as far as it is known here.

use spaceport_control::service::SpaceView;
use spaceport_core::space::Visibility;

use super::shown::StageBadge;
use crate::api::time::iso;

/// Colours that a front matter may name; the style has each.
const COLOURS: [&str; 8] = ["red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"];
/// Who may see a Space, with what each means.
pub(super) const VISIBILITIES: [(&str, &str); 3] = [
    ("public", "Everybody sees the code and visits the app"),
    ("protected", "Everybody visits the app, the code is for its people"),
    ("private", "Only its people see it"),
];
/// What stands for a Space that has no emoji.
const NO_EMOJI: &str = "🚀";
/// Longest emoji, in characters: families of them are sequences.
const MAX_EMOJI: usize = 12;
/// Longest description on a card, in characters.
const MAX_DESCRIPTION: usize = 120;
/// Longest title, in characters.
const MAX_TITLE: usize = 80;

/// A Space on a page.
#[derive(Debug, Clone)]
pub(super) struct Card {
    /// Its path.
    pub(super) path: String,
    /// Who owns it.
    pub(super) owner: String,
    /// Its title, or its name.
    pub(super) title: String,
    /// What it is for, in a line.
    pub(super) description: String,
    /// Its emoji.
    pub(super) emoji: String,
    /// Where its gradient begins.
    pub(super) from: &'static str,
    /// Where it ends.
    pub(super) to: &'static str,
    /// Its owner wants it to be first.
    pub(super) is_pinned: bool,
    /// Not everybody sees it: `private` or `protected`.
    pub(super) limited: Option<&'static str>,
    /// How it is.
    pub(super) stage: StageBadge,
    /// Its kind.
    pub(super) sdk: String,
    /// Its hardware.
    pub(super) hardware: String,
    /// How many like it.
    pub(super) likes: u64,
    /// When it was changed last.
    pub(super) updated_at: String,
}

impl Card {
    /// The card of a Space.
    pub(super) fn of(view: &SpaceView) -> Self {
        let card = view.card_json();
        let text = |key: &str| card.get(key).and_then(|value| value.as_str()).unwrap_or_default();
        let colour = |key: &str, otherwise: usize| {
            let named = COLOURS.iter().find(|colour| **colour == text(key));
            // Without one, by the Space, so that not all look alike.
            named.copied().unwrap_or_else(|| {
                let path = view.space.path.to_string();
                let step = path.bytes().fold(otherwise, |step, byte| step.wrapping_mul(31).wrapping_add(byte.into()));
                COLOURS.get(step % COLOURS.len()).copied().unwrap_or("gray")
            })
        };
        let emoji = text("emoji").trim();
        let title = view.title().filter(|title| !title.trim().is_empty());
        Self {
            path: view.space.path.to_string(),
            owner: view.space.path.owner.to_string(),
            title: clipped(&title.unwrap_or_else(|| view.space.path.name.to_string()), MAX_TITLE),
            description: clipped(text("short_description"), MAX_DESCRIPTION),
            emoji: if emoji.is_empty() { NO_EMOJI.to_owned() } else { emoji.chars().take(MAX_EMOJI).collect() },
            from: colour("colorFrom", 1),
            to: colour("colorTo", 2),
            is_pinned: card.get("pinned").and_then(|value| value.as_bool()).unwrap_or(false),
            limited: match view.space.visibility {
                Visibility::Public => None,
                limited => Some(limited.as_str()),
            },
            stage: StageBadge(view.runtime.stage),
            sdk: view.sdk.as_str().to_owned(),
            hardware: view.runtime.hardware.clone(),
            likes: view.likes.total,
            updated_at: iso(view.space.updated_at),
        }
    }
}

fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default().trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_ends_with_a_sign() {
        assert_eq!(clipped("a b c", 5), "a b c");
        assert_eq!(clipped("äö ü", 3), "äö…");
    }
}
