//! Front matters and what is read from them, or said about them.

use proptest::prelude::*;

use super::*;

const NO_PLUGINS: Plugins<'static> = Plugins::Only(&[]);

fn read(front_matter: &str) -> Result<Manifest, ManifestError> {
    read_with(front_matter, NO_PLUGINS)
}

fn read_with(front_matter: &str, plugins: Plugins<'_>) -> Result<Manifest, ManifestError> {
    Manifest::from_readme(format!("---\n{front_matter}\n---\n# Title\n").as_bytes(), plugins)
}

/// The one mistake in a front matter that is right otherwise.
fn problem(lines: &str) -> String {
    match read(&format!("sdk: static\n{lines}")) {
        Err(ManifestError::Invalid(problems)) if problems.len() == 1 => problems[0].clone(),
        other => panic!("{lines:?} should hold one mistake: {other:?}"),
    }
}

#[test]
fn the_least_is_an_sdk() {
    let manifest = read("sdk: static").unwrap();
    assert_eq!((manifest.sdk, manifest.app_file.as_str(), manifest.app_port), (Sdk::Static, "index.html", 7860));
    assert_eq!((manifest.title, manifest.oauth, manifest.disable_embedding), (None, None, false));
    assert_eq!(manifest.startup_timeout, Duration::from_secs(1800));
    assert_eq!(manifest.wasm, WasmManifest::default());
    assert_eq!(manifest.card, r#"{"sdk":"static"}"#);
    for (sdk, app_file) in [("wasm", "app.wasm"), ("gradio", "app.py"), ("docker", "Dockerfile")] {
        assert_eq!(read(&format!("sdk: {sdk}")).unwrap().app_file, app_file);
    }
}

#[test]
fn every_key_is_read() {
    let manifest = read(
        "title: My Space\nemoji: 🚀\ncolorFrom: red\ncolorTo: gray\nsdk: wasm\nsdk_version: 5.23.1\npython_version: \"3.10\"\n\
         app_file: ./build/app.wasm\napp_build_command: make\napp_port: 8080\nbase_path: /start\nfullWidth: false\nheader: mini\n\
         short_description: Short\nmodels: [a/b]\ndatasets: [c/d]\ntags: [mcp-server]\nthumbnail: https://example.org/x.png\n\
         pinned: true\nlicense: mit\nsuggested_hardware: t4-small\nsuggested_storage: small\npreload_from_hub:\n  - a/b f1,f2 abc\n\
         startup_duration_timeout: 1h\ncustom_headers:\n  cross-origin-embedder-policy: require-corp\n  cross-origin-opener-policy: same-origin\n\
         disable_embedding: true\nhf_oauth: true\nhf_oauth_scopes: [email]\nhf_oauth_expiration_minutes: 60\n\
         hf_oauth_authorized_org: acme\nduplicated_from: x/y\ndev-mode-folder: /app\nmetaTitle: t\ndescription: d\n\
         wasm:\n  isolation: request\n  egress: [https://api.example.org, example.net]\n  timeout: 5s\nmine: {anything: [1, two]}",
    )
    .unwrap();
    assert_eq!((manifest.sdk, manifest.title.as_deref()), (Sdk::Wasm, Some("My Space")));
    assert_eq!((manifest.app_file.as_str(), manifest.app_port), ("build/app.wasm", 8080));
    assert_eq!(manifest.app_build_command.as_deref(), Some("make"));
    assert_eq!(manifest.startup_timeout, Duration::from_secs(3600));
    assert!(manifest.disable_embedding);
    let headers: Vec<_> = manifest.custom_headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        headers,
        [("cross-origin-embedder-policy", "require-corp"), ("cross-origin-opener-policy", "same-origin")]
    );
    let oauth =
        OauthManifest { scopes: vec!["email".into()], expiration_minutes: 60, authorized_orgs: vec!["acme".into()] };
    assert_eq!(manifest.oauth, Some(oauth));
    let egress = ["https://api.example.org", "example.net"].map(|rule| EgressRule::parse(rule).unwrap()).to_vec();
    let wasm =
        WasmManifest { isolation: Isolation::Request, egress: Some(egress), timeout: Some(Duration::from_secs(5)) };
    assert_eq!(manifest.wasm, wasm);
    let card: Value = serde_json::from_str(&manifest.card).unwrap();
    assert_eq!(card["mine"]["anything"], serde_json::json!([1, "two"]));
}

#[test]
fn a_key_without_a_value_is_left_out() {
    let manifest = read("sdk: static\ntitle:\nwasm:\ncustom_headers:\napp_file: ~").unwrap();
    assert_eq!((manifest.title, manifest.app_file.as_str()), (None, "index.html"));
}

