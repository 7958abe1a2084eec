//! Several clients change one Space at the same moment: each is told what became of its change, and what was accepted is
//! there.

use std::collections::BTreeSet;
use std::sync::Barrier;

use serde_json::json;
use spaceport_tests::{Answer, Files, TestHost, TestSpace};

/// Clients at the same moment.
const CLIENTS: usize = 8;
/// How often they meet.
const ROUNDS: usize = 5;

/// Commits one file onto a commit.
fn commit_onto(space: &TestSpace<'_>, parent: &str, path: &str) -> Answer {
    let header = json!({"key": "header", "value": {"summary": path, "parentCommit": parent}});
    let file = json!({"key": "file", "value": {"path": path, "content": path, "encoding": "utf-8"}});
    space.commit_lines(&[header.to_string(), file.to_string()])
}

fn head(space: &TestSpace<'_>) -> String {
    space.api("GET", "", &[], &[]).json()["sha"].as_str().unwrap().to_owned()
}

/// The files of the clients' that are there.
fn files(space: &TestSpace<'_>) -> BTreeSet<String> {
    let info = space.api("GET", "", &[], &[]).json();
    let names = info["siblings"].as_array().unwrap().iter().map(|file| file["rfilename"].as_str().unwrap().to_owned());
    names.filter(|name| name.starts_with("round-")).collect()
}

#[test]
fn of_commits_onto_the_same_parent_one_is_accepted_and_nothing_is_lost() {
    let host = TestHost::start();
    let space = host.push("shared", Files::site(&[("index.html", "<head></head>")]));
    let mut accepted = BTreeSet::new();
    for round in 0..ROUNDS {
        let (parent, gate) = (head(&space), Barrier::new(CLIENTS));
        let outcomes: Vec<(String, Answer)> = std::thread::scope(|scope| {
            let clients = (0..CLIENTS).map(|client| {
                let (space, parent, gate) = (&space, &parent, &gate);
                scope.spawn(move || {
                    let path = format!("round-{round}/client-{client}.txt");
                    gate.wait();
                    let answer = commit_onto(space, parent, &path);
                    (path, answer)
                })
            });
            let clients: Vec<_> = clients.collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(_, answer)| answer.status == 200);
        assert_eq!(won.len(), 1, "{won:?} {lost:?}");
        assert!(lost.iter().all(|(_, answer)| answer.status == 412), "{lost:?}");
        accepted.extend(won.iter().map(|(path, _)| path.clone()));
        let oid = won[0].1.json()["commitOid"].as_str().unwrap().to_owned();
        assert_eq!(head(&space), oid, "the one that was accepted is the head");
        // Who lost looks again, and then has its turn.
        let (path, _) = &lost[0];
        let again = commit_onto(&space, &head(&space), path);
        assert_eq!(again.status, 200, "{}", again.text());
        accepted.insert(path.clone());
        assert_eq!(files(&space), accepted);
    }
    let log = space.api("GET", "/commits/main", &[], &[]).json();
    let titles: BTreeSet<&str> = log.as_array().unwrap().iter().filter_map(|entry| entry["title"].as_str()).collect();
    assert!(accepted.iter().all(|path| titles.contains(path.as_str())), "{titles:?}");
    let newest = accepted.last().unwrap();
    space.serves(&head(&space));
    assert_eq!(space.get(&format!("/{newest}")).text(), *newest);
}
