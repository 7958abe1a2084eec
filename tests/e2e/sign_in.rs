//! Signing in: at a Space with the account of the hub, and at the command line with a browser.

use spaceport_tests::python::program;
use spaceport_tests::{Files, TestHost, TestSpace};

/// A browser: it keeps cookies, follows nothing by itself, and fills forms in.
const BROWSER: &str = r#"
import html, os, re
from urllib.parse import parse_qs, urlsplit
import httpx2

HUB, TOKEN = os.environ["HF_ENDPOINT"], os.environ["HF_TOKEN"]
browser = httpx2.Client(base_url=HUB, follow_redirects=False)

def field(page, name):
    return html.unescape(re.search(f'name="{name}" value="([^"]*)"', page.text)[1])

def signed_in_at(address):
    """Opens a page, by way of the form if need be."""
    page = browser.get(address)
    if page.status_code == 303 and page.headers["location"].startswith("/login"):
        form = browser.get(page.headers["location"])
        answer = browser.post("/login", data={
            "form": field(form, "form"), "next": field(form, "next"), "name": "", "secret": TOKEN})
        assert answer.status_code == 303, answer.text
        page = browser.get(answer.headers["location"])
    return page
"#;

/// As the Hub's JavaScript library does it in a page.
const AT_A_SPACE: &str = r#"
import base64, hashlib, json, secrets

client_id, redirect = os.environ["CLIENT_ID"], os.environ["REDIRECT"]
anybody = httpx2.Client()
found = anybody.get(f"{HUB}/.well-known/openid-configuration").json()
assert found["issuer"] == HUB, found
verifier = secrets.token_urlsafe(48)
digest = hashlib.sha256(verifier.encode()).digest()
state = json.dumps({"nonce": "n", "redirectUri": redirect})
asked = httpx2.URL(found["authorization_endpoint"], params={
    "client_id": client_id, "redirect_uri": redirect, "response_type": "code", "scope": "openid profile",
    "state": state, "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
    "code_challenge_method": "S256"})
consent = signed_in_at(str(asked))
assert "know who you are" in consent.text, consent.text
back = browser.post("/oauth/consent", data={
    "form": field(consent, "form"), "request": field(consent, "request"), "answer": "yes"})
assert back.headers["location"].startswith(redirect), back.headers
told = parse_qs(urlsplit(back.headers["location"]).query)
assert told["state"] == [state], told
exchange = {"grant_type": "authorization_code", "code": told["code"][0], "redirect_uri": redirect,
            "code_verifier": verifier}
tokens = anybody.post(found["token_endpoint"], data=exchange).json()
bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
about = anybody.get(found["userinfo_endpoint"], headers=bearer).json()
assert about["preferred_username"] == "ada", about
assert anybody.post(found["token_endpoint"], data=exchange).json()["error"] == "invalid_grant"
assert anybody.get(found["userinfo_endpoint"], headers=bearer).status_code == 401
print("all good")
"#;

/// As an application does it that uses Authlib, from what the host says of itself alone: code flow with PKCE, the id token
/// checked, tokens refreshed and given back.
const BY_AUTHLIB: &str = r#"
import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

client_id, redirect = os.environ["CLIENT_ID"], os.environ["REDIRECT"]
address = requests.put(f"{HUB}/api/admin/users/ada/email", json={"address": "ada@example.org", "verified": True},
                       headers={"Authorization": f"Bearer {TOKEN}"})
assert address.status_code == 200, address.text
found = requests.get(f"{HUB}/.well-known/openid-configuration").json()
session = OAuth2Session(client_id, redirect_uri=redirect, scope="openid profile email", code_challenge_method="S256",
                        token_endpoint_auth_method="none", revocation_endpoint_auth_method="none")
