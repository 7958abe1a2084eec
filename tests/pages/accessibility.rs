//! axe-core, which checks what can be checked of the rules for pages that everybody can use, on every kind of page.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::browser::Browser;
use crate::driver::left_out;
use crate::tour::{self, As, MORE, PAGES};

/// Where `cargo xtask test` puts the program; the environment may name another place.
const PLACE: &str = "../target/venv/axe";
/// Tells the violations of a page, without the app in its frame, which is somebody else's.
fn run(browser: &Browser, rules: &str) -> Vec<String> {
    let found = browser.answer(&format!(
        "const done = arguments[0];
axe.run(document, {{ iframes: false, resultTypes: ['violations'], {rules} }}).then(({{ violations }}) => done(violations
  .filter(({{ impact }}) => ['serious', 'critical'].includes(impact))
  .map(({{ id, impact, nodes }}) => `${{impact}} ${{id}}: ${{nodes.map(({{ html }}) => html.slice(0, 140)).slice(0, 2).join(' | ')}}`)));"
    ));
    found.as_array().unwrap().iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The program, if it is there.
#[track_caller]
fn axe() -> Option<String> {
    let place = std::env::var_os("SPACEPORT_AXE");
    let place = place.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(PLACE), PathBuf::from);
    // Between the two is the version of Python.
    let versions = fs::read_dir(place.join("lib")).into_iter().flatten().filter_map(Result::ok);
    let mut files = versions.map(|version| version.path().join("site-packages/axe_playwright_python/axe.min.js"));
    let found = files.find_map(|file| fs::read_to_string(file).ok());
    if found.is_none() {
        left_out("axe-core");
    }
    found
}

#[test]
fn pages_for_anybody_can_be_used_by_everybody() {
    check(As::Anybody, "");
}

#[test]
fn pages_of_a_space_can_be_used_by_everybody() {
    check(As::Administrator, "/spaces/");
}

#[test]
fn pages_of_an_account_and_the_host_can_be_used_by_everybody() {
    check(As::Administrator, "!/spaces/");
}

#[track_caller]
fn check(who: As, start: &str) {
    let Some(axe) = axe() else { return };
    let host = tour::host();
    let Some(browser) = Browser::start() else { return };
    if who == As::Administrator {
        browser.open(&host.at("/login"));
        browser.sign_in("", host.token());
        browser.finds("header .menu");
    }
    // The page for what is not there.
    browser.excuse("the server responded with a status of 404");
    let is_asked = |path: &str| match start.strip_prefix('!') {
        Some(other) => !path.starts_with(other),
        None => path.starts_with(start),
    };
    let pages = PAGES.iter().filter(|(_, by)| *by == who).map(|(path, _)| *path);
    let more = MORE.iter().copied().filter(|_| who == As::Administrator).chain(["/spaces/ada/absent"]);
    let mut found = Vec::new();
    for path in pages.chain(more).filter(|path| is_asked(path)) {
        browser.open(&host.at(path));
        browser.finds("main h1");
        browser.run(&axe);
        // In the dark the colours are others, and nothing else is.
        for (scheme, rules) in [("light", ""), ("dark", "runOnly: ['color-contrast']")] {
            browser.set_scheme(scheme);
            found.extend(run(&browser, rules).iter().map(|violation| format!("{path} ({scheme}): {violation}")));
        }
    }
    assert!(found.is_empty(), "\n  {}", found.join("\n  "));
}

#[test]
fn what_is_wrong_with_a_page_is_found() {
    let Some(axe) = axe() else { return };
    let host = spaceport_tests::TestHost::start();
    let Some(browser) = Browser::start() else { return };
    browser.open(&host.hub());
    browser.run(&axe);
    browser.run("document.querySelector('main').append(document.createElement('button'))");
    let found = run(&browser, "");
    assert!(found.len() == 1 && found[0].starts_with("critical button-name"), "{found:?}");
    browser.run("document.querySelector('h1').style.color = '#ddd'");
    assert!(run(&browser, "runOnly: ['color-contrast']")[0].starts_with("serious color-contrast"));
}
