use spaceport_core::permission::TokenRole;
use spaceport_db::{Batch, Discussion, Expect};
use spaceport_git::{Author, CommitSpec, MergeSpec};

use super::super::tests::Host;
use super::access::MAX_OPEN_EACH;
use super::*;
use crate::service::{FileChange, NewCommit, NewToken, NewUser};

async fn bob(host: &Host) -> Actor {
    let accounts = host.control.accounts();
    let name = || "bob".parse().unwrap();
    accounts.create_user(NewUser { name: name(), is_admin: false, password: None }).await.unwrap();
    let new = NewToken { user: name(), role: TokenRole::Write, label: "test".into() };
    let token = accounts.create_token(new).await.unwrap();
    Actor::User(accounts.authenticate(token.expose()).unwrap().unwrap().user)
}

fn put(path: &str, content: &str) -> NewCommit {
    let put = FileChange::Put { path: path.into(), content: content.to_owned().into() };
    NewCommit { summary: format!("Put {path}"), changes: vec![put], ..NewCommit::default() }
}

fn talk_of(title: &str) -> NewDiscussion {
    NewDiscussion { title: title.into(), description: "look".into(), is_pull_request: false }
}

fn author() -> Author {
    Author { name: "ada".into(), email: "ada".into(), at: 1_700_000_000_000 }
}

