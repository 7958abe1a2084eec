//! Fine-grained tokens: they do what they are for, for as long as their user may.

use spaceport_core::permission::Permission;

use super::*;

impl Host {
    /// A fine-grained token of ada's.
    async fn scoped(&self, scoped: Vec<(NamedEntity, Vec<Permission>)>) -> ServiceResult<(Actor, AccessToken)> {
        let new = NewOwnToken { label: "ci".into(), role: TokenRole::FineGrained, global: Vec::new(), scoped };
        let (text, token) = self.control.create_own_token(&self.ada, new).await?;
        let signed = self.control.accounts().authenticate(text.expose())?.unwrap();
        assert_eq!(signed.token, token);
        Ok((Actor::User(signed.user), token))
    }
}

fn space(path: &str, permissions: &[Permission]) -> (NamedEntity, Vec<Permission>) {
    (NamedEntity::Space(path.parse().unwrap()), permissions.to_vec())
}

fn own(permissions: &[Permission]) -> (NamedEntity, Vec<Permission>) {
    (NamedEntity::Owner("ada".parse().unwrap()), permissions.to_vec())
}

#[track_caller]
fn forbidden<T>(result: ServiceResult<T>) {
    let error = result.err().expect("it is refused");
    assert!(matches!(error, ServiceError::Forbidden(_) | ServiceError::Denied(Denied::Forbidden)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fine_grained_token_reaches_what_it_names_and_no_more() {
    let host = Host::start().await;
    for name in ["one", "two"] {
        let new = NewSpace { visibility: Visibility::Private, ..new_space(name) };
        host.control.create_space(&host.ada, new).await.unwrap();
    }
    let (one, two): (SpacePath, SpacePath) = ("ada/one".parse().unwrap(), "ada/two".parse().unwrap());
    let (reader, _) = host.scoped(vec![space("ada/one", &[Permission::ReadContent])]).await.unwrap();
    let (writer, _) = host.scoped(vec![space("ada/one", &[Permission::Write])]).await.unwrap();
    let (maker, _) = host.scoped(vec![own(&[Permission::Write])]).await.unwrap();
    for actor in [&reader, &writer] {
        assert!(host.control.space(actor, &one, Action::See).is_ok());
        let hidden = host.control.space(actor, &two, Action::See);
        assert!(matches!(hidden, Err(ServiceError::Denied(Denied::Hidden))), "{hidden:?}");
        assert_eq!(host.control.spaces(actor, &SpaceFilter::default()).unwrap().len(), 1);
        forbidden(host.control.create_space(actor, new_space("three")).await);
        forbidden(host.control.own_tokens(actor));
        let new = NewOwnToken { label: "x".into(), role: TokenRole::Read, global: Vec::new(), scoped: Vec::new() };
        forbidden(host.control.create_own_token(actor, new).await);
        forbidden(host.control.create_organization(actor, "lab".parse().unwrap()).await);
    }
    forbidden(host.control.set_variable(&reader, &one, setting("A", "1")).await);
    forbidden(host.control.variables(&reader, &one));
    host.control.set_variable(&writer, &one, setting("A", "1")).await.unwrap();
    // The scope follows its Space, and is worth nothing once that is somebody else's.
    host.control.move_space(&host.ada, &one, &"ada/moved".parse().unwrap()).await.unwrap();
    assert!(host.control.space(&writer, &"ada/moved".parse().unwrap(), Action::Write).is_ok());
    host.control.create_space(&maker, new_space("three")).await.unwrap();
    assert_eq!(host.control.spaces(&maker, &SpaceFilter::default()).unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_that_make_no_sense_are_refused() {
    let host = Host::start().await;
    host.create("page").await.unwrap();
    let many = vec![space("ada/page", &[Permission::Write]); 101];
    for scoped in [Vec::new(), many, vec![space("ada/none", &[])], vec![space("bob/page", &[Permission::Write])]] {
        assert!(host.scoped(scoped).await.is_err());
    }
    let new = |role, global| NewOwnToken { label: "x".into(), role, global, scoped: Vec::new() };
    for new in [
        new(TokenRole::FineGrained, vec![Permission::Write]),
        new(TokenRole::Read, vec![Permission::Discuss]),
        NewOwnToken { label: "x".repeat(101), ..new(TokenRole::Read, Vec::new()) },
    ] {
        let refused = host.control.create_own_token(&host.ada, new).await;
        assert!(matches!(refused, Err(ServiceError::Invalid(_))), "{refused:?}");
    }
    forbidden(host.control.create_own_token(&host.ada, new(TokenRole::Admin, Vec::new())).await);
    assert_eq!(host.control.own_tokens(&host.ada).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_nobodys() {
    let host = Host::start().await;
    let accounts = host.control.accounts();
    let (_, token) = host.scoped(vec![own(&[Permission::Discuss])]).await.unwrap();
    assert_eq!(host.control.own_tokens(&host.ada).unwrap().len(), 2);
    host.control.revoke_own_token(&host.ada, token.id).await.unwrap();
    let again = host.control.revoke_own_token(&host.ada, token.id).await;
    assert!(matches!(again, Err(ServiceError::NothingToDelete(_))), "{again:?}");
    // One that leaked, among what is none.
    let text = host.token.expose().to_owned();
    let leaked = [text.clone(), text.clone(), "hf_x".to_owned(), TokenText::generate().expose().to_owned()];
    assert_eq!(accounts.revoke_leaked(&leaked).await.unwrap(), 1);
    assert!(accounts.authenticate(&text).unwrap().is_none());
    assert!(host.control.own_tokens(&host.ada).unwrap().is_empty());
}
