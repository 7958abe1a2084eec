//! Every combination of who, what and visibility, written out; and that more is never less.

use proptest::prelude::*;

use super::*;

const OWNER: AccountId = AccountId::from_bytes([1; 12]);
const OTHER: AccountId = AccountId::from_bytes([2; 12]);
const ORG: AccountId = AccountId::from_bytes([3; 12]);
const SPACE: SpaceId = SpaceId::from_bytes([4; 12]);
const OTHER_SPACE: SpaceId = SpaceId::from_bytes([5; 12]);

const ACTIONS: [Action; 6] =
    [Action::VisitApp, Action::See, Action::Discuss, Action::SeeSettings, Action::Write, Action::GiveAway];
const VISIBILITIES: [Visibility; 3] = [Visibility::Public, Visibility::Protected, Visibility::Private];

fn user(id: AccountId, is_admin: bool, role: TokenRole) -> User {
    User::new(id, "ada".parse().unwrap(), is_admin, role)
}

fn member(role: OrgRole, token: TokenRole) -> User {
    user(OTHER, false, token).in_organizations([Membership { organization: ORG, role }])
}

fn scopes(entity: Entity, permissions: &[Permission]) -> Scopes {
    Scopes { global: Vec::new(), scoped: vec![Scope { entity, permissions: permissions.to_vec() }] }
}

fn of(owner: AccountId, creator: AccountId, visibility: Visibility) -> Subject {
    Subject { space: SPACE, owner, creator, visibility }
}

/// One letter per answer: `.` allowed, `H` hidden, `S` sign in, `F` forbidden.
fn letter(answer: Result<(), Denied>) -> char {
    match answer {
        Ok(()) => '.',
        Err(Denied::Hidden) => 'H',
        Err(Denied::SignIn) => 'S',
        Err(Denied::Forbidden) => 'F',
    }
}

/// Of a public, a protected and a private Space: one letter for each of [`ACTIONS`].
fn row(actor: &Actor, owner: AccountId, creator: AccountId) -> String {
    let answers = VISIBILITIES.map(|visibility| -> String {
        ACTIONS.map(|action| letter(can(actor, action, of(owner, creator, visibility)))).iter().collect()
    });
    answers.join(" ")
}

#[test]
fn every_combination_of_a_users_space_is_as_written() {
    use TokenRole::{Admin, Read, Write};
    // Columns: VisitApp, See, Discuss, SeeSettings, Write, GiveAway; of a public, a protected and a private Space.
    assert_eq!(row(&Actor::Nobody, OWNER, OWNER), "..SSSS .HHHHH HHHHHH");
    let table = [
        (user(OTHER, false, Read), "..FFFF .HHHHH HHHHHH"),
        (user(OTHER, false, Write), "...FFF .HHHHH HHHHHH"),
        (user(OTHER, false, Admin), "...FFF .HHHHH HHHHHH"),
        (user(OTHER, true, Read), "..FFFF .HHHHH HHHHHH"),
        (user(OTHER, true, Write), "...FFF .HHHHH HHHHHH"),
        (user(OTHER, true, Admin), "...... ...... ......"),
        (user(OWNER, false, Read), "..F.FF ..F.FF ..F.FF"),
        (user(OWNER, false, Write), "...... ...... ......"),
        (user(OWNER, false, Admin), "...... ...... ......"),
        (user(OWNER, true, Read), "..F.FF ..F.FF ..F.FF"),
        (user(OWNER, true, Write), "...... ...... ......"),
        (user(OWNER, true, Admin), "...... ...... ......"),
        // Membership elsewhere is worth nothing here.
        (member(OrgRole::Admin, Write), "...FFF .HHHHH HHHHHH"),
    ];
    for (user, expected) in table {
        assert_eq!(row(&Actor::User(user.clone()), OWNER, OWNER), expected, "{user:?}");
    }
    // Who created a Space that is another's by now has no more to do with it.
    assert_eq!(row(&Actor::User(user(OTHER, false, Write)), OWNER, OTHER), "...FFF .HHHHH HHHHHH");
}

#[test]
fn every_combination_of_an_organizations_space_is_as_written() {
    use OrgRole::{Admin, Contributor, Read, Write};
    // Per role: with a token that reads, and one that writes; of a Space somebody else created, and of one of their own.
    let table = [
        (Read, "..FFFF ..FFFF ..FFFF", "...FFF ...FFF ...FFF", "...FFF ...FFF ...FFF"),
        (Contributor, "..FFFF ..FFFF ..FFFF", "...FFF ...FFF ...FFF", ".....F .....F .....F"),
        (Write, "..F.FF ..F.FF ..F.FF", ".....F .....F .....F", ".....F .....F .....F"),
        (Admin, "..F.FF ..F.FF ..F.FF", "...... ...... ......", "...... ...... ......"),
    ];
    for (role, reading, writing, own) in table {
        let actor = |token| Actor::User(member(role, token));
        assert_eq!(row(&actor(TokenRole::Read), ORG, OWNER), reading, "{role:?}");
        assert_eq!(row(&actor(TokenRole::Write), ORG, OWNER), writing, "{role:?}");
        assert_eq!(
            row(&actor(TokenRole::Admin), ORG, OWNER),
            writing,
            "{role:?}: the host is not theirs to administer"
        );
        assert_eq!(row(&actor(TokenRole::Write), ORG, OTHER), own, "{role:?}");
    }
}

