//! Discussions and pull requests.

use spaceport_tests::{Files, TestHost};

use crate::browser::Browser;

#[test]
fn a_discussion_is_opened_commented_on_and_closed() {
    let host = TestHost::start();
    host.push("site", Files::site(&[("index.html", "<head></head>hello")])).reaches("RUNNING");
    let Some(browser) = Browser::signed_in(&host) else { return };
    browser.open(&host.at("/spaces/ada/site"));
    browser.click_words("Community");
    browser.click_words("New discussion");
    browser.fill("#new-discussion [name=title]", "It is too small");
    browser.fill("#new-discussion [name=description]", "Can it be **larger**?");
    browser.click("#new-discussion .primary");
    browser.arrives(&host.at("/spaces/ada/site/discussions/1"));
    browser.shows(".talk", "Can it be larger?");
    browser.finds(".talk p:not(.soft) strong");
    browser.fill("[name=comment]", "It is *now*.");
    browser.click_words("Comment");
    browser.shows(".talk em", "now");
    browser.click("[data-status=closed]");
    browser.shows("#discussion .badge.bad", "closed");
    browser.click("[data-status=open]");
    browser.shows("#discussion .badge.good", "open");
    browser.click("[data-hide]");
    browser.agree();
    browser.shows(".talk", "was hidden");
}

#[test]
fn a_pull_request_is_merged() {
    let host = TestHost::start();
    let page = |words: &str| format!("<head><link rel=icon href=data:,></head><h1>{words}</h1>");
    let space = host.push("site", Files::site(&[("index.html", &page("before"))]));
    space.reaches("RUNNING");
    space.propose("A better page", &Files::default().with("index.html", page("proposed")));
    let Some(browser) = Browser::signed_in(&host) else { return };
    browser.open(&host.at("/spaces/ada/site/discussions"));
    browser.click_words("A better page");
    browser.shows(".patch .added:not(.file)", "proposed");
    browser.shows(".patch .removed:not(.file)", "before");
    browser.click("#merge");
    browser.shows("#discussion .badge", "merged");
    browser.click_words("App");
    browser.until("what was merged in the app", || space.get("/").text().contains("proposed").then_some(()));
    browser.open(&host.at("/spaces/ada/site"));
    browser.app_shows("h1", "proposed");
}
