//! Organizations: who may do what in one, and that nothing is lost between two who change it at once.

use spaceport_core::permission::OrgRole;

use super::*;

impl Host {
    /// A user with a token that writes.
    async fn user(&self, name: &str) -> Actor {
        let accounts = self.control.accounts();
        accounts.create_user(NewUser { name: parsed(name), is_admin: false, password: None }).await.unwrap();
        self.again(name).await
    }

    /// The same user with the memberships of now.
    async fn again(&self, name: &str) -> Actor {
        let new = NewToken { user: parsed(name), role: TokenRole::Write, label: "test".into() };
        let token = self.control.accounts().create_token(new).await.unwrap();
        Actor::User(self.control.accounts().authenticate(token.expose()).unwrap().unwrap().user)
    }

    /// The organization `lab` of ada, with these members.
    async fn lab(&self, members: &[(&str, OrgRole)]) {
        self.control.accounts().create_organization(parsed("lab"), &parsed("ada")).await.unwrap();
        for (name, role) in members {
            self.user(name).await;
            self.put("lab", name, *role).await.unwrap();
        }
    }

    async fn put(&self, organization: &str, name: &str, role: OrgRole) -> ServiceResult<Member> {
        self.control.accounts().put_member(&parsed(organization), &parsed(name), role).await
    }

    fn roles(&self) -> Vec<(String, &'static str)> {
        let lab = self.control.accounts().organization(&parsed("lab")).unwrap();
        let members = self.control.accounts().members(lab.id).unwrap();
        members.into_iter().map(|view| (view.account.name.to_string(), view.member.role.as_str())).collect()
    }
}

fn parsed<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

fn of_lab(name: &str) -> NewSpace {
    NewSpace { owner: Some(parsed("lab")), visibility: Visibility::Private, ..new_space(name) }
}

#[track_caller]
fn forbidden<T: std::fmt::Debug>(result: ServiceResult<T>) {
    let is_forbidden = matches!(result, Err(ServiceError::Forbidden(_) | ServiceError::Denied(Denied::Forbidden)));
    assert!(is_forbidden, "{result:?}");
}

