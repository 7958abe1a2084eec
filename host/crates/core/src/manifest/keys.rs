//! The keys of a front matter, one by one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::fields::{Fields, kind};
use super::{
    DEFAULT_APP_PORT, DEFAULT_OAUTH_MINUTES, DEFAULT_STARTUP, Isolation, MAX_OAUTH_MINUTES, MAX_SHORT_DESCRIPTION,
    Manifest, OauthManifest, WasmManifest, words,
};
use crate::egress::EgressRule;
use crate::plugin::Plugins;
use crate::space::Sdk;

/// For a front matter that is a text or a list.
pub(super) const NOT_KEYS: &str =
    "the front matter is no group of keys: write one key with its value on each line, such as \"sdk: static\"";

const COLORS: [&str; 8] = ["red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"];

/// The headers an author may set, with the values each may have.
const HEADERS: [(&str, &[&str]); 3] = [
    ("cross-origin-embedder-policy", &["unsafe-none", "require-corp", "credentialless"]),
    ("cross-origin-opener-policy", &["same-origin", "same-origin-allow-popups", "unsafe-none"]),
    ("cross-origin-resource-policy", &["same-site", "same-origin", "cross-origin"]),
];

const WASM_KEYS: [&str; 3] = ["isolation", "egress", "timeout"];

/// Reads every key; all mistakes, if there are any.
pub(super) fn read(card: Map<String, Value>, plugins: Plugins<'_>) -> Result<Manifest, Vec<String>> {
    let mut fields = Fields::new(&card, "");
    let sdk = sdk(&mut fields, plugins);
    check_presentation(&mut fields);
    check_hints(&mut fields);
    let (python_version, sdk_version) = versions(&mut fields);
    let manifest = Manifest {
        sdk: sdk.unwrap_or(Sdk::Static),
        title: fields.text("title").map(str::to_owned),
        app_file: app_file(&mut fields, sdk, plugins),
        app_port: app_port(&mut fields),
        python_version,
        sdk_version,
        app_build_command: fields.text("app_build_command").map(str::to_owned),
        custom_headers: custom_headers(&mut fields),
        is_pinned: fields.flag("pinned").unwrap_or(false),
        disable_embedding: fields.flag("disable_embedding").unwrap_or(false),
        startup_timeout: duration(&mut fields, "startup_duration_timeout").unwrap_or(DEFAULT_STARTUP),
        oauth: oauth(&mut fields),
        wasm: wasm(&mut fields),
        card: String::new(),
    };
    if fields.problems.is_empty() {
        Ok(Manifest { card: Value::Object(card).to_string(), ..manifest })
    } else {
        Err(fields.problems)
    }
}

fn sdk(fields: &mut Fields<'_>, plugins: Plugins<'_>) -> Option<Sdk> {
    let offered = Sdk::offered_words(plugins);
    if fields.get("sdk").is_none() {
        fields.problem("sdk", format_args!("is missing: write the kind of Space this is, one of {offered}"));
        return None;
    }
    let text = fields.text("sdk")?;
    let sdk = Sdk::offered(text, plugins);
    match text {
        _ if sdk.is_some() => {}
        "streamlit" => fields.problem(
            "sdk",
            "\"streamlit\" is not offered any more: write \"docker\", with a Dockerfile that runs streamlit on port 7860",
        ),
        _ => fields.problem("sdk", format_args!("{text:?} is not offered here: write one of {offered}")),
    }
    sdk
}

/// How the Space is shown. Checked here, used from the card.
fn check_presentation(fields: &mut Fields<'_>) {
    if let Some(emoji) = fields.text("emoji")
        && !words::is_emoji(emoji)
    {
        fields.problem("emoji", format_args!("is {emoji:?}: write one emoji and nothing else"));
    }
    fields.one_of("colorFrom", &COLORS);
    fields.one_of("colorTo", &COLORS);
    fields.one_of("header", &["mini", "default"]);
    fields.flag("fullWidth");
    if let Some(text) = fields.text("short_description")
        && text.chars().count() > MAX_SHORT_DESCRIPTION
    {
        let length = text.chars().count();
        fields.problem(
            "short_description",
            format_args!("has {length} characters: write at most {MAX_SHORT_DESCRIPTION}"),
        );
    }
    if let Some(path) = fields.text("base_path")
        && (!path.starts_with('/') || path.starts_with("//") || path.chars().any(char::is_control))
    {
        fields.problem("base_path", format_args!("is {path:?}: write a path that starts with one \"/\""));
    }
    if let Some(thumbnail) = fields.text("thumbnail")
        && let Ok(url) = url::Url::parse(thumbnail)
        && !matches!(url.scheme(), "http" | "https")
    {
        fields.problem("thumbnail", "write an address that starts with https://, or a path in the repository");
    }
    for key in ["metaTitle", "description"] {
        fields.text(key);
    }
}

/// What the author says about the Space that nothing here acts on.
fn check_hints(fields: &mut Fields<'_>) {
    for key in ["models", "datasets", "tags", "preload_from_hub"] {
        fields.texts(key);
    }
    fields.text_or_texts("license");
    for key in ["suggested_hardware", "suggested_storage", "duplicated_from", "dev-mode-folder"] {
        fields.text(key);
    }
}

/// Versions of Python and of the SDK, which YAML reads as numbers unless they are quoted: `3.10` then is `3.1`.
fn versions(fields: &mut Fields<'_>) -> (Option<String>, Option<String>) {
    let python = version(fields, "python_version");
    if let Some(version) = &python
        && !words::is_python_version(version)
    {
        fields.problem("python_version", format_args!("is {version}: write a version in quotes, such as \"3.12\""));
    }
    let sdk = version(fields, "sdk_version");
    if let Some(version) = &sdk
        && !words::is_version(version)
    {
        fields.problem("sdk_version", format_args!("is {version:?}: write a version in quotes, such as \"5.23.1\""));
    }
    (python, sdk)
}