#[test]
fn an_empty_egress_list_is_nowhere() {
    assert_eq!(read("sdk: wasm\nwasm: {egress: []}").unwrap().wasm.egress, Some(vec![]));
    assert_eq!(read("sdk: wasm\nwasm: {}").unwrap().wasm.egress, None);
}

#[test]
fn without_a_front_matter_the_configuration_is_missing() {
    for readme in ["", "# Title\n", "---\nsdk: static\n", "---\n---\n", "---\n# nothing\n---\n"] {
        let error = Manifest::from_readme(readme.as_bytes(), NO_PLUGINS).unwrap_err();
        assert_eq!(error, ManifestError::Missing);
        assert!(error.to_string().starts_with("Missing configuration in README"));
    }
}

#[test]
fn windows_files_are_read_too() {
    let readme = b"\xef\xbb\xbf---\r\nsdk: static\r\ntitle: Hi\r\n---\r\ntext";
    let manifest = Manifest::from_readme(readme, NO_PLUGINS).unwrap();
    assert_eq!(manifest.title.as_deref(), Some("Hi"));
}

#[test]
fn every_mistake_says_what_to_write() {
    for (lines, words) in [
        ("title: 42", vec!["title:", "in quotes", "\"42\""]),
        ("title: [a]", vec!["title:", "a list", "write text"]),
        ("title: true", vec!["title:", "in quotes"]),
        ("emoji: rocket", vec!["emoji:", "one emoji"]),
        ("colorFrom: orange", vec!["colorFrom:", "\"orange\"", "red, yellow, green, blue, indigo, purple, pink, gray"]),
        ("colorTo: Red", vec!["colorTo:", "red, yellow"]),
        ("header: big", vec!["header:", "mini, default"]),
        ("fullWidth: \"yes\"", vec!["fullWidth:", "true or false"]),
        ("pinned: 1", vec!["pinned:", "true or false"]),
        ("base_path: start", vec!["base_path:", "starts with one \"/\""]),
        ("base_path: //evil.example", vec!["base_path:", "starts with one \"/\""]),
        ("thumbnail: \"javascript:alert(1)\"", vec!["thumbnail:", "https://"]),
        ("models: a/b", vec!["models:", "write a list"]),
        ("tags: [1]", vec!["tags:", "holds more than text", "write a list"]),
        ("license: {a: b}", vec!["license:", "write a list"]),
        ("suggested_hardware: 4", vec!["suggested_hardware:", "in quotes"]),
        ("app_file: ../x", vec!["app_file:", "path of a file in the repository"]),
        ("app_file: /etc/passwd", vec!["app_file:", "path of a file in the repository"]),
        ("app_port: 0", vec!["app_port:", "from 1 to 65535"]),
        ("app_port: 70000", vec!["app_port: is 70000", "from 1 to 65535"]),
        ("app_port: \"80\"", vec!["app_port: is text", "from 1 to 65535"]),
        ("app_port: 80.5", vec!["app_port:", "whole number"]),
        ("startup_duration_timeout: 30", vec!["startup_duration_timeout: is a number", "30m"]),
        ("startup_duration_timeout: soon", vec!["startup_duration_timeout:", "1h"]),
        ("custom_headers: none", vec!["custom_headers: is text", "keys below it"]),
        (
            "custom_headers: {x-frame-options: deny}",
            vec!["custom_headers.x-frame-options:", "cross-origin-embedder-policy"],
        ),
        (
            "custom_headers: {Cross-Origin-Opener-Policy: same-origin}",
            vec!["custom_headers.Cross-Origin-Opener-Policy:", "lower case"],
        ),
        (
            "custom_headers: {cross-origin-opener-policy: Same-Origin}",
            vec!["custom_headers.cross-origin-opener-policy:", "same-origin-allow-popups"],
        ),
        ("hf_oauth: on", vec!["hf_oauth:", "true or false"]),
        ("hf_oauth_scopes: email", vec!["hf_oauth_scopes:", "write a list"]),
        ("hf_oauth_expiration_minutes: 50000", vec!["hf_oauth_expiration_minutes:", "43200"]),
        ("wasm: shared", vec!["wasm: is text", "keys below it"]),
        ("wasm: {isolation: none}", vec!["wasm.isolation:", "shared, request"]),
        ("wasm: {isolaton: shared}", vec!["wasm.isolaton:", "did you mean isolation?", "isolation, egress, timeout"]),
        ("wasm: {timeout: 30}", vec!["wasm.timeout:", "30s"]),
        ("wasm: {egress: https://example.org}", vec!["wasm.egress: is text", "write a list"]),
        ("wasm: {egress: [\"ftp://example.org\"]}", vec!["wasm.egress: \"ftp://example.org\"", "http://"]),
        ("wasm: {egress: [\"example.org:22\"]}", vec!["wasm.egress:", "80, 443 and 8080"]),
    ] {
        let problem = problem(lines);
        for word in words {
            assert!(problem.contains(word), "{lines:?}: {problem:?} lacks {word:?}");
        }
    }
}

