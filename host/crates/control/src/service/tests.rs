mod administration;
mod ssh;
mod turns;
mod webhooks;

use std::path::Path;
use std::time::Duration;

use spaceport_core::egress::EgressPolicy;
use spaceport_core::id::AccountId;
use spaceport_core::limits::OperatorLimits;
use spaceport_core::permission::TokenRole;
use spaceport_core::space::{Sdk, Visibility};
use spaceport_db::Options;
use tempfile::TempDir;

use super::*;
use crate::fleet::{FleetConfig, FleetParts};
use crate::testing::ManualClock;

mod organizations;
mod tokens;

/// A value that must be found nowhere on disk.
const CANARY: &str = "canary-a71c9e";

pub(super) struct Host {
    pub(super) control: Control,
    pub(super) ada: Actor,
    token: TokenText,
    pub(super) repos: Arc<Repos>,
    clock: Arc<ManualClock>,
    dir: TempDir,
}

impl Host {
    pub(super) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (control, clock) = Self::over(dir.path()).await;
        let repos = control.inner.repos.clone();
        let (ada, token) = user(&control).await;
        Self { control, ada, token, repos, clock, dir }
    }

    /// A host that starts with what another had on its disk at this moment, as after a power cut. The index is left behind:
    /// it is made again.
    async fn after_a_power_cut(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for part in ["keys", "store", "store/journal", "repos"] {
            copy(&self.dir.path().join(part), &dir.path().join(part), part == "repos");
        }
        let (control, clock) = Self::over(dir.path()).await;
        let (repos, token) = (control.inner.repos.clone(), self.token.clone());
        let signed = control.accounts().authenticate(token.expose()).unwrap().unwrap();
        Self { control, ada: Actor::User(signed.user), token, repos, clock, dir }
    }

    async fn over(dir: &Path) -> (Control, Arc<ManualClock>) {
        let keys = KeyStore::open(&dir.join("keys")).unwrap();
        let db = Arc::new(Db::open(&dir.join("store"), &keys, Options::default()).unwrap().0);
        let repos = Arc::new(Repos::open(&dir.join("repos")).await.unwrap());
        let clock = ManualClock::new(1_700_000_000_000);
        let addresses = Addresses { scheme: "http".into(), hub: "hub.test".into(), spaces: "spaces.test".into() };
        let config = FleetConfig {
            data: dir.to_owned(),
            keys: keys.clone(),
            catalogue: Catalogue::default(),
            addresses,
            limits: OperatorLimits::default(),
            egress: EgressPolicy::default(),
            free_sleep_after: None,
            expose_static_secrets: true,
            build_workers: 1,
            build_deadline: Duration::from_secs(10),
            stop_grace: Duration::ZERO,
        };
        let parts = FleetParts {
            db: db.clone(),
            repos: repos.clone(),
            backends: Vec::new(),
            backend_plugins: Arc::new(Vec::new),
            clock: clock.clone(),
            routes: Arc::default(),
        };
        let fleet = Fleet::start(config, parts).await.unwrap();
        let control = Control::new(ControlParts { db, repos, keys, fleet, clock: clock.clone() });
        (control, clock)
    }

    pub(super) async fn create(&self, name: &str) -> ServiceResult<Space> {
        Ok(self.control.create_space(&self.ada, new_space(name)).await?.value)
    }
}

async fn user(control: &Control) -> (Actor, TokenText) {
    let accounts = control.accounts();
    let name = || "ada".parse().unwrap();
    let password = Some(format!("password {CANARY}"));
    accounts.create_user(NewUser { name: name(), is_admin: false, password }).await.unwrap();
    let new = NewToken { user: name(), role: TokenRole::Write, label: "test".into() };
    let token = accounts.create_token(new).await.unwrap();
    let signed = accounts.authenticate(token.expose()).unwrap().unwrap();
    (Actor::User(signed.user), token)
}

fn new_space(name: &str) -> NewSpace {
    NewSpace {
        owner: None,
        name: name.parse().unwrap(),
        sdk: Sdk::Static,
        visibility: Visibility::Public,
        hardware: None,
        storage: None,
        sleep_after: None,
        variables: Vec::new(),
        secrets: vec![setting("FIRST", CANARY)],
        license: None,
    }
}

fn setting(name: &str, value: &str) -> NewSetting {
    NewSetting { name: name.into(), value: value.into(), description: None }
}