/// A version as text. A number is taken for one as long as it cannot have lost a zero.
fn version(fields: &mut Fields<'_>, key: &str) -> Option<String> {
    match fields.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => {
            let text = number.to_string();
            let minor = text.split_once('.').map_or("", |(_, minor)| minor);
            // Of Python 3.2 and later with one digit, none can be meant but itself.
            let has_lost_a_zero = minor.len() == 1 && (key != "python_version" || minor == "1");
            if !has_lost_a_zero {
                return Some(text);
            }
            let what = format!("is read as the number {text}: write it in quotes, \"{text}0\" or \"{text}\"");
            fields.problem(key, what);
            None
        }
        other => {
            let kind = kind(other);
            fields.problem(key, format_args!("is {kind}: write a version in quotes, such as \"3.12\""));
            None
        }
    }
}

fn app_file(fields: &mut Fields<'_>, sdk: Option<Sdk>, plugins: Plugins<'_>) -> String {
    let default = match sdk {
        None | Some(Sdk::Static) => "index.html",
        Some(Sdk::Wasm) => "app.wasm",
        Some(Sdk::Gradio) => "app.py",
        Some(Sdk::Docker) => "Dockerfile",
        // Of a plugin that is not here nothing is known, but every Space has this one.
        Some(Sdk::Plugin(word)) => plugins.find(word).map_or("README.md", |kind| kind.app_file.as_str()),
    };
    let Some(text) = fields.text("app_file") else { return default.to_owned() };
    match words::relative_path(text) {
        Some(_) if sdk == Some(Sdk::Docker) => default.to_owned(),
        Some(path) => path,
        None => {
            fields.problem(
                "app_file",
                format_args!("is {text:?}: write the path of a file in the repository, such as {default:?}"),
            );
            default.to_owned()
        }
    }
}

fn app_port(fields: &mut Fields<'_>) -> u16 {
    fields.number("app_port", u32::from(u16::MAX)).and_then(|port| u16::try_from(port).ok()).unwrap_or(DEFAULT_APP_PORT)
}

fn duration(fields: &mut Fields<'_>, key: &str) -> Option<Duration> {
    const EXAMPLE: &str = "write a time with its unit, such as 30s, 30m or 1h, at most a day";
    match fields.get(key)? {
        Value::String(text) => {
            let duration = words::duration(text);
            if duration.is_none() {
                fields.problem(key, format_args!("is {text:?}: {EXAMPLE}"));
            }
            duration
        }
        other => {
            let kind = kind(other);
            fields.problem(key, format_args!("is {kind}: {EXAMPLE}"));
            None
        }
    }
}

fn custom_headers(fields: &mut Fields<'_>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (name, value) in fields.group("custom_headers").into_iter().flatten() {
        let key = format!("custom_headers.{name}");
        let Some((_, values)) = HEADERS.iter().find(|(known, _)| known == name) else {
            let names = HEADERS.map(|(known, _)| known).join(", ");
            fields.problem(&key, format_args!("cannot be set: write one of {names}, in lower case"));
            continue;
        };
        match value.as_str() {
            Some(value) if values.contains(&value) => {
                headers.insert(name.clone(), value.to_owned());
            }
            _ => fields.problem(&key, format_args!("write one of {}, in lower case", values.join(", "))),
        }
    }
    headers
}

fn oauth(fields: &mut Fields<'_>) -> Option<OauthManifest> {
    let is_on = fields.flag("hf_oauth").unwrap_or(false);
    let own = |texts: Option<Vec<&str>>| texts.unwrap_or_default().into_iter().map(str::to_owned).collect();
    let oauth = OauthManifest {
        scopes: own(fields.texts("hf_oauth_scopes")),
        expiration_minutes: fields
            .number("hf_oauth_expiration_minutes", MAX_OAUTH_MINUTES)
            .unwrap_or(DEFAULT_OAUTH_MINUTES),
        authorized_orgs: own(fields.text_or_texts("hf_oauth_authorized_org")),
    };
    is_on.then_some(oauth)
}

fn wasm(fields: &mut Fields<'_>) -> WasmManifest {
    let Some(map) = fields.group("wasm") else { return WasmManifest::default() };
    let mut below = Fields::new(map, "wasm.");
    let wasm = wasm_keys(&mut below);
    fields.problems.append(&mut below.problems);
    wasm
}

fn wasm_keys(fields: &mut Fields<'_>) -> WasmManifest {
    for key in fields.keys().filter(|key| !WASM_KEYS.contains(key)) {
        let nearest = WASM_KEYS.into_iter().max_by(|a, b| strsim::jaro(a, key).total_cmp(&strsim::jaro(b, key)));
        let nearest = nearest.unwrap_or_default();
        fields.problem(key, format_args!("is not known: did you mean {nearest}? Known are {}", WASM_KEYS.join(", ")));
    }
    let isolation = match fields.one_of("isolation", &["shared", "request"]) {
        Some("request") => Isolation::Request,
        _ => Isolation::Shared,
    };
    WasmManifest { isolation, egress: egress(fields), timeout: duration(fields, "timeout") }
}

fn egress(fields: &mut Fields<'_>) -> Option<Vec<EgressRule>> {
    let texts = fields.texts("egress")?;
    let mut rules = Vec::with_capacity(texts.len());
    for text in texts {
        match EgressRule::parse(text) {
            Ok(rule) => rules.push(rule),
            Err(error) => fields.problem("egress", format_args!("{text:?}: {}", error.reason)),
        }
    }
    Some(rules)
}
