//! The files of a Space's first commit. The README's front matter is written here, so that a new Space is never without
//! its configuration; a static Space serves a page at once, any other waits for its app.

use sha2::{Digest, Sha256};
use spaceport_core::name::SpacePath;
use spaceport_core::space::Sdk;

/// Emojis to choose from: each a single character, as the front matter asks for.
const EMOJIS: [&str; 12] = ["🚀", "🌍", "🌟", "🔭", "🦀", "🐍", "🌱", "🧭", "🎈", "🧩", "📡", "🪐"];
/// The colours of the front matter.
const COLORS: [&str; 8] = ["red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"];

/// Files are kept byte by byte: what is served is what was committed.
const GIT_ATTRIBUTES: &str = "# Files are kept as they are: no line ending is changed.\n* -text\n";

const INDEX_HTML: &str = include_str!("template/index.html");
const STYLE_CSS: &str = include_str!("template/style.css");

/// Path and content of each file.
pub(super) fn first_files(path: &SpacePath, sdk: Sdk, license: Option<&str>) -> Vec<(&'static str, String)> {
    let mut files = vec![(".gitattributes", GIT_ATTRIBUTES.to_owned()), ("README.md", readme(path, sdk, license))];
    if sdk == Sdk::Static {
        files.push(("index.html", INDEX_HTML.replace("{title}", &title(path))));
        files.push(("style.css", STYLE_CSS.to_owned()));
    }
    files
}

fn readme(path: &SpacePath, sdk: Sdk, license: Option<&str>) -> String {
    let digest = Sha256::digest(path.key().as_bytes());
    let pick = |index: usize, count: usize| usize::from(digest[index]) % count;
    let (emoji, from, to) = (EMOJIS[pick(0, 12)], COLORS[pick(1, 8)], COLORS[pick(2, 8)]);
    let entry = match sdk {
        Sdk::Wasm => "app_file: app.wasm\n",
        Sdk::Gradio => "app_file: app.py\n",
        Sdk::Static | Sdk::Docker | Sdk::Plugin(_) => "",
    };
    // Plain words only: anything else is not written into YAML.
    let license = license
        .filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')))
        .map(|text| format!("license: \"{text}\"\n"))
        .unwrap_or_default();
    // Quoted, since a name such as "1.5" or "true" would not be read as text.
    format!(
        "---\ntitle: \"{}\"\nemoji: {emoji}\ncolorFrom: {from}\ncolorTo: {to}\nsdk: {sdk}\n{entry}pinned: false\n{license}---\n",
        title(path),
        sdk = sdk.as_str(),
    )
}

/// `my-first_space` as `My First Space`.
fn title(path: &SpacePath) -> String {
    let words = path.name.as_str().split(['-', '_']).filter(|word| !word.is_empty());
    let capitalised = words.map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    capitalised.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use spaceport_core::manifest::Manifest;
    use spaceport_core::plugin::{PluginKind, Plugins};

    use super::*;

    fn file<'a>(files: &'a [(&str, String)], name: &str) -> Option<&'a str> {
        files.iter().find(|(path, _)| *path == name).map(|(_, content)| content.as_str())
    }

    #[test]
    fn a_static_space_starts_with_a_page_and_others_without() {
        let path: SpacePath = "ada/my-first_space".parse().unwrap();
        let files = first_files(&path, Sdk::Static, None);
        assert!(file(&files, "index.html").unwrap().contains("<h1>My First Space</h1>"));
        assert_eq!(files.len(), 4);
        assert_eq!(first_files(&path, Sdk::Wasm, None).len(), 2);
    }

    #[test]
    fn the_front_matter_is_valid_for_any_name() {
        for name in ["ada/1.5", "ada/true", "ada/_", "ada/x.y-z"] {
            let path: SpacePath = name.parse().unwrap();
            let plugin = PluginKind::new("markdown-demo", "index.md").unwrap();
            for sdk in Sdk::BUILT_IN.into_iter().chain([Sdk::Plugin(plugin.word)]) {
                let files = first_files(&path, sdk, Some("apache-2.0"));
                let readme = file(&files, "README.md").unwrap();
                let manifest =
                    Manifest::from_readme(readme.as_bytes(), Plugins::Only(std::slice::from_ref(&plugin))).unwrap();
                assert_eq!(manifest.sdk, sdk, "{readme}");
                assert!(manifest.card.contains("apache-2.0"), "{readme}");
            }
        }
    }
}
