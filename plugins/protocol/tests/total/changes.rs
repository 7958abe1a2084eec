//! Changes of texts.

use proptest::prelude::*;

/// One change of a text, in the way that broken programs and hostile ones make them.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Flip(usize, u8),
    Cut(usize),
    Insert(usize, &'static str),
    Double(usize),
}

pub(crate) fn change() -> impl Strategy<Value = Change> {
    let token = prop_oneof![
        Just("\""),
        Just("{"),
        Just("[[[[[["),
        Just("]"),
        Just(","),
        Just("null"),
        Just("-1"),
        Just("1e400"),
        Just("99999999999999999999"),
        Just("\\u0000"),
        Just("\\ud800"),
        Just("\u{7f}"),
        Just("\"id\":\"x\","),
    ];
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        any::<usize>().prop_map(Change::Cut),
        (any::<usize>(), token).prop_map(|(at, token)| Change::Insert(at, token)),
        any::<usize>().prop_map(Change::Double),
    ]
}

pub(crate) fn apply(body: &mut Vec<u8>, change: &Change) {
    let within = |at: &usize| at % (body.len() + 1);
    match change {
        Change::Flip(at, bits) => {
            let at = within(at);
            if let Some(byte) = body.get_mut(at) {
                *byte ^= bits;
            }
        }
        Change::Cut(at) => body.truncate(within(at)),
        Change::Insert(at, token) => {
            let at = within(at);
            body.splice(at..at, token.bytes());
        }
        Change::Double(at) => {
            let tail = body[within(at)..].to_vec();
            body.extend(tail);
        }
    }
}
