use spaceport_core::ssh::LfsOperation;

use super::*;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC48nO8xMX+ocH3mO9v+oeOmbG1P7UkHzcXNQg9d7ZtV";

async fn another(host: &Host, name: &str, role: TokenRole) -> Actor {
    let accounts = host.control.accounts();
    if accounts.account(&name.parse().unwrap()).is_err() {
        accounts.create_user(NewUser { name: name.parse().unwrap(), is_admin: false, password: None }).await.unwrap();
    }
    let token = accounts.create_token(NewToken { user: name.parse().unwrap(), role, label: "t".into() }).await.unwrap();
    Actor::User(accounts.authenticate(token.expose()).unwrap().unwrap().user)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_one_account_until_it_is_deleted() {
    let host = Host::start().await;
    let bob = another(&host, "bob", TokenRole::Write).await;
    let reader = another(&host, "ada", TokenRole::Read).await;
    let refused = host.control.add_ssh_key(&reader, "", KEY).await;
    assert!(matches!(refused, Err(ServiceError::Forbidden(_))), "{refused:?}");
    let refused = host.control.add_ssh_key(&Actor::Nobody, "", KEY).await;
    assert!(matches!(refused, Err(ServiceError::Denied(Denied::SignIn))), "{refused:?}");

    let added = host.control.add_ssh_key(&host.ada, "", &format!("{KEY} ada@laptop")).await.unwrap();
    assert_eq!((added.title.as_str(), added.text.as_str(), added.last_used_at), ("ada@laptop", KEY, None));
    assert_eq!(host.control.ssh_keys(&host.ada).unwrap(), std::slice::from_ref(&added));
    assert_eq!(host.control.ssh_keys(&reader).unwrap().len(), 1);
    for (actor, words) in [(&host.ada, "already"), (&bob, "another account")] {
        let refused = host.control.add_ssh_key(actor, "again", KEY).await;
        assert!(matches!(&refused, Err(ServiceError::Conflict(why)) if why.contains(words)), "{refused:?}");
    }
    let refused = host.control.delete_ssh_key(&bob, added.fingerprint).await;
    assert!(matches!(refused, Err(ServiceError::NothingToDelete(_))), "{refused:?}");
    let signed = host.control.ssh_sign_in(added.fingerprint).unwrap().unwrap();
    assert_eq!((signed.name.as_str(), signed.role), ("ada", TokenRole::Write));

    host.control.delete_ssh_key(&host.ada, added.fingerprint).await.unwrap();
    assert_eq!(host.control.ssh_sign_in(added.fingerprint).unwrap(), None);
    host.control.add_ssh_key(&bob, "mine now", KEY).await.unwrap();
    assert_eq!(host.control.ssh_sign_in(added.fingerprint).unwrap().unwrap().name.as_str(), "bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_of_a_key_is_known_to_the_hour() {
    let host = Host::start().await;
    let key = host.control.add_ssh_key(&host.ada, "laptop", KEY).await.unwrap().fingerprint;
    let last = || host.control.ssh_keys(&host.ada).unwrap()[0].last_used_at;
    host.control.ssh_key_used(key).await.unwrap();
    let first = last().unwrap();
    host.clock.advance(60 * 60 * 1000 - 1);
    host.control.ssh_key_used(key).await.unwrap();
    assert_eq!(last(), Some(first));
    host.clock.advance(1);
    host.control.ssh_key_used(key).await.unwrap();
    assert_eq!(last(), Some(first + 60 * 60 * 1000));
    // A use that is noted late does not bring a deleted key back, nor is it known of the next one.
    host.control.delete_ssh_key(&host.ada, key).await.unwrap();
    host.control.ssh_key_used(key).await.unwrap();
    host.control.add_ssh_key(&host.ada, "laptop", KEY).await.unwrap();
    assert_eq!(last(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_for_large_files_is_for_one_space_and_one_direction() {
    let host = Host::start().await;
    let (page, other) = (host.create("page").await.unwrap(), host.create("other").await.unwrap());
    let bob = another(&host, "bob", TokenRole::Write).await;
    let pass = |actor, operation| host.control.lfs_pass(actor, &page.path, operation);
    let text = |pass: &LfsPass| pass.authorization.strip_prefix("RemoteAuth ").unwrap().to_owned();
    let download = pass(&bob, LfsOperation::Download).unwrap();
    assert_eq!(download.href, "http://hub.test/spaces/ada/page.git/info/lfs");
    let bearer = host.control.lfs_bearer(&text(&download), &page.path).unwrap().unwrap();
    assert_eq!((bearer.name.as_str(), bearer.role), ("bob", TokenRole::Read));
    let refused = pass(&bob, LfsOperation::Upload);
    assert!(matches!(refused, Err(ServiceError::Denied(Denied::Forbidden))), "{refused:?}");
    let upload = pass(&host.ada, LfsOperation::Upload).unwrap();
    let bearer = host.control.lfs_bearer(&text(&upload), &page.path).unwrap().unwrap();
    assert_eq!((bearer.name.as_str(), bearer.role), ("ada", TokenRole::Write));
    assert_eq!(host.control.lfs_bearer(&text(&upload), &other.path).unwrap(), None);
    assert!(host.control.accounts().authenticate(&text(&upload)).unwrap().is_none(), "it is no token");
    host.clock.advance(upload.expires_in * 1000);
    assert_eq!(host.control.lfs_bearer(&text(&upload), &page.path).unwrap(), None);
}