#[test]
fn a_fine_grained_token_does_what_its_scopes_name_and_its_user_may() {
    use Permission::{Discuss, ReadContent, Write};
    const STRANGER: &str = "..FFFF .HHHHH HHHHHH";
    let table = [
        (Entity::Space(SPACE), &[ReadContent][..], "..FFFF ..FFFF ..FFFF"),
        (Entity::Owner(OWNER), &[ReadContent], "..FFFF ..FFFF ..FFFF"),
        (Entity::Space(SPACE), &[Write], "..F... ..F... ..F..."),
        (Entity::Owner(OWNER), &[Write], "..F... ..F... ..F..."),
        (Entity::Space(SPACE), &[ReadContent, Discuss], "...FFF ...FFF ...FFF"),
        (Entity::Space(SPACE), &[Discuss], "...FFF .HHHHH HHHHHH"),
        (Entity::Space(SPACE), &[], STRANGER),
        (Entity::Space(OTHER_SPACE), &[ReadContent, Write, Discuss], STRANGER),
        (Entity::Owner(OTHER), &[ReadContent, Write, Discuss], STRANGER),
    ];
    for (entity, permissions, expected) in table {
        for is_admin in [false, true] {
            let own = user(OWNER, is_admin, TokenRole::Admin).limited_to(scopes(entity, permissions));
            assert_eq!(row(&Actor::User(own), OWNER, OWNER), expected, "{entity:?} {permissions:?}");
        }
        // What its user may not do no scope allows.
        let foreign = user(OTHER, false, TokenRole::Write).limited_to(scopes(entity, permissions));
        let answers = row(&Actor::User(foreign), OWNER, OWNER);
        assert!(answers == STRANGER || answers == "...FFF .HHHHH HHHHHH", "{answers}");
    }
    let everywhere = Scopes { global: vec![Discuss], scoped: Vec::new() };
    let actor = Actor::User(user(OTHER, false, TokenRole::Write).limited_to(everywhere));
    assert_eq!(row(&actor, OWNER, OWNER), "...FFF .HHHHH HHHHHH");
    let reader = member(OrgRole::Read, TokenRole::Write).limited_to(scopes(Entity::Owner(ORG), &[Write]));
    assert_eq!(row(&Actor::User(reader), ORG, OWNER), "..FFFF ..FFFF ..FFFF");
}

#[test]
fn owners_are_for_their_own_people() {
    use NotYours::{Token, User as Person};
    let write = |entity| user(OWNER, false, TokenRole::Write).limited_to(scopes(entity, &[Permission::Write]));
    // Create, manage, end the membership of OTHER, see inside; of an account of OWNER and of the organization.
    let ask = |user: &User, owner| {
        [may_create(user, owner), may_manage(user, owner), may_leave(user, owner, OTHER), may_see_inside(user, owner)]
    };
    let all = [Ok(()); 4];
    for (user, owner, expected) in [
        (user(OWNER, false, TokenRole::Write), OWNER, [Ok(()), Err(Person), Err(Person), Ok(())]),
        (user(OWNER, false, TokenRole::Read), OWNER, [Err(Token), Err(Token), Err(Token), Ok(())]),
        (user(OWNER, false, TokenRole::Write), OTHER, [Err(Person); 4]),
        (user(OWNER, true, TokenRole::Write), OTHER, [Err(Person); 4]),
        (user(OWNER, true, TokenRole::Admin), OTHER, all),
        (write(Entity::Owner(OWNER)), OWNER, [Ok(()), Err(Token), Err(Token), Err(Token)]),
        (write(Entity::Space(SPACE)), OWNER, [Err(Token); 4]),
        (write(Entity::Owner(ORG)), ORG, [Err(Person), Err(Token), Err(Token), Err(Token)]),
        (member(OrgRole::Read, TokenRole::Write), ORG, [Err(Person), Err(Person), Ok(()), Ok(())]),
        (member(OrgRole::Contributor, TokenRole::Write), ORG, [Ok(()), Err(Person), Ok(()), Ok(())]),
        (member(OrgRole::Write, TokenRole::Write), ORG, [Ok(()), Err(Person), Ok(()), Ok(())]),
        (member(OrgRole::Admin, TokenRole::Write), ORG, all),
        (member(OrgRole::Admin, TokenRole::Read), ORG, [Err(Token), Err(Token), Err(Token), Ok(())]),
    ] {
        assert_eq!(ask(&user, owner), expected, "{user:?} {owner}");
    }
}

#[test]
fn words_read_back() {
    for role in OrgRole::ALL {
        assert_eq!(role.as_str().parse(), Ok(role));
    }
    for permission in Permission::ALL {
        assert_eq!(permission.as_str().parse(), Ok(permission));
    }
    assert!("owner".parse::<OrgRole>().is_err() && "repo.admin".parse::<Permission>().is_err());
}

