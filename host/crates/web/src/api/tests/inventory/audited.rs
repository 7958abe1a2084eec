//! Whatever changes something by the API is in the audit log: every such route is asked once, in an order in which each finds
//! what it needs, and leaves its entry. A route that is neither asked here nor named with a reason fails the test.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use http::Request;
use serde_json::Value;
use spaceport_control::ports::BackendPlugin;
use spaceport_control::service::AuditFilter;
use spaceport_core::permission::Actor;

use super::routes;
use crate::testing::{Answer, TestHub};

/// A request that changes something, and the entry that it leaves.
struct Step {
    route: &'static str,
    /// `$NAME` is what an answer before it had.
    path: &'static str,
    body: &'static str,
    action: &'static str,
    /// What to keep of the answer: under which name, and where it stands.
    keep: Option<(&'static str, &'static str)>,
    /// Whether the Space must be running.
    is_late: bool,
}

fn step(route: &'static str, path: &'static str, body: &'static str, action: &'static str) -> Step {
    Step { route, path, body, action, keep: None, is_late: false }
}

impl Step {
    fn keep(self, name: &'static str, pointer: &'static str) -> Self {
        Self { keep: Some((name, pointer)), ..self }
    }

    /// Once the Space is running.
    fn late(self) -> Self {
        Self { is_late: true, ..self }
    }
}

/// Routes that leave no entry, and why.
const NO_ENTRY: &[(&str, &str)] = &[
    ("POST /api/validate-yaml", "changes nothing"),
    ("POST /api/spaces/{owner}/{name}/preupload/{rev}", "changes nothing"),
    ("POST /api/spaces/{owner}/{name}/paths-info/{rev}", "changes nothing"),
    ("POST /spaces/{owner}/{name}/git-upload-pack", "changes nothing"),
    ("POST /spaces/{owner}/{name}/git-receive-pack", "a push with real git is looked at in git/tests/pushes"),
    ("POST /spaces/{owner}/{name}/info/lfs/objects/batch", "changes nothing"),
    ("POST /spaces/{owner}/{name}/info/lfs/locks", "is not offered"),
    ("POST /spaces/{owner}/{name}/info/lfs/locks/verify", "is not offered"),
    ("PUT /api/lfs/{param}", "content counts with the commit that names it"),
    ("POST /api/lfs/{param}", "content counts with the commit that names it"),
    ("POST /api/spaces/{owner}/{name}/lfs-files/batch", "is not offered"),
    ("POST /api/spaces/{owner}/{name}/dev-mode", "is not offered"),
    ("POST /api/spaces/{owner}/{name}/replicas", "is not offered"),
    ("PUT /api/spaces/{owner}/{name}/volumes", "is not offered"),
    ("DELETE /api/spaces/{owner}/{name}/volumes", "is not offered"),
    ("POST /oauth/token", "the sign-in that the tokens are of has its entry"),
    ("POST /oauth/revoke", "for applications: oauth/tests/revoke"),
    ("POST /oauth/userinfo", "changes nothing"),
    ("POST /oauth/device", "asks; the answer has its entry"),
    ("POST /oauth/device/answer", "a form: oauth/tests/log"),
    ("POST /oauth/consent", "a form: oauth/tests/log"),
    ("POST /login", "a form: oauth/tests/log"),
    ("POST /logout", "a form: oauth/tests/log"),
    ("POST /join", "a form: ui/tests/join"),
    ("POST /setup", "a form: ui/tests/setup"),
    ("POST /settings/applications", "a form: oauth/tests/log"),
    ("DELETE /api/settings/sessions", "ends what browsers began: ui/tests/settings"),
    ("DELETE /api/settings/sessions/{param}", "ends what a browser began: ui/tests/settings"),
    ("POST /api/settings/password", "for who has one: ui/tests/settings"),
];

