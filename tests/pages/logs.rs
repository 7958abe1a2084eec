//! Logs as they are written.

use spaceport_tests::TestHost;

use crate::browser::Browser;

#[test]
fn the_log_is_shown_as_it_is_written_and_searched() {
    let host = TestHost::start();
    let space = host.run_guest("app", "env", "");
    assert_eq!(space.get("/?say=before+it+was+opened").status, 200);
    let Some(browser) = Browser::signed_in(&host) else { return };
    browser.open(&host.at("/spaces/ada/app/logs"));
    browser.shows("#lines", "before it was opened");
    for word in ["red", "green"] {
        assert_eq!(space.get(&format!("/?say=now+{word}")).status, 200);
        browser.shows("#lines", &format!("now {word}"));
    }
    browser.fill("#logs [name=search]", "GREEN");
    browser.holds("!document.getElementById('lines').textContent.includes('now red')");
    browser.shows("#lines", "now green");
    browser.shows("#count", "1 of ");
    // What comes is searched as well.
    assert_eq!(space.get("/?say=still+red").status, 200);
    assert_eq!(space.get("/?say=evergreen").status, 200);
    browser.shows("#lines", "evergreen");
    browser.holds("!document.getElementById('lines').textContent.includes('still red')");
    browser.click_words("Build");
    browser.holds("document.getElementById('lines').textContent.toLowerCase().includes('compil')");
}