/// Copies the files of a folder, with those of the folders in it if it is `deep`.
fn copy(from: &Path, to: &Path, deep: bool) {
    std::fs::create_dir(to).unwrap();
    std::fs::set_permissions(to, from.metadata().unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true if deep => copy(&entry.path(), &to, deep),
            true => {}
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

fn files_with(dir: &Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if std::fs::read(&path)
            .is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
        {
            found.push(path);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_spaces_created_at_once_under_one_name_one_is_made() {
    let host = Host::start().await;
    let results = futures_util::future::join_all((0..6).map(|_| host.create("page"))).await;
    let made = results.iter().filter(|result| result.is_ok()).count();
    let taken = results.iter().filter(|result| matches!(result, Err(ServiceError::NameTaken(_)))).count();
    assert_eq!((made, taken), (1, 5), "{results:?}");
    assert_eq!(host.repos.list().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_of_many_at_once_is_lost() {
    let host = Host::start().await;
    let path = host.create("page").await.unwrap().path;
    let names: Vec<String> = (0..20).map(|n| format!("NAME_{n}")).collect();
    let changes = names.iter().map(|name| host.control.set_variable(&host.ada, &path, setting(name, "1")));
    for result in futures_util::future::join_all(changes).await {
        result.unwrap();
    }
    let variables = host.control.variables(&host.ada, &path).unwrap();
    assert!(names.iter().all(|name| variables.contains_key(name)), "{variables:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_space_that_failed_may_be_restarted() {
    let host = Host::start().await;
    let path = host.create("page").await.unwrap().path;
    let mut changes = host.control.changes(&host.ada, &path).unwrap();
    let failed = changes.wait_for(|view| view.state.error_message().is_some());
    tokio::time::timeout(Duration::from_secs(30), failed).await.unwrap().unwrap();
    host.control.restart(&host.ada, &path, Restart::Plain).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_secrets_nor_passwords_nor_tokens_lie_on_disk_in_the_clear() {
    let host = Host::start().await;
    let path = host.create("page").await.unwrap().path;
    host.control.set_secret(&host.ada, &path, setting("KEY", CANARY)).await.unwrap();
    host.control.set_variable(&host.ada, &path, setting("PLAIN", "seen-a71c9e")).await.unwrap();
    assert_eq!(files_with(host.dir.path(), CANARY), Vec::<std::path::PathBuf>::new());
    assert_eq!(files_with(host.dir.path(), host.token.expose()), Vec::<std::path::PathBuf>::new());
    assert!(!files_with(host.dir.path(), "seen-a71c9e").is_empty(), "the search finds what is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_is_not_created_leaves_neither_repository_nor_mark() {
    let host = Host::start().await;
    let space = host.create("page").await.unwrap();
    let db = &host.control.inner.db;
    assert!(matches!(host.create("page").await, Err(ServiceError::NameTaken(_))));
    let results = futures_util::future::join_all((0..3).map(|_| host.create("other"))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(host.repos.list().await.unwrap().len(), 2);
    assert_eq!(db.lifecycles().scan().unwrap().len(), 2);
    assert!(db.lifecycles().get(&space.id).unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_the_fleet_was_not_told_of_is_built_when_it_is_sent_again() {
    let host = Host::start().await;
    let space = host.create("page").await.unwrap();
    let put = FileChange::Put { path: "a.txt".into(), content: "1".into() };
    let new = NewCommit { summary: "change".into(), changes: vec![put], ..NewCommit::default() };
    // As a host that fails between the two leaves it.
    let change = spaceport_git::Change::Put {
        path: spaceport_git::RepoPath::parse("a.txt").unwrap(),
        mode: spaceport_git::FileMode::Regular,
        content: "1".into(),
    };
    let author = spaceport_git::Author { name: "ada".into(), email: "ada".into(), at: 0 };
    let spec = spaceport_git::CommitSpec {
        branch: "main".into(),
        parent: None,
        author,
        message: "change".into(),
        changes: vec![change],
    };
    let head = host.repos.repo(space.id).commit(spec).await.unwrap();
    assert_eq!(host.control.commit(&host.ada, &space.path, "main", new).await.unwrap().value, head);
    let state = host.control.fleet().state(space.id).unwrap().state;
    assert_eq!(state.known_head(), Some(head));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kind_that_a_readme_names_is_kept_before_anything_is_built() {
    let host = Host::start().await;
    let path = host.create("page").await.unwrap().path;
    let put = FileChange::Put { path: "README.md".into(), content: "---\nsdk: wasm\n---\n".into() };
    let new = NewCommit { summary: "an app".into(), changes: vec![put], ..NewCommit::default() };
    host.control.commit(&host.ada, &path, "main", new).await.unwrap();
    assert_eq!(host.control.space(&host.ada, &path, Action::See).unwrap().sdk, Sdk::Wasm);
}

#[tokio::test]
async fn names_of_addresses_are_nobodys() {
    let host = Host::start().await;
    for name in ["admin", "Hardware", "by-subdomain", "zero-gpu", "semantic-search", "templates"] {
        let new = NewUser { name: name.parse().unwrap(), is_admin: false, password: None };
        let refused = host.control.accounts().create_user(new).await;
        assert!(matches!(&refused, Err(ServiceError::Invalid(why)) if why.contains("reserved")), "{name}");
    }
}

#[tokio::test]
async fn no_change_of_a_space_waits_for_that_of_another() {
    let host = Host::start().await;
    let space = |number: u8| SpaceId::from_bytes([number; 12]);
    let mut turns = Vec::new();
    for number in 0..200 {
        let turn = host.control.bare_turn(space(number));
        turns.push(tokio::time::timeout(Duration::from_secs(10), turn).await.expect("a turn of its own"));
    }
    let own = host.control.bare_turn(space(7));
    tokio::select! {
        biased;
        _ = own => panic!("two changes of one Space at once"),
        () = tokio::task::yield_now() => {}
    }
    drop(turns);
    drop(host.control.bare_turn(space(1)).await);
    assert!(host.control.inner.turns.lock().len() <= 1, "locks that nobody needs go");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_readme_of_any_size_is_not_taken() {
    let host = Host::start().await;
    let path = host.create("page").await.unwrap().path;
    let content = format!("---\nsdk: static\n---\n{}", "x".repeat(1 << 20));
    let put = FileChange::Put { path: "README.md".into(), content: content.into() };
    let new = NewCommit { summary: "a book".into(), changes: vec![put], ..NewCommit::default() };
    let refused = host.control.commit(&host.ada, &path, "main", new).await;
    assert!(matches!(&refused, Err(ServiceError::Invalid(why)) if why.contains("1048576")), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_token_changes_nothing() {
    let host = Host::start().await;
    let path = host.create("page").await.unwrap().path;
    let new = NewToken { user: "ada".parse().unwrap(), role: TokenRole::Read, label: "look".into() };
    let token = host.control.accounts().create_token(new).await.unwrap();
    let reader = Actor::User(host.control.accounts().authenticate(token.expose()).unwrap().unwrap().user);
    assert!(host.control.variables(&reader, &path).is_ok());
    let refused = host.control.set_variable(&reader, &path, setting("A", "1")).await;
    assert!(matches!(refused, Err(ServiceError::Denied(Denied::Forbidden))), "{refused:?}");
    let refused = host.control.create_space(&reader, new_space("other")).await;
    assert!(matches!(refused, Err(ServiceError::Forbidden(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_lets_its_bearer_visit_one_space_for_a_day() {
    let host = Host::start().await;
    let (space, other) = (host.create("page").await.unwrap(), host.create("other").await.unwrap());
    let subject = Subject { visibility: Visibility::Private, ..Subject::of(&space) };
    let pass = host.control.visitor_pass(&host.ada, &space.path).unwrap();
    let visits = |pass: &str, id| host.control.may_visit(pass, id, subject).unwrap();
    assert!(visits(&pass, space.id) && visits(host.token.expose(), space.id));
    assert!(!visits(&pass, other.id), "it is for one Space");
    assert!(host.control.accounts().authenticate(&pass).unwrap().is_none(), "and for its app alone");
    let parts: Vec<&str> = pass.split('.').collect();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    for forged in [
        format!("{}.{}.", parts[0], parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{}.{}x.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(parts[2].len())),
        parts[1].to_owned(),
        String::new(),
        "..".to_owned(),
        "x".repeat(1 << 20),
    ] {
        assert!(!visits(&forged, space.id), "{}", &forged[..forged.len().min(200)]);
    }
    let foreign = Subject { owner: AccountId::from_bytes([9; 12]), ..subject };
    assert!(!host.control.may_visit(&pass, space.id, foreign).unwrap(), "the Space has gone to somebody else");
    host.clock.advance(24 * 60 * 60 * 1000);
    assert!(!visits(&pass, space.id) && visits(host.token.expose(), space.id));
    assert!(matches!(
        host.control.visitor_pass(&Actor::Nobody, &space.path),
        Err(ServiceError::Denied(Denied::SignIn))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_some_wrong_passwords_even_the_right_one_waits() {
    let host = Host::start().await;
    let (right, from) = (format!("password {CANARY}"), [192, 0, 2, 1].into());
    for _ in 0..5 {
        assert_eq!(host.control.git_sign_in("ADA", "wrong", from).await.unwrap(), None);
    }
    let refused = host.control.git_sign_in("ada", &right, from).await;
    assert!(matches!(&refused, Err(ServiceError::TooSoon { seconds: 1, .. })), "{refused:?}");
    // A token is no password.
    assert!(host.control.git_sign_in("ada", host.token.expose(), from).await.unwrap().is_some());
    host.clock.advance(1000);
    assert!(host.control.git_sign_in("ada", &right, from).await.unwrap().is_some());
}