const COMMIT: &str = concat!(
    r#"{"key":"header","value":{"summary":"change"}}"#,
    "\n",
    r#"{"key":"file","value":{"path":"README.md","content":"---\nsdk: wasm\nhf_oauth: true\n---\n","encoding":"utf-8"}}"#,
    "\n",
    r#"{"key":"file","value":{"path":"app.wasm","content":"a","encoding":"utf-8"}}"#,
    "\n",
);
const PROPOSAL: &str = concat!(
    r#"{"key":"header","value":{"summary":"proposal"}}"#,
    "\n",
    r#"{"key":"file","value":{"path":"a.txt","content":"a","encoding":"utf-8"}}"#,
    "\n",
);
const KEY: &str =
    r#"{"title":"x","key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILZqBX7hRsEgwYZpGVQ1OfJCMPB9vk5tz1lZ6l3JtIYc"}"#;
const TINY: &str = r#"{"name":"tiny","vcpu":0.25,"memory":"64MiB","disk":"100MiB"}"#;
const WEBHOOK: &str = r#"{"url":"https://example.org/hook","watched":[{"type":"user","name":"ada"}]}"#;

fn accounts() -> Vec<Step> {
    vec![
        step("POST /api/organizations", "/api/organizations", r#"{"name":"lab"}"#, "organization.create"),
        step(
            "PUT /api/organizations/{param}/members/{user}",
            "/api/organizations/lab/members/bob",
            r#"{"role":"read"}"#,
            "member.put",
        ),
        step(
            "DELETE /api/organizations/{param}/members/{user}",
            "/api/organizations/lab/members/bob",
            "",
            "member.remove",
        ),
        step("DELETE /api/organizations/{param}", "/api/organizations/lab", "", "organization.delete"),
        step(
            "POST /api/settings/tokens",
            "/api/settings/tokens",
            r#"{"displayName":"x","role":"read"}"#,
            "token.create",
        )
        .keep("$OWN", "/id"),
        step("DELETE /api/settings/tokens/{param}", "/api/settings/tokens/$OWN", "", "token.revoke"),
        step("POST /api/settings/keys", "/api/settings/keys", KEY, "ssh_key.add").keep("$KEY", "/id"),
        step("DELETE /api/settings/keys/{param}", "/api/settings/keys/$KEY", "", "ssh_key.delete"),
        step("POST /api/settings/webhooks", "/api/settings/webhooks", WEBHOOK, "webhook.create")
            .keep("$HOOK", "/webhook/id"),
        step(
            "POST /api/settings/webhooks/{param}",
            "/api/settings/webhooks/$HOOK",
            r#"{"domains":["repo"]}"#,
            "webhook.change",
        ),
        step(
            "POST /api/settings/webhooks/{param}/disable",
            "/api/settings/webhooks/$HOOK/disable",
            "",
            "webhook.disable",
        ),
        step("POST /api/settings/webhooks/{param}/enable", "/api/settings/webhooks/$HOOK/enable", "", "webhook.enable"),
        step("DELETE /api/settings/webhooks/{param}", "/api/settings/webhooks/$HOOK", "", "webhook.delete"),
    ]
}

fn admin() -> Vec<Step> {
    let (made, member) = ("/api/admin/organizations/made", "/api/admin/organizations/made/members/ada");
    let tokens = "POST /api/admin/users/{param}/tokens";
    vec![
        step(
            "POST /api/admin/organizations",
            "/api/admin/organizations",
            r#"{"name":"made","owner":"bob"}"#,
            "organization.create",
        ),
        step("PUT /api/admin/organizations/{param}/members/{user}", member, r#"{"role":"write"}"#, "member.put"),
        step("DELETE /api/admin/organizations/{param}/members/{user}", member, "", "member.remove"),
        step("DELETE /api/admin/organizations/{param}", made, "", "organization.delete"),
        step("POST /api/admin/users", "/api/admin/users", r#"{"name":"grace"}"#, "user.create"),
        step(
            "PATCH /api/admin/users/{param}",
            "/api/admin/users/grace",
            r#"{"password":"a long password"}"#,
            "user.change",
        ),
        step(
            "PUT /api/admin/users/{param}/email",
            "/api/admin/users/grace/email",
            r#"{"address":"grace@example.org"}"#,
            "user.email",
        ),
        step("DELETE /api/admin/users/{param}/email", "/api/admin/users/grace/email", "", "user.email"),
        step("DELETE /api/admin/users/{param}", "/api/admin/users/grace", "", "user.delete"),
        step(tokens, "/api/admin/users/bob/tokens", r#"{"role":"read"}"#, "token.create").keep("$LEAKED", "/token"),
        step(
            "POST /api/credentials/revoke",
            "/api/credentials/revoke",
            r#"{"credentials":["$LEAKED"]}"#,
            "token.revoke_leaked",
        ),
        step("POST /api/admin/hardware", "/api/admin/hardware", TINY, "hardware.create"),
        step("PATCH /api/admin/hardware/{param}", "/api/admin/hardware/tiny", r#"{"vcpu":0.5}"#, "hardware.change"),
        step("DELETE /api/admin/hardware/{param}", "/api/admin/hardware/tiny", "", "hardware.delete"),
        step("POST /api/admin/plugins", "/api/admin/plugins", "slides", "plugin.install"),
        step("DELETE /api/admin/plugins/{param}", "/api/admin/plugins/slides", "", "plugin.remove"),
        step("POST /api/admin/plugins/{param}/disable", "/api/admin/plugins/container/disable", "", "plugin.disable"),
        step("POST /api/admin/plugins/{param}/enable", "/api/admin/plugins/container/enable", "", "plugin.enable"),
        step("PUT /api/admin/quotas/{param}", "/api/admin/quotas/bob", r#"{"spaces":5}"#, "quota.set"),
        step("DELETE /api/admin/quotas/{param}", "/api/admin/quotas/bob", "", "quota.set"),
        step("PATCH /api/admin/tokens/{param}", "/api/admin/tokens/$BOB", r#"{"name":"ci"}"#, "token.change"),
        step("DELETE /api/admin/tokens/{param}", "/api/admin/tokens/$BOB", "", "token.revoke"),
    ]
}

fn repositories() -> Vec<Step> {
    let commit = "POST /api/spaces/{owner}/{name}/commit/{rev}";
    vec![
        step(
            "POST /api/repos/create",
            "/api/repos/create",
            r#"{"name":"page","type":"space","sdk":"wasm"}"#,
            "space.create",
        ),
        step(commit, "/api/spaces/ada/page/commit/main", COMMIT, "repository.commit"),
        step("POST /api/spaces/{owner}/{name}/branch/{rev}", "/api/spaces/ada/page/branch/dev", "{}", "branch.create"),
        step(
            "POST /api/spaces/{owner}/{name}/previews",
            "/api/spaces/ada/page/previews",
            r#"{"ref":"dev"}"#,
            "preview.open",
        ),
        step(
            "DELETE /api/spaces/{owner}/{name}/previews",
            "/api/spaces/ada/page/previews",
            r#"{"ref":"dev"}"#,
            "preview.end",
        ),
        step("DELETE /api/spaces/{owner}/{name}/branch/{rev}", "/api/spaces/ada/page/branch/dev", "", "branch.delete"),
        step(
            "POST /api/spaces/{owner}/{name}/tag/{rev}",
            "/api/spaces/ada/page/tag/main",
            r#"{"tag":"v1"}"#,
            "tag.create",
        ),
        step("DELETE /api/spaces/{owner}/{name}/tag/{rev}", "/api/spaces/ada/page/tag/v1", "", "tag.delete"),
        step(
            "POST /api/spaces/{owner}/{name}/super-squash/{rev}",
            "/api/spaces/ada/page/super-squash/main",
            r#"{"message":"one"}"#,
            "repository.squash",
        ),
        step(
            "POST /api/spaces/{owner}/{name}/duplicate",
            "/api/spaces/ada/page/duplicate",
            r#"{"repository":"ada/copy"}"#,
            "space.duplicate",
        ),
        step(
            "POST /api/repos/move",
            "/api/repos/move",
            r#"{"fromRepo":"ada/copy","toRepo":"ada/moved","type":"space"}"#,
            "space.move",
        ),
        step(
            "DELETE /api/repos/delete",
            "/api/repos/delete",
            r#"{"name":"moved","organization":"ada","type":"space"}"#,
            "space.delete",
        ),
    ]
}

fn settings() -> Vec<Step> {
    let (key, pair) = (r#"{"key":"A"}"#, r#"{"key":"A","value":"1"}"#);
    let (variables, secrets) = ("/api/spaces/ada/page/variables", "/api/spaces/ada/page/secrets");
    let (storage, settings) = ("/api/spaces/ada/page/storage", "/api/spaces/ada/page/settings");
    vec![
        step("PUT /api/spaces/{owner}/{name}/settings", settings, r#"{"private":true}"#, "space.settings"),
        step("POST /api/spaces/{owner}/{name}/variables", variables, pair, "variable.set"),
        step("DELETE /api/spaces/{owner}/{name}/variables", variables, key, "variable.delete"),
        step("POST /api/spaces/{owner}/{name}/secrets", secrets, pair, "secret.set"),
        step("DELETE /api/spaces/{owner}/{name}/secrets", secrets, key, "secret.delete"),
        step(
            "POST /api/spaces/{owner}/{name}/grants",
            "/api/spaces/ada/page/grants",
            r#"{"flavor":"cpu-upgrade","reason":"it is nice"}"#,
            "grant.ask",
        )
        .keep("$GRANT", "/id"),
        step("POST /api/admin/grants/{param}/approve", "/api/admin/grants/$GRANT/approve", "", "grant.approve"),
        step(
            "POST /api/admin/grants/{param}/deny",
            "/api/admin/grants/$GRANT/deny",
            r#"{"reason":"it was nice"}"#,
            "grant.end",
        ),
        step(
            "POST /api/spaces/{owner}/{name}/hardware",
            "/api/spaces/ada/page/hardware",
            r#"{"flavor":"cpu-upgrade"}"#,
            "space.hardware",
        ),
        step(
            "POST /api/spaces/{owner}/{name}/sleeptime",
            "/api/spaces/ada/page/sleeptime",
            r#"{"seconds":3600}"#,
            "space.sleep_time",
        ),
        step("POST /api/spaces/{owner}/{name}/storage", storage, r#"{"tier":"small"}"#, "space.storage"),
        step("DELETE /api/spaces/{owner}/{name}/storage", storage, "", "space.storage"),
    ]
}

fn running() -> Vec<Step> {
    vec![
        step(
            "POST /api/spaces/{owner}/{name}/oauth/secret",
            "/api/spaces/ada/page/oauth/secret",
            "",
            "oauth.secret.rotate",
        )
        .late(),
        step("POST /api/spaces/{owner}/{name}/pause", "/api/spaces/ada/page/pause", "", "space.pause").late(),
        step("POST /api/spaces/{owner}/{name}/restart", "/api/spaces/ada/page/restart", "", "space.restart"),
        step(
            "POST /api/spaces/{owner}/{name}/releases/{param}/rollback",
            "/api/spaces/ada/page/releases/1/rollback",
            "",
            "release.roll_back",
        )
        .late(),
    ]
}

fn discussions() -> Vec<Step> {
    const ONE: &str = "/api/spaces/ada/page/discussions/1";
    let comment = "POST /api/spaces/{owner}/{name}/discussions/{number}/comment";
    let like = "/api/spaces/ada/page/like";
    vec![
        step("POST /api/spaces/{owner}/{name}/like", like, "", "space.like"),
        step("DELETE /api/spaces/{owner}/{name}/like", like, "", "space.unlike"),
        step(
            "POST /api/spaces/{owner}/{name}/discussions",
            "/api/spaces/ada/page/discussions",
            r#"{"title":"a question"}"#,
            "discussion.open",
        ),
        step(comment, "/api/spaces/ada/page/discussions/1/comment", r#"{"comment":"x"}"#, "comment.create")
            .keep("$COMMENT", "/newMessage/id"),
        step(
            "POST /api/spaces/{owner}/{name}/discussions/{number}/comment/{param}/edit",
            "/api/spaces/ada/page/discussions/1/comment/$COMMENT/edit",
            r#"{"content":"y"}"#,
            "comment.edit",
        ),
        step(
            "POST /api/spaces/{owner}/{name}/discussions/{number}/comment/{param}/hide",
            "/api/spaces/ada/page/discussions/1/comment/$COMMENT/hide",
            "",
            "comment.hide",
        ),
        step(
            "POST /api/spaces/{owner}/{name}/discussions/{number}/title",
            "/api/spaces/ada/page/discussions/1/title",
            r#"{"title":"another"}"#,
            "discussion.rename",
        ),
        step(
            "POST /api/spaces/{owner}/{name}/discussions/{number}/status",
            "/api/spaces/ada/page/discussions/1/status",
            r#"{"status":"closed"}"#,
            "discussion.status",
        ),
        step("DELETE /api/spaces/{owner}/{name}/discussions/{number}", ONE, "", "discussion.delete"),
        step(
            "POST /api/spaces/{owner}/{name}/commit/{rev}",
            "/api/spaces/ada/page/commit/main?create_pr=1",
            PROPOSAL,
            "discussion.open",
        ),
        step(
            "POST /api/spaces/{owner}/{name}/discussions/{number}/merge",
            "/api/spaces/ada/page/discussions/2/merge",
            "",
            "pull_request.merge",
        ),
    ]
}

fn steps() -> Vec<Step> {
    [accounts(), admin(), repositories(), settings(), running(), discussions()].into_iter().flatten().collect()
}

/// A hub, and what steps need of each other.
struct Asked {
    hub: TestHub,
    root: String,
    kept: BTreeMap<&'static str, String>,
}

impl Asked {
    async fn start() -> Self {
        let hub = TestHub::start().await;
        let root = hub.administrator("root").await;
        hub.programs.lock().push(BackendPlugin { name: "container".into(), problem: None, restarts: 0 });
        let bob = hub.control.accounts().authenticate(&hub.bob).unwrap().unwrap().token.id.to_string();
        Self { hub, root, kept: BTreeMap::from([("$BOB", bob)]) }
    }

    /// How many entries of an action there are.
    async fn entries(&self, action: &str) -> usize {
        let root = Actor::User(self.hub.control.accounts().authenticate(&self.root).unwrap().unwrap().user);
        let page = self.hub.control.audit(&root, AuditFilter::default(), 10_000).await.unwrap();
        page.entries.iter().filter(|(_, entry)| entry.action == action).count()
    }

    async fn ask(&self, step: &Step) -> Answer {
        let filled =
            |text: &str| self.kept.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
        let (method, path, body) = (step.route.split(' ').next().unwrap(), filled(step.path), filled(step.body));
        let token = if path.starts_with("/api/admin/") { &self.root } else { &self.hub.ada };
        let mut request =
            Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        if !body.is_empty() {
            let lines = step.route.contains("/commit/");
            request = request.header("content-type", if lines { "application/x-ndjson" } else { "application/json" });
        }
        self.hub.send(request.body(Body::from(body)).unwrap()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_by_the_api_is_in_the_audit_log() {
    let mut asked = Asked::start().await;
    let mut wrong = Vec::new();
    for step in steps() {
        if step.is_late {
            asked.hub.reaches("page", "RUNNING").await;
        }
        let before = asked.entries(step.action).await;
        let answer = asked.ask(&step).await;
        assert!(answer.status.is_success(), "{}: {answer:?}", step.route);
        let after = asked.entries(step.action).await;
        if after != before + 1 {
            wrong.push(format!("{}: {} entries of {}", step.route, after - before, step.action));
        }
        if let Some((name, pointer)) = step.keep {
            let answer: Value = answer.json();
            let value = answer.pointer(pointer).and_then(Value::as_str);
            asked.kept.insert(name, value.unwrap_or_else(|| panic!("{}: {answer}", step.route)).to_owned());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_route_that_changes_something_is_asked_or_has_a_reason() {
    let routes: BTreeSet<String> = routes::all().into_iter().filter(|route| !route.starts_with("GET ")).collect();
    let asked: BTreeSet<String> = steps().iter().map(|step| step.route.to_owned()).collect();
    let excused: BTreeSet<String> = NO_ENTRY.iter().map(|(route, _)| (*route).to_owned()).collect();
    let known: BTreeSet<String> = asked.union(&excused).cloned().collect();
    let missing: Vec<_> = routes.difference(&known).collect();
    let gone: Vec<_> = known.difference(&routes).collect();
    assert!(missing.is_empty(), "say which entry these leave, or why they leave none: {missing:#?}");
    assert!(gone.is_empty(), "there are no such routes: {gone:#?}");
    assert_eq!(asked.intersection(&excused).collect::<Vec<_>>(), Vec::<&String>::new());
}