#[test]
fn a_short_description_has_sixty_characters() {
    assert!(read(&format!("sdk: static\nshort_description: {}", "ü".repeat(60))).is_ok());
    let problem = problem(&format!("short_description: {}", "ü".repeat(61)));
    assert!(problem.contains("61 characters") && problem.contains("at most 60"), "{problem}");
}

#[test]
fn an_unknown_sdk_lists_what_is_offered() {
    let message = |sdk: &str| read(&format!("sdk: {sdk}")).unwrap_err().to_string();
    assert_eq!(message("flask"), "sdk: \"flask\" is not offered here: write one of static, wasm, docker, gradio");
    assert!(message("streamlit").contains("\"docker\", with a Dockerfile"));
    assert!(message("42").contains("in quotes"));
    assert!(read("title: x").unwrap_err().to_string().contains("sdk: is missing"));
}

#[test]
fn the_words_of_plugins_are_offered_where_the_plugins_are() {
    use crate::plugin::PluginKind;
    let here = [PluginKind::new("markdown", "index.md").unwrap(), PluginKind::new("slides", "deck.md").unwrap()];
    let manifest = read_with("sdk: slides", Plugins::Only(&here)).unwrap();
    assert_eq!((manifest.sdk.as_str(), manifest.app_file.as_str()), ("slides", "deck.md"));
    assert!(manifest.sdk.is_plugin() && !manifest.sdk.is_container());
    assert_eq!(read_with("sdk: slides\napp_file: a.md", Plugins::Only(&here)).unwrap().app_file, "a.md");
    let error = read_with("sdk: sildes", Plugins::Only(&here)).unwrap_err();
    let offered = "write one of static, wasm, docker, gradio, markdown, slides";
    assert_eq!(error.to_string(), format!("sdk: \"sildes\" is not offered here: {offered}"));
    // What was built before its plugin went, and what a host that is not asked yet may have.
    let manifest = read_with("sdk: gone", Plugins::Any(&here)).unwrap();
    assert_eq!((manifest.sdk.as_str(), manifest.app_file.as_str()), ("gone", "README.md"));
    assert_eq!(read_with("sdk: slides", Plugins::Any(&here)).unwrap().app_file, "deck.md");
    for word in ["streamlit", "Upper"] {
        assert!(read_with(&format!("sdk: {word}"), Plugins::Any(&here)).is_err(), "{word}");
    }
}

#[test]
fn versions_that_lost_a_zero_are_found() {
    for lines in ["python_version: 3.10", "python_version: 3.1", "sdk_version: 4.10", "sdk_version: 5.2"] {
        assert!(problem(lines).contains("in quotes"), "{lines}");
    }
    for lines in [
        "python_version: 3.12",
        "python_version: 3.9",
        "python_version: \"3.10\"",
        "sdk_version: 4.44",
        "sdk_version: 4.44.1",
        "sdk_version: 5",
    ] {
        assert!(read(&format!("sdk: gradio\n{lines}")).is_ok(), "{lines}");
    }
    assert!(problem("python_version: 2.7").contains("such as \"3.12\""));
    assert!(problem("python_version: [3]").contains("such as \"3.12\""));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let error = read("sdk: flask\ncolorFrom: x\ncolorTo: y\nwasm: {a: 1, timeout: x}").unwrap_err();
    let ManifestError::Invalid(problems) = &error else { panic!("{error:?}") };
    assert_eq!(problems.len(), 5, "{problems:?}");
    assert_eq!(error.to_string().lines().count(), 5);
}

#[test]
fn what_is_no_group_of_keys_is_refused() {
    for block in ["just text", "- a\n- b", "42"] {
        assert!(
            matches!(read(block), Err(ManifestError::Invalid(problems)) if problems[0].contains("group of keys")),
            "{block}"
        );
    }
    assert!(matches!(read("a: [b"), Err(ManifestError::Invalid(problems)) if problems[0].contains("YAML")));
}

proptest! {
    #[test]
    fn no_readme_panics(text in "(---\n)?(.|\n){0,200}(\n---\n)?") {
        let _ = Manifest::from_readme(text.as_bytes(), NO_PLUGINS);
    }

    #[test]
    fn no_value_of_a_key_panics(key in "(sdk|app_file|emoji|wasm|custom_headers|python_version|app_port)", value in "[ -~äöü🚀]{0,30}") {
        if let Ok(manifest) = read(&format!("sdk: static\n{key}2: 1\n{key}: {value}")) {
            let parsed: Value = serde_json::from_str(&manifest.card).unwrap();
            prop_assert!(parsed.is_object());
            let leads_out = manifest.app_file.starts_with('/') || manifest.app_file.split('/').any(|part| part == "..");
            prop_assert!(!leads_out);
        }
    }
}