fn token_role() -> impl Strategy<Value = TokenRole> {
    prop::sample::select(vec![TokenRole::Read, TokenRole::Write, TokenRole::Admin])
}

fn account() -> impl Strategy<Value = AccountId> {
    prop::sample::select(vec![OWNER, OTHER, ORG])
}

fn any_scopes() -> impl Strategy<Value = Scopes> {
    let entity = prop::sample::select(vec![
        Entity::Space(SPACE),
        Entity::Space(OTHER_SPACE),
        Entity::Owner(OWNER),
        Entity::Owner(ORG),
    ]);
    let permissions = || prop::sample::subsequence(Permission::ALL.to_vec(), 0..=3);
    let scope = (entity, permissions()).prop_map(|(entity, permissions)| Scope { entity, permissions });
    (permissions(), prop::collection::vec(scope, 0..4)).prop_map(|(global, scoped)| Scopes { global, scoped })
}

fn any_user() -> impl Strategy<Value = User> {
    let role = prop::option::of(prop::sample::select(OrgRole::ALL.to_vec()));
    (account(), any::<bool>(), token_role(), role, prop::option::of(any_scopes())).prop_map(
        |(id, is_admin, token, role, scopes)| {
            let memberships: Vec<_> = role.map(|role| Membership { organization: ORG, role }).into_iter().collect();
            let user = user(id, is_admin, token).in_organizations(memberships);
            match scopes {
                Some(scopes) => user.limited_to(scopes),
                None => user,
            }
        },
    )
}

fn any_subject() -> impl Strategy<Value = Subject> {
    let visibility = prop::sample::select(VISIBILITIES.to_vec());
    (account(), account(), visibility).prop_map(|(owner, creator, visibility)| of(owner, creator, visibility))
}

/// Everything that `less` may, `more` may.
fn at_most(less: &Actor, more: &Actor, subject: Subject) -> Result<(), TestCaseError> {
    for action in ACTIONS {
        let (less_may, more_may) = (can(less, action, subject), can(more, action, subject));
        prop_assert!(less_may.is_err() || more_may.is_ok(), "{action:?}: {less:?} may, {more:?} may not");
        let (sees, hidden) = (less_may != Err(Denied::Hidden), more_may == Err(Denied::Hidden));
        prop_assert!(!(sees && hidden), "{action:?}: {more:?} is told less than {less:?}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn who_signs_in_may_no_less(user in any_user(), subject in any_subject()) {
        at_most(&Actor::Nobody, &Actor::User(user), subject)?;
    }

    #[test]
    fn a_higher_role_in_an_organization_may_no_less(user in any_user(), subject in any_subject()) {
        let with = |role: Option<OrgRole>| {
            let memberships: Vec<_> = role.map(|role| Membership { organization: ORG, role }).into_iter().collect();
            Actor::User(user.clone().in_organizations(memberships))
        };
        let roles: Vec<_> = std::iter::once(None).chain(OrgRole::ALL.map(Some)).collect();
        for pair in roles.windows(2) {
            at_most(&with(pair[0]), &with(pair[1]), subject)?;
        }
    }

    #[test]
    fn a_token_of_a_higher_role_may_no_less(user in any_user(), subject in any_subject()) {
        let with = |role| Actor::User(User { role, ..user.clone() });
        at_most(&with(TokenRole::Read), &with(TokenRole::Write), subject)?;
        at_most(&with(TokenRole::Write), &with(TokenRole::Admin), subject)?;
        at_most(&with(TokenRole::FineGrained), &with(TokenRole::Write), subject)?;
    }

    #[test]
    fn a_further_scope_takes_nothing_away(user in any_user(), less in any_scopes(), more in any_scopes(), subject in any_subject()) {
        let both = Scopes {
            global: less.global.iter().chain(&more.global).copied().collect(),
            scoped: less.scoped.iter().chain(&more.scoped).cloned().collect(),
        };
        let with = |scopes: &Scopes| Actor::User(user.clone().limited_to(scopes.clone()));
        at_most(&with(&less), &with(&both), subject)?;
    }

    #[test]
    fn who_may_do_more_sees_what_it_does(user in any_user(), subject in any_subject()) {
        let actor = Actor::User(user);
        for action in ACTIONS {
            if can(&actor, action, subject).is_ok() {
                prop_assert!(can(&actor, Action::VisitApp, subject).is_ok());
                prop_assert!(action == Action::VisitApp || can(&actor, Action::See, subject).is_ok());
            }
        }
    }

    #[test]
    fn a_more_open_space_hides_no_more(user in any_user(), subject in any_subject()) {
        let actor = Actor::User(user);
        for pair in VISIBILITIES.windows(2) {
            for action in ACTIONS {
                let at = |visibility| can(&actor, action, Subject { visibility, ..subject });
                prop_assert!(at(pair[1]).is_err() || at(pair[0]).is_ok(), "{action:?}");
            }
        }
    }
}