#[track_caller]
fn conflict<T: std::fmt::Debug>(result: ServiceResult<T>) {
    assert!(matches!(result, Err(ServiceError::Conflict(_))), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_always_has_an_admin() {
    let host = Host::start().await;
    host.lab(&[("bob", OrgRole::Write)]).await;
    let accounts = host.control.accounts();
    let (lab, ada, bob) = (parsed("lab"), parsed("ada"), parsed("bob"));
    conflict(accounts.remove_member(&lab, &ada, AuditActor::Shell).await);
    conflict(host.put("lab", "ada", OrgRole::Write).await);
    host.put("lab", "ada", OrgRole::Admin).await.unwrap();
    host.put("lab", "bob", OrgRole::Admin).await.unwrap();
    // Both leave at once: one is too late.
    let (one, other) = tokio::join!(
        accounts.remove_member(&lab, &ada, AuditActor::Shell),
        accounts.remove_member(&lab, &bob, AuditActor::Shell)
    );
    assert_eq!(one.is_ok() as usize + other.is_ok() as usize, 1, "{one:?} {other:?}");
    assert_eq!(host.roles().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_once_all_happen() {
    let host = Host::start().await;
    host.lab(&[]).await;
    let names: Vec<String> = (0..8).map(|number| format!("user-{number}")).collect();
    for name in &names {
        host.user(name).await;
    }
    let puts = names.iter().map(|name| host.put("lab", name, OrgRole::Read));
    for put in futures_util::future::join_all(puts).await {
        put.unwrap();
    }
    assert_eq!(host.roles().len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_users_and_organizations_are_one_set() {
    let host = Host::start().await;
    host.lab(&[]).await;
    let accounts = host.control.accounts();
    conflict(accounts.create_organization(parsed("ADA"), &parsed("ada")).await);
    conflict(accounts.create_user(NewUser { name: parsed("Lab"), is_admin: false, password: None }).await);
    let refused = accounts.create_organization(parsed("settings"), &parsed("ada")).await;
    assert!(matches!(refused, Err(ServiceError::Invalid(_))), "{refused:?}");
    for owner in ["nobody", "lab"] {
        assert!(accounts.create_organization(parsed("other"), &parsed(owner)).await.is_err(), "{owner}");
    }
    let refused = host.put("lab", "lab", OrgRole::Read).await;
    assert!(matches!(refused, Err(ServiceError::Invalid(_))), "{refused:?}");
    assert!(matches!(host.put("ada", "ada", OrgRole::Read).await, Err(ServiceError::AccountNotFound(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_owns_a_space_is_not_deleted() {
    let host = Host::start().await;
    host.lab(&[]).await;
    let ada = host.again("ada").await;
    let (lab, path) = (parsed("lab"), parsed("lab/page"));
    host.control.create_space(&ada, of_lab("page")).await.unwrap();
    conflict(host.control.delete_organization(&ada, &lab).await);
    host.control.delete_space(&ada, &path).await.unwrap();
    // A Space that comes at the same moment is not left without its owner, whichever comes first.
    let (made, deleted) =
        tokio::join!(host.control.create_space(&ada, of_lab("other")), host.control.delete_organization(&ada, &lab));
    match (&made, &deleted) {
        (Ok(_), Err(ServiceError::Conflict(_))) => assert_eq!(host.roles().len(), 1),
        (Err(_), Ok(())) => {
            assert!(host.control.spaces(&ada, &SpaceFilter::default()).unwrap().is_empty());
            assert!(host.control.accounts().organization(&lab).is_err());
            assert!(host.control.accounts().organizations_of(user_of(&ada).id).unwrap().is_empty());
        }
        other => panic!("{:?} {:?}", other.0.as_ref().map(|made| &made.value), other.1),
    }
}

fn user_of(actor: &Actor) -> &spaceport_core::permission::User {
    match actor {
        Actor::User(user) => user,
        Actor::Nobody => panic!("nobody"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_do_what_their_role_says() {
    let host = Host::start().await;
    host.lab(&[("reader", OrgRole::Read), ("maker", OrgRole::Contributor), ("writer", OrgRole::Write)]).await;
    host.user("stranger").await;
    let [ada, reader, maker, writer, stranger] =
        futures_util::future::join_all(["ada", "reader", "maker", "writer", "stranger"].map(|name| host.again(name)))
            .await
            .try_into()
            .unwrap();
    let control = &host.control;
    for actor in [&reader, &stranger] {
        forbidden(control.create_space(actor, of_lab("page")).await);
    }
    let own = control.create_space(&maker, of_lab("own")).await.unwrap().value;
    let page = control.create_space(&ada, of_lab("page")).await.unwrap().value;
    assert_eq!((own.owner, own.creator), (page.owner, user_of(&maker).id));
    for member in [&ada, &reader, &maker, &writer] {
        assert_eq!(control.spaces(member, &SpaceFilter::default()).unwrap().len(), 2);
    }
    assert!(control.spaces(&stranger, &SpaceFilter::default()).unwrap().is_empty());
    for (actor, on_own, on_page) in [(&reader, false, false), (&maker, true, false), (&writer, true, true)] {
        for (path, may) in [(&own.path, on_own), (&page.path, on_page)] {
            let set = control.set_variable(actor, path, setting("A", "1")).await;
            assert_eq!(set.is_ok(), may, "{path} {:?}", user_of(actor).name);
            assert_eq!(control.variables(actor, path).is_ok(), may);
        }
    }
    forbidden(control.delete_space(&maker, &page.path).await);
    // Copies, into the organization and out of it.
    let copy = |owner: Option<&str>| NewCopy {
        owner: owner.map(parsed),
        name: parsed("copy"),
        visibility: None,
        hardware: None,
        storage: None,
        sleep_after: None,
        variables: Vec::new(),
        secrets: Vec::new(),
    };
    forbidden(control.duplicate_space(&reader, &page.path, copy(Some("lab"))).await.map(|made| made.value));
    let made = control.duplicate_space(&maker, &page.path, copy(Some("LAB"))).await.unwrap().value;
    assert_eq!(made.path.to_string(), "lab/copy");
    control.duplicate_space(&reader, &page.path, copy(None)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn spaces_move_in_by_members_and_out_by_admins() {
    let host = Host::start().await;
    host.lab(&[("reader", OrgRole::Read), ("maker", OrgRole::Contributor), ("writer", OrgRole::Write)]).await;
    let (control, ada) = (&host.control, host.again("ada").await);
    let (reader, maker, writer) = (host.again("reader").await, host.again("maker").await, host.again("writer").await);
    let to = |text: &str| parsed::<SpacePath>(text);
    for (actor, name) in [(&reader, "reader"), (&maker, "maker"), (&writer, "writer")] {
        control.create_space(actor, new_space("page")).await.unwrap();
        let moved = control.move_space(actor, &to(&format!("{name}/page")), &to(&format!("lab/of-{name}"))).await;
        assert_eq!(moved.is_ok(), name != "reader", "{moved:?}");
    }
    // It is still its maker's to change, but not to take away again.
    control.set_variable(&maker, &to("lab/of-maker"), setting("A", "1")).await.unwrap();
    for (actor, name) in [(&maker, "maker"), (&writer, "writer")] {
        forbidden(control.move_space(actor, &to("lab/of-maker"), &to(&format!("{name}/back"))).await);
    }
    control.move_space(&writer, &to("lab/of-maker"), &to("lab/renamed")).await.unwrap();
    let back = control.move_space(&ada, &to("lab/renamed"), &to("ada/back")).await.unwrap();
    assert_eq!(back.owner, user_of(&ada).id);
    // Nobody is told of it any more but its owner.
    control.update_space(&ada, &back.path, SpaceChanges { visibility: Some(Visibility::Private) }).await.unwrap();
    let refused = control.space(&maker, &back.path, Action::See);
    assert!(matches!(refused, Err(ServiceError::Denied(Denied::Hidden))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_membership_opens_ends_with_it() {
    let host = Host::start().await;
    host.lab(&[("reader", OrgRole::Read)]).await;
    let (ada, control) = (host.again("ada").await, &host.control);
    let space = control.create_space(&ada, of_lab("page")).await.unwrap().value;
    let new = NewToken { user: parsed("reader"), role: TokenRole::Read, label: "look".into() };
    let token = control.accounts().create_token(new).await.unwrap();
    let reader = Actor::User(control.accounts().authenticate(token.expose()).unwrap().unwrap().user);
    let pass = control.visitor_pass(&reader, &space.path).unwrap();
    let visits = |credential: &str| control.may_visit(credential, space.id, Subject::of(&space)).unwrap();
    assert!(visits(token.expose()) && visits(&pass));
    // Everybody may leave; nobody else may send them away.
    forbidden(control.remove_member(&reader, &parsed("lab"), &parsed("ada")).await);
    let leaving = host.again("reader").await;
    control.remove_member(&leaving, &parsed("lab"), &parsed("reader")).await.unwrap();
    assert!(!visits(token.expose()) && !visits(&pass));
    let again = control.accounts().remove_member(&parsed("lab"), &parsed("reader"), AuditActor::Shell).await;
    assert!(matches!(again, Err(ServiceError::NothingToDelete(_))), "{again:?}");
}
