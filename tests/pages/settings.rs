//! What is changed under Settings is seen in the app.

use spaceport_tests::{Files, TestHost};

use crate::browser::Browser;

/// Shows a variable.
const PAGE: &str = "<!doctype html><head><link rel=icon href=data:,></head><body><p id=colour></p><script>
document.getElementById('colour').textContent = window.huggingface?.variables?.COLOUR ?? 'no colour';
</script></body>";

#[test]
fn a_variable_is_seen_in_the_page_of_a_static_space() {
    let host = TestHost::start();
    let space = host.push("site", Files::site(&[("index.html", PAGE)]));
    space.reaches("RUNNING");
    let Some(browser) = Browser::signed_in(&host) else { return };
    let (page, settings) =
        (format!("{}/spaces/ada/site", host.hub()), format!("{}/spaces/ada/site/settings", host.hub()));
    browser.open(&page);
    browser.app_shows("#colour", "no colour");
    for colour in ["green", "<b>blue</b>"] {
        browser.open(&settings);
        browser.fill("[data-form=variables] [name=key]", "COLOUR");
        browser.fill("[data-form=variables] [name=value]", colour);
        browser.click("[data-form=variables] button");
        browser.shows("#settings td:nth-child(2) code", colour);
        browser.click_words("App");
        browser.app_shows("#colour", colour);
    }
    browser.open(&settings);
    browser.fill("[data-form=secrets] [name=key]", "WORD");
    browser.fill("[data-form=secrets] [name=value]", "nobody shall know");
    browser.excuse("the server responded with a status of 400");
    browser.fill("[data-form=variables] [name=key]", "no name");
    browser.click("[data-form=variables] button");
    browser.finds("[data-form=variables] .error:not([hidden])");
    browser.click("[data-remove=variables]");
    browser.holds("!document.querySelector('[data-remove=variables]')");
    browser.click_words("App");
    browser.app_shows("#colour", "no colour");
}
