//! The table: for each route one letter for each of those who ask.

use http::Method;

/// A route and who is let in.
pub(in super::super) struct Row {
    /// `METHOD /path`, as the router has it.
    pub(in super::super) route: &'static str,
    /// One letter each.
    pub(in super::super) expected: &'static str,
    /// What is sent. `NAME` is another name in each request.
    pub(in super::super) body: &'static str,
    pub(in super::super) content_type: &'static str,
    param: &'static str,
    rev: &'static str,
    query: &'static str,
}

impl Row {
    fn body(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    fn of(self, content_type: &'static str) -> Self {
        Self { content_type, ..self }
    }

    fn param(self, param: &'static str) -> Self {
        Self { param, ..self }
    }

    fn rev(self, rev: &'static str) -> Self {
        Self { rev, ..self }
    }

    fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    pub(in super::super) fn method(&self) -> Method {
        self.route.split(' ').next().unwrap().parse().unwrap()
    }

    pub(in super::super) fn address(&self) -> String {
        let path = self.route.split(' ').nth(1).unwrap();
        let names = [
            ("{owner}", "lab"),
            ("{name}", "page"),
            ("{rev}", self.rev),
            ("{*path}", "README.md"),
            ("{user}", "ada"),
            ("{number}", "999"),
        ];
        let path = names.iter().fold(path.to_owned(), |path, (part, value)| path.replace(part, value));
        format!("{}{}", path.replace("{param}", self.param), self.query)
    }
}

fn row(route: &'static str, expected: &'static str) -> Row {
    Row { route, expected, body: "", content_type: "application/json", param: "lab", rev: "main", query: "" }
}

// In the order of `WHO`: nobody, a stranger, a member who reads, one who writes, an admin's token that reads, an admin, an
// administrator of the host, an admin's token for another Space.

/// Everybody.
const OPEN: &str = "........";
/// Whoever has signed in.
const SIGNED: &str = "S.......";
/// Who sees the Space.
pub(in super::super) const SEE: &str = "SH.....H";
/// Who sees its settings.
const SETTINGS: &str = "SHF....H";
/// Who changes it.
const WRITE: &str = "SHF.F..H";
/// Who sees it, with a token that writes.
const LIKE: &str = "SH..F..H";
/// Who gives it to somebody else.
const GIVE_AWAY: &str = "SHFFF..H";
/// Who creates Spaces of the organization.
const CREATE: &str = "SFF.F..F";
/// Members, with a token that reads all that they see.
const INSIDE: &str = "SF.....F";
/// Who manages the organization.
const MANAGE: &str = "SFFFF..F";
/// Who administers the host.
const ADMIN: &str = "SFFFFF.F";
/// The same of pages, which send whoever is nobody to sign in.
const ADMIN_PAGE: &str = ".FFFFF.F";
/// Whoever has signed in, with a token that is for the account.
const ACCOUNT: &str = "S......F";
/// The same, with one that writes.
const ACCOUNT_WRITE: &str = "S...F..F";
/// Nobody, without a ticket.
const TICKET: &str = "FFFFFFFF";
/// Nobody: it is not offered.
const NEVER: &str = "........";
/// A form, which only a browser that was shown it sends.
const FORM: &str = "FFFFFFFF";
/// Nobody, without a link that the host has told.
const NO_LINK: &str = "........";
/// For tokens of applications alone, or for whoever says which application it is.
const BEARER: &str = "SSSSSSSS";
/// For applications: users' tokens are not theirs.
const NO_CLIENT: &str = ".SSSSSSS";
/// A page, which tells nobody to sign in.
const PAGE: &str = "HH.....H";
/// The same of who sees its settings.
const SETTINGS_PAGE: &str = "HHF....H";

const FINGERPRINT: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const MULTILINE: &str = "application/x-ndjson";
const COMMIT: &str = concat!(
    r#"{"key":"header","value":{"summary":"change"}}"#,
    "\n",
    r#"{"key":"file","value":{"path":"a.txt","content":"a","encoding":"utf-8"}}"#,
    "\n"
);

/// Every route.
pub(in super::super) fn rows() -> Vec<Row> {
    [host(), accounts(), organizations(), admin(), spaces(), settings(), running(), files(), git()]
        .into_iter()
        .flatten()
        .collect()
}

fn host() -> Vec<Row> {
    vec![
        row("GET /healthz", OPEN),
        row("GET /api/openapi.json", OPEN),
        row("GET /readyz", OPEN),
        row("GET /", OPEN),
        row("GET /{param}", OPEN).param("ada"),
        row("GET /new-space", OPEN),
        row("GET /assets/{rev}/{param}", OPEN).param("page.js"),
        row("GET /.well-known/openid-configuration", OPEN),
        row("GET /.well-known/oauth-authorization-server", OPEN),
        row("GET /oauth/jwks", OPEN),
        row("GET /oauth/authorize", OPEN),
        row("POST /oauth/consent", OPEN),
        row("POST /oauth/token", NO_CLIENT),
        row("POST /oauth/revoke", NO_CLIENT),
        row("GET /oauth/userinfo", BEARER),
        row("POST /oauth/userinfo", BEARER),
        row("POST /oauth/device", OPEN).body(r#"{"client_id":"26be6b09-91c5-47da-9861-d2d2bb7a7e36"}"#),
        row("GET /oauth/device", OPEN),
        row("POST /oauth/device/answer", OPEN),
        row("GET /avatars/{param}", OPEN).param("ada"),
        row("GET /login", OPEN),
        row("POST /login", FORM),
        // There is no such page here, whoever asks: ui/tests/join has it where there is.
        row("GET /join", OPEN),
        row("POST /join", OPEN),
        row("GET /setup", NO_LINK),
        row("POST /setup", FORM),
        row("GET /logout", OPEN),
        row("POST /logout", OPEN),
        row("GET /settings", OPEN),
        row("GET /settings/profile", OPEN),
        row("GET /settings/tokens", OPEN),
        row("GET /settings/keys", OPEN),
        row("GET /settings/organizations", OPEN),
        row("GET /settings/organizations/{param}", OPEN),
        row("GET /settings/usage", OPEN),
        row("GET /settings/sessions", OPEN),
        row("GET /settings/applications", OPEN),
        row("POST /settings/applications", OPEN),
        row("GET /api/spaces", OPEN),
        row("GET /api/spaces/hardware", OPEN),
        row("GET /api/spaces/templates", OPEN),
        row("GET /api/spaces/semantic-search", OPEN).query("?q=page"),
        row("GET /api/spaces/zero-gpu/quota", SIGNED),
        row("POST /api/validate-yaml", OPEN).body(r#"{"content":"---\nsdk: static\n---\n","repoType":"space"}"#),
    ]
}

fn accounts() -> Vec<Row> {
    vec![
        row("GET /api/whoami-v2", SIGNED),
        row("GET /api/settings/repositories", SIGNED),
        row("GET /api/settings/usage", ACCOUNT),
        row("GET /api/settings/tokens", ACCOUNT),
        row("POST /api/settings/tokens", ACCOUNT_WRITE).body(r#"{"displayName":"x","role":"read"}"#),
        row("DELETE /api/settings/tokens/{param}", ACCOUNT_WRITE).param("0123456789abcdef01234567"),
        row("POST /api/credentials/revoke", OPEN).body(r#"{"credentials":[]}"#),
        row("GET /api/settings/sessions", ACCOUNT),
        row("DELETE /api/settings/sessions", ACCOUNT_WRITE),
        row("DELETE /api/settings/sessions/{param}", ACCOUNT_WRITE).param("0123456789abcdef01234567"),
        row("POST /api/settings/password", ACCOUNT_WRITE).body(r#"{"current":"x","new":"long enough"}"#),
        row("GET /api/settings/keys", ACCOUNT),
        row("POST /api/settings/keys", ACCOUNT_WRITE).body(r#"{"title":"x","key":"x"}"#),
        row("DELETE /api/settings/keys/{param}", ACCOUNT_WRITE).param(FINGERPRINT),
        row("GET /api/ssh", OPEN),
        row("GET /api/settings/webhooks", ACCOUNT),
        row("POST /api/settings/webhooks", ACCOUNT_WRITE).body("{}"),
        row("GET /api/settings/webhooks/{param}", ACCOUNT).param("0123456789abcdef01234567"),
        row("GET /api/settings/webhooks/{param}/deliveries", ACCOUNT).param("0123456789abcdef01234567"),
        row("POST /api/settings/webhooks/{param}", ACCOUNT_WRITE).param("0123456789abcdef01234567").body("{}"),
        row("DELETE /api/settings/webhooks/{param}", ACCOUNT_WRITE).param("0123456789abcdef01234567"),
        row("POST /api/settings/webhooks/{param}/enable", ACCOUNT_WRITE).param("0123456789abcdef01234567"),
        row("POST /api/settings/webhooks/{param}/disable", ACCOUNT_WRITE).param("0123456789abcdef01234567"),
        row("GET /api/users/{param}/overview", OPEN).param("ada"),
        row("GET /api/users/{param}/likes", OPEN).param("ada"),
        row("GET /api/users/{param}/followers", OPEN).param("ada"),
        row("GET /api/users/{param}/following", OPEN).param("ada"),
    ]
}

fn organizations() -> Vec<Row> {
    vec![
        row("GET /api/organizations/{param}/overview", OPEN),
        row("GET /api/organizations/{param}/followers", OPEN),
        row("GET /api/organizations/{param}/members", OPEN),
        row("GET /api/organizations/{param}/settings/repositories", INSIDE),
        row("POST /api/organizations", ACCOUNT_WRITE).body(r#"{"name":"NAME"}"#),
        // It owns Spaces, so that nobody ends it by asking; nor does its last admin go.
        row("DELETE /api/organizations/{param}", MANAGE),
        row("PUT /api/organizations/{param}/members/{user}", MANAGE).body(r#"{"role":"admin"}"#),
        row("DELETE /api/organizations/{param}/members/{user}", MANAGE),
        row("GET /api/admin/organizations", ADMIN),
        row("POST /api/admin/organizations", ADMIN).body(r#"{"name":"made","owner":"bob"}"#),
        row("GET /api/admin/organizations/{param}", ADMIN),
        row("DELETE /api/admin/organizations/{param}", ADMIN),
        row("PUT /api/admin/organizations/{param}/members/{user}", ADMIN).body(r#"{"role":"admin"}"#),
        row("DELETE /api/admin/organizations/{param}/members/{user}", ADMIN),
    ]
}

fn admin() -> Vec<Row> {
    const ABSENT: &str = "0123456789abcdef01234567";
    vec![
        row("GET /admin", ADMIN_PAGE),
        row("GET /admin/users", ADMIN_PAGE),
        row("GET /admin/users/{param}", ADMIN_PAGE).param("ada"),
        row("GET /admin/hardware", ADMIN_PAGE),
        row("GET /admin/plugins", ADMIN_PAGE),
        row("GET /admin/grants", ADMIN_PAGE),
        row("GET /admin/quotas", ADMIN_PAGE),
        row("GET /admin/audit", ADMIN_PAGE),
        row("GET /admin/usage", ADMIN_PAGE),
        row("GET /api/admin/users", ADMIN),
        row("POST /api/admin/users", ADMIN).body(r#"{"name":"NAME"}"#),
        row("GET /api/admin/users/{param}", ADMIN).param("ada"),
        row("PATCH /api/admin/users/{param}", ADMIN).param("bob").body(r#"{"isAdmin":false}"#),
        // The last admin of an organization stays.
        row("DELETE /api/admin/users/{param}", ADMIN).param("ada"),
        row("PUT /api/admin/users/{param}/email", ADMIN).param("bob").body(r#"{"address":"bob@example.org"}"#),
        row("DELETE /api/admin/users/{param}/email", ADMIN).param("bob"),
        row("GET /api/admin/users/{param}/tokens", ADMIN).param("bob"),
        row("POST /api/admin/users/{param}/tokens", ADMIN).param("bob").body(r#"{"role":"read"}"#),
        row("GET /api/admin/tokens", ADMIN),
        row("GET /api/admin/tokens/{param}", ADMIN).param(ABSENT),
        row("PATCH /api/admin/tokens/{param}", ADMIN).param(ABSENT).body("{}"),
        row("DELETE /api/admin/tokens/{param}", ADMIN).param(ABSENT),
        row("GET /api/admin/hardware", ADMIN),
        row("GET /api/admin/hardware/{param}", ADMIN).param("cpu-basic"),
        row("POST /api/admin/hardware", ADMIN).body(r#"{"name":"cpu-NAME","vcpu":1,"memory":"1GB","disk":"1GB"}"#),
        row("PATCH /api/admin/hardware/{param}", ADMIN).param("cpu-basic").body("{}"),
        row("DELETE /api/admin/hardware/{param}", ADMIN).param("cpu-basic"),
        row("GET /api/admin/plugins", ADMIN),
        row("POST /api/admin/plugins", ADMIN),
        row("DELETE /api/admin/plugins/{param}", ADMIN),
        row("GET /api/admin/plugins/{param}", ADMIN),
        row("POST /api/admin/plugins/{param}/enable", ADMIN),
        row("POST /api/admin/plugins/{param}/disable", ADMIN),
        row("GET /api/admin/quotas", ADMIN),
        row("GET /api/admin/quotas/{param}", ADMIN),
        row("PUT /api/admin/quotas/{param}", ADMIN).body("{}"),
        row("DELETE /api/admin/quotas/{param}", ADMIN),
        row("GET /api/admin/grants", ADMIN),
        row("GET /api/admin/grants/{param}", ADMIN).param(ABSENT),
        row("POST /api/admin/grants/{param}/approve", ADMIN).param(ABSENT),
        row("POST /api/admin/grants/{param}/deny", ADMIN).param(ABSENT).body(r#"{"reason":"x"}"#),
        row("GET /api/admin/usage", ADMIN),
        row("GET /api/admin/audit", ADMIN),
    ]
}

fn spaces() -> Vec<Row> {
    vec![
        row("GET /spaces/{owner}/{name}", PAGE),
        row("GET /spaces/{owner}/{name}/settings", SETTINGS_PAGE),
        row("GET /spaces/{owner}/{name}/discussions", PAGE),
        row("GET /spaces/{owner}/{name}/discussions/{number}", PAGE),
        row("GET /spaces/{owner}/{name}/tree/{rev}", PAGE),
        row("GET /spaces/{owner}/{name}/tree/{rev}/{*path}", PAGE),
        row("GET /spaces/{owner}/{name}/blob/{rev}/{*path}", PAGE),
        row("GET /spaces/{owner}/{name}/edit/{rev}", PAGE),
        row("GET /spaces/{owner}/{name}/edit/{rev}/{*path}", PAGE),
        row("GET /spaces/{owner}/{name}/commits/{rev}", PAGE),
        row("GET /spaces/{owner}/{name}/commit/{rev}", PAGE),
        row("GET /spaces/{owner}/{name}/logs", SETTINGS_PAGE),
        row("GET /spaces/{owner}/{name}/metrics", SETTINGS_PAGE),
        row("GET /spaces/{owner}/{name}/releases", PAGE),
        row("POST /api/repos/create", CREATE)
            .body(r#"{"name":"NAME","organization":"lab","type":"space","sdk":"static"}"#),
        row("DELETE /api/repos/delete", WRITE).body(r#"{"name":"page","organization":"lab","type":"space"}"#),
        row("POST /api/repos/move", GIVE_AWAY).body(r#"{"fromRepo":"lab/page","toRepo":"ada/NAME","type":"space"}"#),
        row("GET /api/spaces/{owner}/{name}", SEE),
        row("GET /api/spaces/by-subdomain/{param}", SEE).param("lab-page"),
        row("GET /api/spaces/{owner}/{name}/revision/{rev}", SEE),
        row("GET /api/spaces/{owner}/{name}/host", SEE),
        row("GET /api/spaces/{owner}/{name}/jwt", SEE),
        row("GET /api/spaces/{owner}/{name}/auth-check", SEE),
        row("GET /api/spaces/{owner}/{name}/auth-check/write", WRITE),
        // A token for another Space creates none; whoever sees the Space copies it into a place of their own.
        row("POST /api/spaces/{owner}/{name}/duplicate", WRITE).body(r#"{"repository":"lab/copy-NAME"}"#),
        row("POST /api/spaces/{owner}/{name}/like", LIKE),
        row("DELETE /api/spaces/{owner}/{name}/like", LIKE),
        row("GET /api/spaces/{owner}/{name}/likers", SEE),
        row("GET /api/spaces/{owner}/{name}/discussions", SEE),
        row("POST /api/spaces/{owner}/{name}/discussions", LIKE).body(r#"{"title":"a question"}"#),
        row("GET /api/spaces/{owner}/{name}/discussions/{number}", SEE),
        row("DELETE /api/spaces/{owner}/{name}/discussions/{number}", LIKE),
        row("POST /api/spaces/{owner}/{name}/discussions/{number}/comment", LIKE).body(r#"{"comment":"x"}"#),
        row("POST /api/spaces/{owner}/{name}/discussions/{number}/comment/{param}/edit", LIKE)
            .body(r#"{"content":"x"}"#),
        row("POST /api/spaces/{owner}/{name}/discussions/{number}/comment/{param}/hide", LIKE),
        row("POST /api/spaces/{owner}/{name}/discussions/{number}/title", LIKE).body(r#"{"title":"another"}"#),
        row("POST /api/spaces/{owner}/{name}/discussions/{number}/status", LIKE).body(r#"{"status":"closed"}"#),
        row("POST /api/spaces/{owner}/{name}/discussions/{number}/merge", WRITE),
    ]
}

fn settings() -> Vec<Row> {
    let (key, pair) = (r#"{"key":"A"}"#, r#"{"key":"A","value":"1"}"#);
    vec![
        row("PUT /api/spaces/{owner}/{name}/settings", WRITE).body(r#"{"visibility":"private"}"#),
        row("GET /api/spaces/{owner}/{name}/usage", SETTINGS),
        row("GET /api/spaces/{owner}/{name}/scan", SETTINGS),
        row("GET /api/spaces/{owner}/{name}/grants", SETTINGS),
        row("POST /api/spaces/{owner}/{name}/grants", WRITE).body(r#"{"flavor":"cpu-upgrade","reason":"x"}"#),
        row("GET /api/spaces/{owner}/{name}/variables", SETTINGS),
        row("POST /api/spaces/{owner}/{name}/variables", WRITE).body(pair),
        row("DELETE /api/spaces/{owner}/{name}/variables", WRITE).body(key),
        row("GET /api/spaces/{owner}/{name}/secrets", SETTINGS),
        row("POST /api/spaces/{owner}/{name}/secrets", WRITE).body(pair),
        row("DELETE /api/spaces/{owner}/{name}/secrets", WRITE).body(key),
        row("POST /api/spaces/{owner}/{name}/hardware", WRITE).body(r#"{"flavor":"cpu-basic"}"#),
        row("POST /api/spaces/{owner}/{name}/sleeptime", WRITE).body(r#"{"seconds":3600}"#),
        row("POST /api/spaces/{owner}/{name}/storage", WRITE).body(r#"{"tier":"small"}"#),
        row("DELETE /api/spaces/{owner}/{name}/storage", WRITE),
    ]
}

fn running() -> Vec<Row> {
    vec![
        row("GET /api/spaces/{owner}/{name}/runtime", SEE),
        row("POST /api/spaces/{owner}/{name}/pause", WRITE),
        row("POST /api/spaces/{owner}/{name}/restart", WRITE),
        row("GET /api/spaces/{owner}/{name}/logs/{param}", SETTINGS).param("run"),
        row("GET /api/spaces/{owner}/{name}/events", SEE),
        row("GET /api/spaces/{owner}/{name}/metrics", SETTINGS),
        row("GET /api/spaces/{owner}/{name}/metrics/history", SETTINGS),
        row("POST /api/spaces/{owner}/{name}/dev-mode", WRITE).body(r#"{"enabled":false}"#),
        row("POST /api/spaces/{owner}/{name}/replicas", WRITE).body(r#"{"replicas":1}"#),
        row("PUT /api/spaces/{owner}/{name}/volumes", WRITE).body(r#"{"volumes":[]}"#),
        row("DELETE /api/spaces/{owner}/{name}/volumes", WRITE),
        row("POST /api/spaces/{owner}/{name}/oauth/secret", WRITE),
        row("GET /api/spaces/{owner}/{name}/previews", SEE),
        row("POST /api/spaces/{owner}/{name}/previews", WRITE).body(r#"{"ref":"absent"}"#),
        row("DELETE /api/spaces/{owner}/{name}/previews", WRITE).body(r#"{"ref":"absent"}"#),
        row("GET /api/spaces/{owner}/{name}/releases", SEE),
        row("POST /api/spaces/{owner}/{name}/releases/{param}/rollback", WRITE).param("999"),
    ]
}

fn files() -> Vec<Row> {
    vec![
        row("POST /api/spaces/{owner}/{name}/preupload/{rev}", WRITE).body(r#"{"files":[]}"#),
        row("POST /api/spaces/{owner}/{name}/commit/{rev}", WRITE).body(COMMIT).of(MULTILINE),
        row("GET /api/spaces/{owner}/{name}/refs", SEE),
        row("GET /api/spaces/{owner}/{name}/commits/{rev}", SEE),
        row("POST /api/spaces/{owner}/{name}/branch/{rev}", WRITE).body("{}"),
        row("DELETE /api/spaces/{owner}/{name}/branch/{rev}", WRITE).rev("draft"),
        row("POST /api/spaces/{owner}/{name}/tag/{rev}", WRITE).body(r#"{"tag":"NAME"}"#),
        row("DELETE /api/spaces/{owner}/{name}/tag/{rev}", WRITE),
        row("POST /api/spaces/{owner}/{name}/super-squash/{rev}", WRITE).body(r#"{"message":"one"}"#),
        row("GET /api/spaces/{owner}/{name}/tree/{rev}", SEE),
        row("GET /api/spaces/{owner}/{name}/tree/{rev}/{*path}", SEE),
        row("POST /api/spaces/{owner}/{name}/paths-info/{rev}", SEE).body(r#"{"paths":["README.md"]}"#),
        row("GET /spaces/{owner}/{name}/resolve/{rev}/{*path}", SEE),
        row("GET /spaces/{owner}/{name}/raw/{rev}/{*path}", SEE),
        row("GET /api/spaces/{owner}/{name}/lfs-files", SETTINGS),
        row("POST /api/spaces/{owner}/{name}/lfs-files/batch", WRITE),
        row("GET /api/spaces/{owner}/{name}/xet-write-token/{rev}", SEE),
        row("GET /api/spaces/{owner}/{name}/xet-read-token/{rev}", SEE),
        row(
            "GET /api/xet/is-not-offered-by-this-host:set-HF_HUB_DISABLE_XET=1-and-try-again,or-push-with-git-lfs",
            NEVER,
        ),
    ]
}

fn git() -> Vec<Row> {
    const LFS: &str = "application/vnd.git-lfs+json";
    vec![
        row("GET /spaces/{owner}/{name}/info/refs", SEE).query("?service=git-upload-pack"),
        row("POST /spaces/{owner}/{name}/git-upload-pack", SEE)
            .body("0000")
            .of("application/x-git-upload-pack-request"),
        row("POST /spaces/{owner}/{name}/git-receive-pack", WRITE)
            .body("0000")
            .of("application/x-git-receive-pack-request"),
        row("POST /spaces/{owner}/{name}/info/lfs/objects/batch", WRITE)
            .body(r#"{"operation":"upload","objects":[]}"#)
            .of(LFS),
        row("GET /spaces/{owner}/{name}/info/lfs/locks", NEVER),
        row("POST /spaces/{owner}/{name}/info/lfs/locks", NEVER).body("{}").of(LFS),
        row("POST /spaces/{owner}/{name}/info/lfs/locks/verify", NEVER).body("{}").of(LFS),
        row("GET /api/lfs/{param}", TICKET).param("0000000000000000000000000000000000000000000000000000000000000000"),
        row("PUT /api/lfs/{param}", TICKET).param("0000000000000000000000000000000000000000000000000000000000000000"),
        row("POST /api/lfs/{param}", TICKET).param("0000000000000000000000000000000000000000000000000000000000000000"),
    ]
}
