use super::DiscussionStatus::{Closed, Draft, Merged, Open};
use super::*;

#[test]
fn a_status_is_opened_and_closed_by_hand_and_merged_is_for_good() {
    for (from, to, result) in [
        (Open, Closed, Ok(())),
        (Closed, Open, Ok(())),
        (Draft, Open, Ok(())),
        (Draft, Closed, Ok(())),
        (Open, Open, Err(StatusRefusal::Already(Open))),
        (Closed, Closed, Err(StatusRefusal::Already(Closed))),
        (Open, Draft, Err(StatusRefusal::NotSet(Draft))),
        (Open, Merged, Err(StatusRefusal::NotSet(Merged))),
        (Merged, Open, Err(StatusRefusal::Merged)),
        (Merged, Closed, Err(StatusRefusal::Merged)),
    ] {
        assert_eq!(set_status(from, to), result, "{from} to {to}");
    }
}

#[test]
fn only_an_open_pull_request_can_be_merged() {
    assert_eq!(may_be_merged(true, Open), Ok(()));
    assert_eq!(may_be_merged(true, Draft), Err(StatusRefusal::Draft));
    assert_eq!(may_be_merged(true, Closed), Err(StatusRefusal::Closed));
    assert_eq!(may_be_merged(true, Merged), Err(StatusRefusal::Merged));
    assert_eq!(may_be_merged(false, Open), Err(StatusRefusal::NoPullRequest));
}

#[test]
fn everybody_comments_authors_manage_and_writers_merge() {
    use DiscussionAct::{Comment, Contribute, Delete, Edit, Manage, Merge};
    for (standing, acts) in [
        (Standing::Reader, &[Comment][..]),
        (Standing::Author, &[Comment, Manage, Edit, Contribute]),
        (Standing::Writer, &[Comment, Manage, Edit, Contribute, Merge, Delete]),
    ] {
        for act in [Comment, Manage, Edit, Contribute, Merge, Delete] {
            assert_eq!(may(standing, act), acts.contains(&act), "{standing:?} {act:?}");
        }
    }
}

#[test]
fn titles_are_one_line_of_3_to_200_characters() {
    assert_eq!(title("  abc "), Ok("abc".to_owned()));
    assert_eq!(title(&"ü".repeat(200)), Ok("ü".repeat(200)));
    for text in ["", "ab", "  a  ", "a\nb c", "tab\there"] {
        assert!(title(text).is_err(), "{text:?}");
    }
    assert_eq!(title(&"x".repeat(201)), Err(InvalidTitle(201)));
    assert_eq!(title_of_commit("x"), "x");
    assert_eq!(title_of_commit(&format!("{}\nmore", "y".repeat(300))), "y".repeat(200));
}

#[test]
fn a_pull_request_has_one_name() {
    assert_eq!(pull_number(&pull_ref(12)), Some(12));
    let too_large = format!("refs/pr/{}0", u64::MAX);
    for name in ["refs/pr/", "refs/pr/0", "refs/pr/01", "refs/pr/+1", "refs/pr/1/x", "refs/heads/1", "1", &too_large] {
        assert_eq!(pull_number(name), None, "{name}");
    }
}
