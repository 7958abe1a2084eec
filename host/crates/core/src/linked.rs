//! The models and datasets that a Space uses: what its front matter lists, and where that lists none, what its code names.
//!
//! Code is read for links to hubs, wherever they stand, and for the arguments of calls that load something by its id. It is
//! read as text and never run, so what is found is what a reader would see: an id that is put together at run time is not.
//! Files may be hostile: every step is linear, and everything that grows has a limit.

mod calls;
mod links;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::name::{SpaceName, SpacePath};

/// Files of a revision that are read: the code of an app, not of a library.
pub const MAX_FILES: usize = 200;
/// Largest file that is read, in bytes: what people write by hand is smaller.
pub const MAX_FILE: u64 = 256 << 10;
/// Bytes of all files that are read together: a build should not notice them.
pub const MAX_TOTAL: u64 = 4 << 20;
/// Ids of a kind that are kept: pages show a few.
pub const MAX_IDS: usize = 100;

/// Files of models and data, which a local path may name where an id could stand.
const FILE_ENDINGS: [&str; 18] = [
    ".bin",
    ".ckpt",
    ".csv",
    ".gguf",
    ".h5",
    ".json",
    ".jsonl",
    ".onnx",
    ".parquet",
    ".pkl",
    ".pt",
    ".pth",
    ".py",
    ".safetensors",
    ".txt",
    ".yaml",
    ".yml",
    ".zip",
];

/// Ids of models and datasets, each once, in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Linked {
    /// Of models.
    pub models: Vec<String>,
    /// Of datasets.
    pub datasets: Vec<String>,
}

/// What an id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Model,
    Dataset,
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Python,
    Settings,
    Page,
}

/// Whether a file is read at all.
pub fn is_read(path: &str, size: u64) -> bool {
    size <= MAX_FILE && syntax(path).is_some()
}

impl Linked {
    /// Adds what a file names. `hub` is the authority of this hub, whose links count as those of the Hub do.
    pub fn read(&mut self, path: &str, text: &str, hub: &str) {
        let Some(syntax) = syntax(path).filter(|_| text.len() as u64 <= MAX_FILE) else { return };
        links::read(text, hub, self);
        match syntax {
            Syntax::Python | Syntax::Page => calls::read(text, syntax, self),
            Syntax::Settings => read_settings(text, self),
        }
    }

    /// What a front matter lists, and of the kinds that it does not list, what was found in code.
    pub fn with_card(&self, card: &Map<String, Value>) -> Self {
        let listed = |key: &str| {
            let list = card.get(key)?.as_array()?;
            Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        };
        Self {
            models: listed("models").unwrap_or_else(|| self.models.clone()),
            datasets: listed("datasets").unwrap_or_else(|| self.datasets.clone()),
        }
    }

    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty() && self.datasets.is_empty()
    }

    fn add(&mut self, kind: Kind, id: &str) {
        let list = match kind {
            Kind::Model => &mut self.models,
            Kind::Dataset => &mut self.datasets,
        };
        if list.len() < MAX_IDS && list.iter().all(|there| there != id) {
            list.push(id.to_owned());
        }
    }
}

fn syntax(path: &str) -> Option<Syntax> {
    match path.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
        "py" => Some(Syntax::Python),
        "ini" => Some(Syntax::Settings),
        "html" => Some(Syntax::Page),
        _ => None,
    }
}

/// The text, if it is an id of the form `owner/name`. A single word is none: it may as well be a local folder.
fn as_id(text: &str) -> Option<&str> {
    let path: SpacePath = text.parse().ok()?;
    let name = path.name.as_str().to_ascii_lowercase();
    let is_file = FILE_ENDINGS.iter().any(|ending| name.ends_with(ending));
    let is_id = !is_file && !links::is_reserved(path.owner.as_str());
    is_id.then_some(text)
}

/// Reads settings: values of keys that speak of models or datasets.
fn read_settings(text: &str, into: &mut Linked) {
    for line in text.lines() {
        let line = line.trim_start();
        if line.starts_with(['#', ';', '[']) {
            continue;
        }
        let Some((key, value)) = line.split_once(['=', ':']) else { continue };
        let key = key.to_ascii_lowercase();
        let kind = match () {
            () if key.contains("dataset") => Kind::Dataset,
            () if key.contains("model") => Kind::Model,
            () => continue,
        };
        for id in value.split([' ', '\t', ',', '"', '\'']).filter_map(as_id) {
            into.add(kind, id);
        }
    }
}

/// Whether a text can be the name of something without an owner.
fn is_name(text: &str) -> bool {
    text.parse::<SpaceName>().is_ok()
}
