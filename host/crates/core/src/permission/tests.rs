//! Every combination of who, what and visibility, written out.

use super::*;

const OWNER: AccountId = AccountId::from_bytes([1; 12]);
const OTHER: AccountId = AccountId::from_bytes([2; 12]);

fn user(id: AccountId, is_admin: bool, role: TokenRole) -> Actor {
    Actor::User(User { id, name: "ada".parse().unwrap(), is_admin, role })
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

#[test]
fn every_combination_is_as_written() {
    use TokenRole::{Admin, Read, Write};
    // Columns: VisitApp, See, SeeSettings, Write; of a public, a protected and a private Space.
    let table = [
        (Actor::Nobody, "..SS .HHH HHHH"),
        (user(OTHER, false, Read), "..FF .HHH HHHH"),
        (user(OTHER, false, Write), "..FF .HHH HHHH"),
        (user(OTHER, false, Admin), "..FF .HHH HHHH"),
        (user(OTHER, true, Read), "..FF .HHH HHHH"),
        (user(OTHER, true, Write), "..FF .HHH HHHH"),
        (user(OTHER, true, Admin), ".... .... ...."),
        (user(OWNER, false, Read), "...F ...F ...F"),
        (user(OWNER, false, Write), ".... .... ...."),
        (user(OWNER, false, Admin), ".... .... ...."),
        (user(OWNER, true, Read), "...F ...F ...F"),
        (user(OWNER, true, Write), ".... .... ...."),
        (user(OWNER, true, Admin), ".... .... ...."),
    ];
    for (actor, expected) in table {
        let answers: Vec<String> = [Visibility::Public, Visibility::Protected, Visibility::Private]
            .map(|visibility| {
                [Action::VisitApp, Action::See, Action::SeeSettings, Action::Write]
                    .map(|action| letter(can(&actor, action, Subject { owner: OWNER, visibility })))
                    .iter()
                    .collect()
            })
            .to_vec();
        assert_eq!(answers.join(" "), expected, "{actor:?}");
    }
}