verifier, nonce = generate_token(48), generate_token()
asked, state = session.create_authorization_url(found["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
consent = signed_in_at(asked)
assert "e-mail" in consent.text, consent.text
back = browser.post("/oauth/consent", data={
    "form": field(consent, "form"), "request": field(consent, "request"), "answer": "yes"})
token = session.fetch_token(found["token_endpoint"], authorization_response=back.headers["location"], state=state,
                            code_verifier=verifier)

keys = KeySet.import_key_set(requests.get(found["jwks_uri"]).json())
decoded = jwt.decode(token["id_token"], keys, algorithms=found["id_token_signing_alg_values_supported"])
claims = CodeIDToken(decoded.claims, decoded.header,
                     options={"iss": {"essential": True, "value": found["issuer"]},
                              "aud": {"essential": True, "value": client_id}},
                     params={"client_id": client_id, "nonce": nonce, "access_token": token["access_token"]})
claims.validate()
assert (claims["email"], claims["email_verified"]) == ("ada@example.org", True), claims
about = session.get(found["userinfo_endpoint"]).json()
assert (about["sub"], about["email"]) == (claims["sub"], "ada@example.org"), about

first = token["access_token"]
token = session.refresh_token(found["token_endpoint"], refresh_token=token["refresh_token"])
assert token["access_token"] != first
ended = session.revoke_token(found["revocation_endpoint"], token=first, token_type_hint="access_token")
assert ended.status_code == 200, ended.text
assert requests.get(found["userinfo_endpoint"], headers={"Authorization": f"Bearer {first}"}).status_code == 401
assert session.get(found["userinfo_endpoint"]).status_code == 200
ended = session.revoke_token(found["revocation_endpoint"], token=token["refresh_token"])
assert ended.status_code == 200, ended.text
assert session.get(found["userinfo_endpoint"]).status_code == 401
print("all good")
"#;

/// As `hf auth login` does it, by its own functions.
const AT_THE_COMMAND_LINE: &str = r#"
from huggingface_hub import HfApi
from huggingface_hub.utils._oauth_device import poll_device_token, refresh_access_token, request_device_code

device = request_device_code()
question = signed_in_at(device["verification_uri_complete"])
assert device["user_code"] in question.text, question.text
answer = browser.post("/oauth/device/answer", data={
    "form": field(question, "form"), "user_code": device["user_code"], "answer": "yes"})
assert answer.status_code == 200 and "Signed in" in answer.text, answer.text
given = poll_device_token(device)
api = HfApi(token=given["access_token"])
who = api.whoami()
assert (who["name"], who["auth"]["type"]) == ("ada", "oauth"), who
api.create_repo("ada/from-device", repo_type="space", space_sdk="static")
later = refresh_access_token(given["refresh_token"])
assert HfApi(token=later["access_token"]).space_info("ada/from-device").sdk == "static"
print("all good")
"#;

#[track_caller]
fn runs(host: &TestHost, script: &str, env: &[(&str, &str)]) {
    let script = format!("{BROWSER}{script}");
    let output = program(host, "python").args(["-c", &script]).envs(env.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("all good"), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_visitor_signs_in_at_a_static_space_with_what_its_page_is_told() {
    let host = TestHost::start();
    let page = page(&host, "");
    let text = page.get("/").text();
    assert_eq!(variable(&text, "OAUTH_SCOPES"), "openid profile");
    assert!(!text.contains("OAUTH_CLIENT_SECRET"), "{text}");
    signs_in(&page, AT_A_SPACE);
}

#[test]
fn authlib_signs_in_by_what_the_host_says_of_itself_and_signs_out() {
    let host = TestHost::start();
    signs_in(&page(&host, "hf_oauth_scopes: [email]\n"), BY_AUTHLIB);
}

/// A static Space that signs users in.
fn page<'a>(host: &'a TestHost, front: &str) -> TestSpace<'a> {
    let readme = format!("---\nsdk: static\nhf_oauth: true\n{front}---\n");
    let page = TestSpace::create(host, "sign-in", "static");
    let files = Files::site(&[("index.html", "<head></head>hello")]).with("README.md", readme);
    page.serves(&page.push(files));
    page
}

/// What a page is told.
#[track_caller]
fn variable(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("\"{name}\":\"")).unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split('"').next().unwrap().to_owned()
}

#[track_caller]
fn signs_in(page: &TestSpace<'_>, script: &str) {
    let client = variable(&page.get("/").text(), "OAUTH_CLIENT_ID");
    let redirect = format!("http://{}/", page.authority);
    runs(page.host, script, &[("CLIENT_ID", &client), ("REDIRECT", &redirect)]);
}

#[test]
fn hf_signs_in_by_a_browser() {
    let host = TestHost::start();
    runs(&host, AT_THE_COMMAND_LINE, &[]);
}
