//! Signing in at a Space with the account of the hub, as a page does it that knows nothing but what it is told.

use spaceport_tests::{Files, TestHost, TestSpace};

use crate::browser::Browser;

/// Signs in by PKCE, asks who came, and reads a private Space with what it was given.
const PAGE: &str = r#"<!doctype html><head><link rel="icon" href="data:,"></head><body>
<p id="who">nobody</p><p id="read"></p><button id="in">Sign in</button>
<script type="module">
const hub = 'HUB', home = `${location.origin}/`;
const { OAUTH_CLIENT_ID: client_id, OAUTH_SCOPES: scope } = window.huggingface.variables;
const found = await (await fetch(`${hub}/.well-known/openid-configuration`)).json();
const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const asked = new URLSearchParams(location.search);
const who = document.getElementById('who');
if (asked.get('state') === sessionStorage.getItem('state') && asked.has('code')) {
  const body = new URLSearchParams({ grant_type: 'authorization_code', code: asked.get('code'), redirect_uri: home, client_id,
    code_verifier: sessionStorage.getItem('verifier') });
  const { access_token } = await (await fetch(found.token_endpoint, { method: 'POST', body })).json();
  const about = await fetch(found.userinfo_endpoint, { headers: { authorization: `Bearer ${access_token}` } });
  who.textContent = (await about.json()).preferred_username;
} else if (asked.has('error')) {
  who.textContent = asked.get('error');
}
document.getElementById('in').onclick = async () => {
  sessionStorage.setItem('verifier', text(crypto.getRandomValues(new Uint8Array(32))));
  sessionStorage.setItem('state', text(crypto.getRandomValues(new Uint8Array(8))));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(sessionStorage.getItem('verifier')));
  location.assign(`${found.authorization_endpoint}?${new URLSearchParams({ client_id, redirect_uri: home, response_type: 'code', scope,
    state: sessionStorage.getItem('state'), code_challenge: text(digest), code_challenge_method: 'S256' })}`);
};
</script></body>"#;

#[test]
fn a_user_signs_in_at_a_space_and_takes_it_back() {
    let host = TestHost::start();
    host.add_user("grace", "correct horse battery");
    let readme = "---\ntitle: Who are you\nsdk: static\nhf_oauth: true\nhf_oauth_scopes: [email, read-repos]\n---\n";
    let space = TestSpace::create(&host, "who", "static");
    let page = PAGE.replace("HUB", &host.hub());
    space.serves(&space.push(Files::site(&[("index.html", &page)]).with("README.md", readme)));
    let Some(browser) = Browser::start() else { return };
    let home = format!("http://{}/", space.authority);
    browser.open(&home);
    browser.shows("#who", "nobody");
    browser.click("#in");
    // Nobody is signed in at the hub yet.
    browser.shows("h1", "Sign in");
    browser.sign_in("grace", "correct horse battery");
    browser.shows("h1", "Sign in to Who are you");
    browser.shows("main p", "ada/who by ada wants to sign you in as grace");
    browser.shows("main ul", "know who you are");
    browser.shows("main ul", "e-mail");
    browser.holds("document.querySelectorAll('main li').length >= 3");
    browser.shows("main code", home.trim_end_matches('/'));
    browser.click("[name=answer][value=no]");
    browser.shows("#who", "access_denied");
    browser.click("#in");
    browser.click("[name=answer][value=yes]");
    browser.shows("#who", "grace");

    // Who has agreed is not asked again, until they take it back.
    browser.open(&home);
    browser.shows("#who", "nobody");
    browser.click("#in");
    browser.shows("#who", "grace");
    browser.open(&host.at("/settings/applications"));
    browser.shows("main", "ada/who");
    browser.click("main form button");
    browser.holds("!document.querySelector('main').textContent.includes('ada/who')");
    browser.open(&home);
    browser.shows("#who", "nobody");
    browser.click("#in");
    browser.shows("h1", "Sign in to Who are you");
}
