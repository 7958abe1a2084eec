//! On a telephone: no page is wider than the window, and what is on it can be used.

use fantoccini::key::Key;
use serde_json::json;

use crate::browser::Browser;
use crate::tour::{self, As, MORE, PAGES};

/// How wide the window is.
const WIDTH: u32 = 390;
/// What sticks out of the window and cannot be scrolled to by itself.
const TOO_WIDE: &str = "[...document.querySelectorAll('body *')]
    .filter((element) => element.getBoundingClientRect().right > 391 && element.checkVisibility())
    .filter((element) => !element.closest('.scroll, pre, textarea, .tabs, .side, .code, .hidden, iframe'))
    .map((element) => element.outerHTML.slice(0, 120)).slice(0, 3)";

#[test]
fn no_page_scrolls_sideways_on_a_telephone() {
    let host = tour::host();
    let Some(browser) = Browser::start() else { return };
    browser.set_width(Some(WIDTH));
    let mut wide = Vec::new();
    for who in [As::Anybody, As::Administrator] {
        if who == As::Administrator {
            browser.open(&host.at("/login"));
            browser.sign_in("", host.token());
            browser.finds("header .menu");
        }
        let more = MORE.iter().filter(|_| who == As::Administrator);
        for path in PAGES.iter().filter(|(_, by)| *by == who).map(|(path, _)| path).chain(more) {
            browser.open(&host.at(path));
            browser.finds("main h1");
            // A page that is wider makes such a window show more of it, and all of it smaller.
            if browser.value("[innerWidth, document.documentElement.scrollWidth]") != json!([WIDTH, WIDTH]) {
                wide.push(format!("{path}: {}", browser.value(TOO_WIDE)));
            }
        }
    }
    assert!(wide.is_empty(), "wider than the window:\n  {}", wide.join("\n  "));
}

#[test]
fn menus_and_dialogs_fit_on_a_telephone() {
    let host = tour::host();
    let Some(browser) = Browser::signed_in(&host) else { return };
    browser.set_width(Some(WIDTH));
    browser.open(&host.at("/spaces/ada/tour"));
    browser.click("header.top .menu summary");
    is_within(&browser, "header.top .menu ul");
    browser.press(&Key::Escape);
    browser.click("#space-menu summary");
    is_within(&browser, "#space-menu ul");
    browser.click_words("Duplicate");
    is_within(&browser, "#duplicate");
    browser.click("#duplicate [data-close]");
    browser.click_words("Files");
    browser.click(".place .menu summary");
    is_within(&browser, ".place .menu ul");
}

#[track_caller]
fn is_within(browser: &Browser, css: &str) {
    browser.holds(&format!(
        "(({{ left, right, width }}) => width > 0 && left >= 0 && right <= innerWidth)(document.querySelector('{css}').getBoundingClientRect())"
    ));
}
