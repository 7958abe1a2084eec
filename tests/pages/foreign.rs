//! A page of somebody's Space, opened by a user who is signed in at the hub, does nothing in their name.

use serde_json::json;
use spaceport_tests::{Files, TestHost};

use crate::browser::Browser;

/// Tries what a page can try without being asked, and notes what came of it.
const CALLS: &str = r#"<!doctype html><head><link rel="icon" href="data:,"></head><body><ul id="tried"></ul><script type="module">
const hub = 'HUB';
const made = (name) => JSON.stringify({ name, type: 'space', sdk: 'static' });
const tries = {
  create: () => fetch(`${hub}/api/repos/create`, { method: 'POST', credentials: 'include', mode: 'no-cors', body: made('made-plain') }),
  json: () => fetch(`${hub}/api/repos/create`, { method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body: made('made-json') }),
  token: () => fetch(`${hub}/api/repos/create`, { method: 'POST', credentials: 'include', headers: { 'x-csrf-token': 'guess' }, body: made('made-token') }),
  variables: () => fetch(`${hub}/api/spaces/ada/mine/variables`, { method: 'POST', credentials: 'include', mode: 'no-cors', body: '{"key":"A","value":"b"}' }),
  read: async () => (await fetch(`${hub}/settings/tokens`, { credentials: 'include' })).text(),
  whoami: async () => (await fetch(`${hub}/api/whoami-v2`, { credentials: 'include' })).text(),
};
for (const [name, work] of Object.entries(tries)) {
  const row = document.createElement('li');
  row.id = name;
  try { const answer = await work(); row.textContent = `${typeof answer === 'string' ? answer : answer.type}`; } catch { row.textContent = 'refused'; }
  document.getElementById('tried').append(row);
}
document.body.dataset.done = 'yes';
</script></body>"#;

/// A form that a user can be made to send.
fn form(address: &str) -> String {
    format!(
        "<!doctype html><head><link rel=icon href=data:,></head><form method=post action=\"{address}\" enctype=\"text/plain\">\
         <input name='{{\"name\":\"made-form\",\"type\":\"space\",\"sdk\":\"static\",\"x\":\"' value='\"}}'><button>Win</button></form>"
    )
}

#[test]
fn another_spaces_page_does_nothing_with_a_users_cookie() {
    let host = TestHost::start();
    let mine = host.push("mine", Files::site(&[("index.html", "<head></head>mine")]));
    mine.reaches("RUNNING");
    let hub = host.hub();
    let targets = ["/logout", "/api/repos/create", "/settings/applications", "/api/spaces/ada/mine/restart"];
    let forms: Vec<(String, String)> =
        targets.iter().enumerate().map(|(n, target)| (format!("{n}.html"), form(&format!("{hub}{target}")))).collect();
    let calls = CALLS.replace("HUB", &hub);
    let files = forms.iter().fold(Files::site(&[("index.html", &calls)]), |files, (path, text)| files.with(path, text));
    let evil = host.push("evil", files);
    evil.reaches("RUNNING");
    let Some(browser) = Browser::signed_in(&host) else { return };
    // Refusals are what this is about, and browsers log each.
    for words in ["CORS policy", "net::ERR_FAILED", "responded with a status of 40"] {
        browser.excuse(words);
    }
    let before = (names(&host), mine.api("GET", "/variables", &[], &[]).text(), mine.runtime());
    browser.open(&format!("http://{}/", evil.authority));
    browser.finds("[data-done]");
    for (name, outcome) in [("json", "refused"), ("token", "refused"), ("read", "refused"), ("whoami", "refused")] {
        assert_eq!(browser.value(&format!("document.getElementById('{name}').textContent")), json!(outcome), "{name}");
    }
    for (path, _) in &forms {
        browser.open(&format!("http://{}/{path}", evil.authority));
        browser.click("button");
        browser.until("an answer of the hub", || browser.address().starts_with(&hub).then_some(()));
    }
    let after = (names(&host), mine.api("GET", "/variables", &[], &[]).text(), mine.runtime());
    assert_eq!(before, after);
    // Its page in a frame of the hub's can reach no further.
    browser.open(&format!("{hub}/spaces/ada/evil"));
    browser.in_frame("#app", || {
        browser.finds("[data-done]");
        browser.holds("(() => { try { return !parent.document; } catch { return true; } })()");
    });
    assert_eq!(names(&host), before.0);
    browser.open(&hub);
    browser.shows("header .menu summary", "ada");
}

/// Names of all Spaces.
fn names(host: &TestHost) -> Vec<String> {
    let all = host.client().get(&host.domain(), "/api/spaces?limit=100").json();
    let mut names: Vec<String> =
        all.as_array().unwrap().iter().map(|space| space["id"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}
