//! Going back to an earlier release, and making a Space out of another.

use spaceport_tests::{Files, TestHost};

use crate::browser::Browser;

fn site(words: &str) -> Files {
    Files::site(&[("index.html", &format!("<head><link rel=icon href=data:,></head><h1>{words}</h1>"))])
}

#[test]
fn an_earlier_release_is_rolled_back_to() {
    let host = TestHost::start();
    let space = host.push("site", site("first"));
    space.reaches("RUNNING");
    space.serves(&space.push(site("second")));
    let Some(browser) = Browser::signed_in(&host) else { return };
    browser.open(&host.at("/spaces/ada/site"));
    browser.app_shows("h1", "second");
    browser.click_words("Releases");
    browser.shows("tbody tr:first-child", "Live");
    browser.click_words("Roll back to it");
    browser.shows("tbody tr:nth-child(2)", "Live");
    browser.click_words("App");
    browser.app_shows("h1", "first");
}

#[test]
fn a_space_is_duplicated_and_the_private_copy_is_shown_to_its_owner() {
    let host = TestHost::start();
    let space = host.push("site", site("copied"));
    space.reaches("RUNNING");
    let Some(browser) = Browser::signed_in(&host) else { return };
    browser.open(&host.at("/spaces/ada/site"));
    browser.click("#space-menu summary");
    browser.click_words("Duplicate");
    browser.excuse("the server responded with a status of 409");
    browser.click("#duplicate .primary");
    browser.finds("#duplicate .error:not([hidden])");
    browser.fill("#duplicate [name=name]", "copy");
    browser.click("#duplicate .primary");
    browser.arrives(&host.at("/spaces/ada/copy"));
    browser.shows(".space-head .badge", "private");
    browser.app_shows("h1", "copied");
    let copy = spaceport_tests::TestSpace::named(&host, "copy", ".static");
    assert_eq!(copy.get("/").status, 404, "a visitor does not see it");
}
