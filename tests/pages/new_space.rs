//! From the form for a new Space to its app.

use spaceport_tests::python::hf_ok;
use spaceport_tests::{Files, TestHost, git, guest};

use crate::browser::Browser;

#[test]
fn a_new_space_turns_into_its_app_when_it_is_pushed() {
    let host = TestHost::start();
    let Some(browser) = Browser::signed_in(&host) else { return };
    browser.click("header nav .button");
    browser.fill("[name=name]", "first");
    browser.shows("#name-note", "ada/first is free");
    browser.click("[name=sdk][value=wasm]");
    browser.click("#new-space .primary");
    browser.arrives(&host.at("/spaces/ada/first"));
    browser.shows("#stage .badge", "No app file");
    browser.shows("#not-served", "This page turns into the app by itself");
    browser.shows("#not-served code", &format!("git clone {}/spaces/ada/first", host.hub()));

    let clone = git::clone(&host, "first", "clone");
    git::commit(&host, &clone, "app.wasm", guest("hello"));
    git::git(&host, &clone, &["push", "--quiet", "origin", "main"]).ok();
    browser.app_shows("body", "hello");
    browser.shows("#stage .badge", "Running");

    browser.open(&host.at("/new-space"));
    browser.fill("[name=name]", "first");
    browser.shows("#name-note", "ada/first is there already");
    browser.click("#new-space .primary");
    browser.holds("document.querySelector('[name=name]').validationMessage === 'This name is taken'");
    assert!(browser.address().ends_with("/new-space"));
}

#[test]
fn whoever_works_on_a_site_sees_each_push_and_others_keep_what_they_have() {
    let page = |words: &str| format!("<head><link rel=icon href=data:,></head><h1>{words}</h1>");
    let host = TestHost::start();
    let space = host.push("site", Files::site(&[("index.html", &page("before"))]));
    space.reaches("RUNNING");
    let (Some(author), Some(visitor)) = (Browser::signed_in(&host), Browser::start()) else { return };
    for browser in [&author, &visitor] {
        browser.open(&host.at("/spaces/ada/site"));
        browser.app_shows("h1", "before");
        browser.run("window.isTheSamePage = true");
    }
    let file = host.scratch().join("index.html");
    std::fs::write(&file, page("after")).unwrap();
    hf_ok(&host, &["upload", "ada/site", file.to_str().unwrap(), "index.html", "--repo-type", "space"]);
    author.app_shows("h1", "after");
    assert_eq!(visitor.value("window.isTheSamePage"), true);
    visitor.app_shows("h1", "before");
}

#[test]
fn the_stage_is_told_as_it_changes() {
    let host = TestHost::start();
    let space = host.run_guest("app", "hello", "");
    let Some(browser) = Browser::signed_in(&host) else { return };
    browser.open(&host.at("/spaces/ada/app/logs?log=build"));
    browser.shows("#stage .badge", "Running");
    browser.run("window.isTheSamePage = true");
    browser.click("#space-menu summary");
    browser.click_words("Pause");
    browser.shows("#stage .badge", "Paused");
    space.reaches("PAUSED");
    browser.click("#space-menu summary");
    browser.click_words("Restart");
    browser.shows("#stage .badge", "Running");
    assert_eq!(browser.value("window.isTheSamePage"), true);

    // Where there is no app to show, the page waits for it.
    browser.click("#space-menu summary");
    browser.click_words("Pause");
    browser.shows("#stage .badge", "Paused");
    browser.click_words("App");
    browser.shows("#not-served h1", "Paused");
    browser.click_words("Start it again");
    browser.app_shows("body", "hello");
}
