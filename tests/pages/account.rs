//! Making the first account, signing in and out.

use spaceport_tests::TestHost;

use crate::browser::Browser;

const PASSWORD: &str = "correct horse battery";

#[test]
fn a_link_makes_the_first_administrator_who_signs_out_and_in_again() {
    let host = TestHost::start_without_users();
    let Some(browser) = Browser::start() else { return };
    let link = first_link(&host);
    browser.open(&link);
    browser.fill("[name=name]", "grace");
    browser.fill("[name=password]", PASSWORD);
    browser.fill("[name=again]", PASSWORD);
    browser.click("main .primary");
    browser.arrives(&host.at("/settings/tokens"));
    browser.shows("header .menu summary", "grace");
    browser.finds("header a[href='/admin']");

    browser.click("header .menu summary");
    browser.click_words("Sign out");
    browser.shows("main p", "You are signed in as grace");
    browser.click("main .primary");
    browser.shows("header nav", "Sign in");

    browser.click("header nav .button");
    // Browsers log answers that are no success, whatever they show.
    browser.excuse("the server responded with a status of 401");
    browser.sign_in("grace", "a guess");
    browser.finds(".error");
    browser.sign_in("grace", PASSWORD);
    browser.shows("header .menu summary", "grace");

    browser.excuse("the server responded with a status of 410");
    browser.open(&link);
    browser.shows("main", "This link was used already");
}

/// What the host tells its operator in its log.
#[track_caller]
fn first_link(host: &TestHost) -> String {
    let start = format!("{}/setup?token=", host.hub());
    let log = host.log();
    let at = log.find(&start).unwrap_or_else(|| panic!("no {start} in\n{log}"));
    let link = &log[at..];
    link[..link.find(|c: char| c == '"' || c.is_whitespace()).unwrap_or(link.len())].to_owned()
}

#[test]
fn somebody_makes_an_account_and_is_told_which_names_are_free() {
    let host = TestHost::start_with("[accounts]\nsign_up = true\n");
    let Some(browser) = Browser::start() else { return };
    browser.open(&host.at("/login"));
    browser.click_words("Make one");
    for (name, words) in [("ada", "already an account"), ("admin", "reserved"), ("grace", "grace is free.")] {
        browser.fill("[name=name]", name);
        browser.shows("#name-note", words);
    }
    browser.fill("[name=email]", "grace@example.org");
    browser.fill("[name=password]", PASSWORD);
    browser.fill("[name=again]", "another one");
    browser.holds("!document.getElementById('join').checkValidity()");
    browser.fill("[name=again]", PASSWORD);
    browser.click("main .primary");
    browser.shows("header .menu summary", "grace");
}
