//! Without a mouse: Tab, Enter and typing are enough, and one always sees where one is.

use fantoccini::key::Key;
use spaceport_tests::TestHost;
use spaceport_tests::git;

use crate::browser::Browser;

/// More than the steps to anything on a page here.
const MOST_STEPS: usize = 60;
/// Where the focus is, if it is on something and is to be seen there.
const FOCUS: &str = "(() => {
  const at = document.activeElement;
  if (!at || at === document.body) return 'nowhere';
  const { outlineStyle, outlineWidth } = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  const isShown = at.matches(':focus-visible') && outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
  const isInside = box.width > 0 && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
  if (at.tagName === 'IFRAME') return 'in the app';
  return isShown && isInside ? 'visible' : `not to be seen: ${at.outerHTML.slice(0, 160)}`;
})()";

#[test]
fn a_space_is_made_and_opened_by_keyboard_only() {
    let host = TestHost::start();
    let Some(browser) = Browser::start() else { return };
    browser.open(&host.at("/login"));
    // The first field has the focus.
    browser.press(&Key::Tab);
    type_at(&browser, "[name=secret]", host.token());
    browser.press(&Key::Enter);
    browser.finds("header .menu");

    browser.press(&Key::Tab);
    assert_eq!(browser.value("document.activeElement.className"), "skip", "the first step is past the head");
    go_to(&browser, "header a[href='/new-space']");
    browser.press(&Key::Enter);
    browser.arrives(&host.at("/new-space"));
    browser.holds("document.activeElement.name === 'name'");
    type_at(&browser, "[name=name]", "by-hand");
    browser.shows("#name-note", "ada/by-hand is free");
    go_to(&browser, "#new-space .primary");
    browser.press(&Key::Enter);
    browser.arrives(&host.at("/spaces/ada/by-hand"));
    browser.app_shows("body", "This is your new static Space");

    let clone = git::clone(&host, "by-hand", "clone");
    git::commit(&host, &clone, "index.html", "<head><link rel=icon href=data:,></head><h1>Opened</h1>");
    git::git(&host, &clone, &["push", "--quiet", "origin", "main"]).ok();
    browser.app_shows("h1", "Opened");
    go_to(&browser, "header .brand");
    browser.press(&Key::Enter);
    go_to(&browser, ".card .cover");
    browser.press(&Key::Enter);
    browser.arrives(&host.at("/spaces/ada/by-hand"));
    browser.app_shows("h1", "Opened");

    // A menu, and a dialog of it; Escape leads back.
    go_to(&browser, "#space-menu summary");
    browser.press(&Key::Enter);
    go_to(&browser, "#space-menu [data-dialog=duplicate]");
    browser.press(&Key::Enter);
    browser.holds("document.querySelector('#duplicate').open");
    go_to(&browser, "#duplicate [name=name]");
    browser.press(&Key::Escape);
    browser.holds("!document.querySelector('#duplicate').open");
    go_to(&browser, "nav.tabs a[href$='/settings']");
    browser.press(&Key::Enter);
    browser.arrives(&host.at("/spaces/ada/by-hand/settings"));
    go_to(&browser, "[data-form=variables] [name=key]");
    type_at(&browser, "[data-form=variables] [name=key]", "COLOUR");
    browser.press(&Key::Tab);
    type_at(&browser, "[data-form=variables] [name=value]", "green");
    browser.press(&Key::Enter);
    browser.shows("#settings td code", "COLOUR");
}

/// Types into a field that has the focus already.
#[track_caller]
fn type_at(browser: &Browser, css: &str, text: &str) {
    browser.holds(&format!("document.activeElement.matches(\"{css}\")"));
    browser.press(text);
}

/// Tabs on until this has the focus; on the way one always sees where it is.
#[track_caller]
fn go_to(browser: &Browser, css: &str) {
    browser.finds(css);
    for _ in 0..MOST_STEPS {
        if browser.value(&format!("document.activeElement.matches(\"{css}\")")) == true {
            return;
        }
        browser.press(&Key::Tab);
        let focus = browser.value(FOCUS);
        assert!(["visible", "in the app", "nowhere"].contains(&focus.as_str().unwrap()), "{focus} on the way to {css}");
    }
    panic!("{css} cannot be reached within {MOST_STEPS} steps");
}