/// A commit that no operation was told of, as a host that ends in the middle leaves it.
async fn untold_commit(host: &Host, space: SpaceId, branch: &str) -> Oid {
    let path = spaceport_git::RepoPath::parse("untold.txt").unwrap();
    let change = spaceport_git::Change::Put { path, mode: spaceport_git::FileMode::Regular, content: "untold".into() };
    let spec = CommitSpec {
        branch: branch.into(),
        parent: None,
        author: author(),
        message: "untold".into(),
        changes: vec![change],
    };
    host.repos.repo(space).commit(spec).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_was_not_written_down_is_found_done() {
    let host = Host::start().await;
    let space = host.create("page").await.unwrap();
    let (path, repo) = (&space.path, host.repos.repo(space.id));
    let (number, theirs) =
        host.control.commit_as_pull_request(&host.ada, path, "main", put("a.txt", "1")).await.unwrap().value;
    let ours = host.control.commit(&host.ada, path, "main", put("b.txt", "1")).await.unwrap().value;
    let spec = MergeSpec { branch: "main".into(), ours, theirs, author: author(), message: "merge".into() };
    let merge = repo.merge(spec).await.unwrap();

    assert_eq!(host.control.merge_pull_request(&host.ada, path, number, None).await.unwrap(), merge);
    assert_eq!(repo.head("main").await.unwrap(), Some(merge), "nothing is merged twice");
    assert_eq!(host.control.fleet().state(space.id).unwrap().state.known_head(), Some(merge));
    let found = host.control.discussion(&host.ada, path, number, true).await.unwrap();
    assert_eq!(found.discussion.status, DiscussionStatus::Merged);
    assert!(found.diff.unwrap().contains("+++ b/a.txt"));
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_were_not_told_of_are_told_once() {
    let host = Host::start().await;
    let space = host.create("page").await.unwrap();
    let new = NewDiscussion { is_pull_request: true, ..talk_of("a change") };
    let number = host.control.open_discussion(&host.ada, &space.path, new).await.unwrap();
    let head = untold_commit(&host, space.id, &format!("refs/pr/{number}")).await;
    for _ in 0..2 {
        let found = host.control.discussion(&host.ada, &space.path, number, false).await.unwrap();
        let commits: Vec<_> =
            found.events.iter().filter(|event| matches!(event.kind, EventKindView::Commit { .. })).collect();
        assert_eq!(commits.len(), 1, "{found:?}");
        assert_eq!(commits[0].kind, EventKindView::Commit { oid: head, subject: "untold".into() });
        assert_eq!(commits[0].author, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_opening_has_left_behind_is_nobodys() {
    let host = Host::start().await;
    let space = host.create("page").await.unwrap();
    let repo = host.repos.repo(space.id);
    let first = repo.head("main").await.unwrap().unwrap();
    repo.set_pull_ref(1, first).await.unwrap();
    untold_commit(&host, space.id, "refs/pr/1").await;
    assert_eq!(host.control.refs(&host.ada, &space.path).await.unwrap().pull_requests, []);
    let refused = host.control.commit(&host.ada, &space.path, "refs/pr/1", put("a", "1")).await;
    assert!(matches!(refused, Err(ServiceError::RevisionNotFound(_))), "{refused:?}");
    let new = NewDiscussion { is_pull_request: true, ..talk_of("a change") };
    assert_eq!(host.control.open_discussion(&host.ada, &space.path, new).await.unwrap(), 1);
    let refs = host.control.refs(&host.ada, &space.path).await.unwrap().pull_requests;
    assert_eq!((refs.len(), refs[0].target), (1, first));

    // A pull request that is not made leaves no ref and no number.
    let nothing = NewCommit {
        summary: "remove".into(),
        changes: vec![FileChange::Delete { path: "none".into() }],
        ..NewCommit::default()
    };
    let refused = host.control.commit_as_pull_request(&host.ada, &space.path, "main", nothing).await;
    assert!(matches!(refused, Err(ServiceError::NothingToDelete(_))), "{refused:?}");
    assert_eq!(repo.head("refs/pr/2").await.unwrap(), None);
    assert_eq!(host.control.open_discussion(&host.ada, &space.path, talk_of("next")).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_of_a_discussion_is_bounded_and_it_can_be_closed_all_the_same() {
    let host = Host::start().await;
    let space = host.create("page").await.unwrap();
    let (control, ada, path) = (&host.control, &host.ada, &space.path);
    let long = "x".repeat(thread::MAX_COMMENT);
    let number = control.open_discussion(ada, path, talk_of("long")).await.unwrap();
    let refused = control.comment(ada, path, number, format!("{long}x")).await;
    assert!(matches!(&refused, Err(ServiceError::Invalid(why)) if why.contains("64 KiB")), "{refused:?}");
    let said = control.comment(ada, path, number, long.clone()).await.unwrap();
    let mut texts = 1;
    let full = loop {
        // Earlier texts are kept, and count.
        match control.edit_comment(ada, path, number, &said.id, long.clone()).await {
            Ok(_) => texts += 1,
            Err(error) => break error,
        }
        assert!(texts < 100, "no bound was met");
    };
    assert!(matches!(&full, ServiceError::Invalid(why) if why.contains("4 MiB")), "{full:?}");
    assert_eq!(texts, 63);
    control.set_discussion_status(ada, path, number, DiscussionStatus::Closed, None).await.unwrap();
    control.hide_comment(ada, path, number, &said.id).await.unwrap();
    control.comment(ada, path, number, long).await.unwrap();

    let number = control.open_discussion(ada, path, talk_of("many")).await.unwrap();
    let db = &control.inner.db;
    let many = db.discussions().get(&(space.id, number)).unwrap().unwrap();
    let mut batch = Batch::default();
    batch.put(db.discussions(), &(space.id, number), &Discussion { events: 1_000, ..many });
    db.commit(batch).await.unwrap();
    let refused = control.comment(ada, path, number, "one more".into()).await;
    assert!(matches!(&refused, Err(ServiceError::Invalid(why)) if why.contains("1000 events")), "{refused:?}");
    control.set_discussion_status(ada, path, number, DiscussionStatus::Closed, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_fills_a_space_with_discussions_alone() {
    let host = Host::start().await;
    let space = host.create("page").await.unwrap();
    let bob = bob(&host).await;
    let open = async |who: &Actor| host.control.open_discussion(who, &space.path, talk_of("again")).await;
    for _ in 0..MAX_OPEN_EACH {
        open(&bob).await.unwrap();
    }
    let refused = open(&bob).await;
    assert!(matches!(&refused, Err(ServiceError::Invalid(why)) if why.contains("25")), "{refused:?}");
    open(&host.ada).await.unwrap();
    host.control.set_discussion_status(&bob, &space.path, 1, DiscussionStatus::Closed, None).await.unwrap();
    open(&bob).await.unwrap();
    let again = host.control.set_discussion_status(&bob, &space.path, 1, DiscussionStatus::Open, None).await;
    assert!(matches!(again, Err(ServiceError::Invalid(_))), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_used_once_and_everything_goes_with_the_space() {
    let host = Host::start().await;
    let space = host.create("page").await.unwrap();
    let other = host.create("other").await.unwrap();
    let (control, ada) = (&host.control, &host.ada);
    for path in [&space.path, &other.path] {
        assert_eq!(control.open_discussion(ada, path, talk_of("one")).await.unwrap(), 1);
        let (number, _) = control.commit_as_pull_request(ada, path, "main", put("a.txt", "1")).await.unwrap().value;
        assert_eq!(number, 2);
    }
    control.delete_discussion(ada, &space.path, 2).await.unwrap();
    assert_eq!(host.repos.repo(space.id).head("refs/pr/2").await.unwrap(), None);
    let gone = control.discussion(ada, &space.path, 2, false).await;
    assert!(matches!(gone, Err(ServiceError::DiscussionNotFound(_))), "{gone:?}");
    assert_eq!(control.open_discussion(ada, &space.path, talk_of("three")).await.unwrap(), 3);

    let db = &control.inner.db;
    let events_of = |id| db.discussion_events().under(&id).unwrap().len();
    let others = events_of(other.id);
    control.delete_space(ada, &space.path).await.unwrap();
    assert_eq!(events_of(space.id), 0);
    assert!(db.discussions().under(&space.id).unwrap().is_empty());
    assert_eq!(db.discussion_books().get(&space.id).unwrap(), None);
    assert_eq!((events_of(other.id), db.discussions().under(&other.id).unwrap().len()), (others, 2));

    // What was under way when the Space went is not stored after it.
    let mut batch = Batch::default();
    batch.expect(db.spaces(), &space.id, Expect::Present);
    assert!(db.commit(batch).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_opened_at_once_each_has_a_number_and_no_comment_is_lost() {
    let host = Host::start().await;
    let space = host.create("page").await.unwrap();
    let opened = (0..10).map(|_| host.control.open_discussion(&host.ada, &space.path, talk_of("at once")));
    let mut numbers: Vec<u64> =
        futures_util::future::join_all(opened).await.into_iter().map(|number| number.unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    let said = (0..20).map(|n| host.control.comment(&host.ada, &space.path, 1, format!("comment {n}")));
    for said in futures_util::future::join_all(said).await {
        said.unwrap();
    }
    let found = host.control.discussion(&host.ada, &space.path, 1, false).await.unwrap();
    assert_eq!(found.events.len(), 21);
}
