//! Pictures of the pages for the README, taken of a host like the one that `cargo xtask up` starts.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use spaceport_tests::guests::demo;
use spaceport_tests::{Files, TestHost};

use crate::browser::Browser;

/// Where the pictures go; without it they are taken all the same and go to cargo's folder for what tests make.
const FOLDER: &str = "SPACEPORT_SCREENSHOTS";
/// A picture is looked at in a README: it shall not take long to come.
const LARGEST: usize = 200_000;
const WIDTH: u32 = 1280;
const HEIGHT: u32 = 800;

/// Demo Spaces; the one in Python is left out, since compiling it takes long.
const DEMOS: [&str; 3] = ["fetch", "rust-stream", "rust-guestbook"];
/// Sites beside them: name, emoji, colour and what they are for. One colour each: gradients make pictures large.
const SITES: [(&str, &str, &str, &str); 5] = [
    ("palette", "🎨", "pink", "Colours that go well together"),
    ("orbits", "🪐", "indigo", "The planets, drawn to scale"),
    ("sonnets", "🖋️", "yellow", "A poem for each day of the year"),
    ("sundial", "☀️", "red", "What time it is where you are"),
    ("tides", "🌊", "blue", "When the water comes back"),
];

/// The files of a demo Space.
fn files_of(name: &str) -> Files {
    let folder = demo(name);
    let mut files = Files::default();
    let mut pending = vec![folder.clone()];
    while let Some(place) = pending.pop() {
        for entry in fs::read_dir(&place).unwrap_or_else(|error| panic!("{}: {error}", place.display())) {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => pending.push(path),
                false => {
                    let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
                    files = files.with(&name, fs::read(&path).unwrap());
                }
            }
        }
    }
    files
}

#[test]
fn the_pages_that_the_readme_shows() {
    let host = TestHost::start();
    let Some(browser) = Browser::signed_in(&host) else { return };
    browser.set_size(WIDTH, HEIGHT);
    browser.set_scheme("light");
    for (name, emoji, colour, about) in SITES {
        let title = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        let front = format!(
            "title: {title}\nemoji: {emoji}\ncolorFrom: {colour}\ncolorTo: {colour}\nshort_description: {about}"
        );
        let readme = format!("---\nsdk: static\n{front}\n---\n");
        host.push(name, Files::site(&[("index.html", about)]).with("README.md", readme));
    }
    for name in DEMOS {
        host.push(name, files_of(name)).reaches("RUNNING");
    }
    let book = spaceport_tests::TestSpace::named(&host, "rust-guestbook", "");
    book.post("/storage", json!({ "tier": "small" }));
    book.post("/variables", json!({ "key": "MODE", "value": "open", "description": "Who may sign: open, or closed" }));
    book.reaches("RUNNING");
    for (name, message) in [("Grace", "It+answers+before+I+have+let+go+of+the+key."), ("Alan", "Still+running%3F")] {
        let form = format!("name={name}&message={message}");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        browser.until("an entry in the book", || {
            (book.send("POST", "/", &headers, form.as_bytes()).status == 303).then_some(())
        });
    }
    let fetch = spaceport_tests::TestSpace::named(&host, "fetch", "");
    for url in ["http://169.254.169.254/latest", "http://10.0.0.1/", "https://example.org:8443/"] {
        let url: String = url.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(fetch.get(&format!("/?url={url}")).status, 200);
    }
    let hub = host.hub();
    browser.open(&hub);
    browser.holds(&format!("document.querySelectorAll('.card .badge.good').length === {}", DEMOS.len() + SITES.len()));
    take(&browser, "home");
    browser.open(&format!("{hub}/spaces/ada/rust-guestbook"));
    browser.app_shows("body", "Grace");
    take(&browser, "space");
    browser.open(&format!("{hub}/spaces/ada/fetch/logs"));
    browser.holds("document.getElementById('lines').childElementCount >= 3");
    take(&browser, "logs");
    browser.open(&format!("{hub}/spaces/ada/rust-guestbook/settings"));
    browser.shows("#settings", "MODE");
    browser.run("document.querySelector('[data-form=storage]').previousElementSibling.scrollIntoView()");
    take(&browser, "settings");
    browser.open(&format!("{hub}/admin/hardware"));
    browser.shows("h1", "Hardware");
    take(&browser, "admin");
}

fn take(browser: &Browser, name: &str) {
    // Nothing blinks in a picture.
    browser.run("document.activeElement?.blur()");
    let picture = browser.screenshot();
    assert!(picture.len() < LARGEST, "{name}: {} bytes", picture.len());
    let folder = std::env::var_os(FOLDER).map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name).with_extension("png"), picture).unwrap();
}
