//! Why a build failed, and who can do something about it.
//!
//! Pure: from the last lines of the log to a sentence.

use spaceport_backend_protocol::{BuildEvent, Fault, Line};

/// What the log says when it was not the Space.
const PLATFORM: [&str; 6] = [
    "cannot connect to the docker daemon",
    "error during connect",
    "no space left on device",
    "rpc error: code = unavailable",
    "connection reset by peer",
    "context canceled",
];
/// What it says when the image that it begins with could not be had.
const UNFETCHED: [&str; 4] =
    ["failed to resolve source metadata", "failed to do request", "pull access denied", "failed to authorize"];
/// What an operator can do then.
const BASE_IMAGE: &str = "the base image of such Spaces could not be fetched. Where no registry is reached, `spaceport-container \
                          base-image` makes one, to be named as base_image under [containers]. It was said: ";
/// What BuildKit and its client put in front of what went wrong.
const BEFORE: [&str; 7] = [
    "ERROR: ",
    "error: ",
    "failed to solve: ",
    "failed to solve with frontend dockerfile.v0: ",
    "failed to build LLB: ",
    "rpc error: code = Unknown desc = ",
    "executor failed running ",
];
/// How a line with the reason begins.
const REASONS: [&str; 3] = ["failed to solve", "ERROR: ", "error: "];

/// An end of a build.
pub(super) fn failed(fault: Fault, words: &str) -> BuildEvent {
    BuildEvent::Failed { fault, message: Line::lossy(words) }
}

/// What the last lines, oldest first, of a command that failed say. What a generated file begins with is the operator's affair.
pub(super) fn of_log<'a>(last: impl DoubleEndedIterator<Item = &'a str> + Clone, is_generated: bool) -> BuildEvent {
    let lines = last.map(str::trim).filter(|line| !line.is_empty());
    let is_reason = |line: &&str| REASONS.iter().any(|start| line.starts_with(start));
    let reason = lines.clone().rev().find(is_reason).or_else(|| lines.clone().next_back());
    let reason = reason.unwrap_or("the build ended without a word");
    let lower = reason.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    if is_generated && says(&UNFETCHED) {
        return failed(Fault::Platform, &format!("{BASE_IMAGE}{}", bare(reason)));
    }
    match says(&PLATFORM) {
        true => failed(Fault::Platform, &format!("the container engine could not build: {}", bare(reason))),
        false => failed(Fault::Owner, &format!("the build failed: {}", bare(reason))),
    }
}

fn bare(mut reason: &str) -> &str {
    while let Some(rest) = BEFORE.iter().find_map(|start| reason.strip_prefix(start)) {
        reason = rest;
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(log: &str) -> (Fault, String) {
        match of_log(log.lines(), false) {
            BuildEvent::Failed { fault, message } => (fault, message.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_step_that_fails_is_the_owners() {
        let log = "#8 0.2 nothing to make\n#8 ERROR: x\n------\nfailed to solve: rpc error: code = Unknown desc = \
                   executor failed running [/bin/sh -c make]: exit code: 2\n";
        let words = "the build failed: [/bin/sh -c make]: exit code: 2";
        assert_eq!(end(log), (Fault::Owner, words.to_owned()));
        let log = "ERROR: failed to solve: process \"/bin/sh -c make\" did not complete successfully: exit code: 2\n\n";
        assert!(end(log).1.starts_with("the build failed: process"));
    }

    #[test]
    fn what_the_machine_lacks_is_not_the_owners() {
        let log = "failed to solve: write /x: no space left on device";
        assert_eq!(
            end(log),
            (Fault::Platform, "the container engine could not build: write /x: no space left on device".to_owned())
        );
        assert_eq!(end("Cannot connect to the Docker daemon at unix:///x.").0, Fault::Platform);
        assert_eq!(end(""), (Fault::Owner, "the build failed: the build ended without a word".to_owned()));
    }

    #[test]
    fn an_image_to_begin_with_that_cannot_be_had_is_the_affair_of_who_names_it() {
        let log = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: failed to do request: Head \
                   \"https://mirror/x\": dial tcp: lookup mirror: no such host";
        assert_eq!(end(log).0, Fault::Owner);
        let BuildEvent::Failed { fault: Fault::Platform, message } = of_log(log.lines(), true) else {
            panic!("the owner")
        };
        assert!(
            message.as_str().contains("spaceport-container base-image") && message.as_str().contains("no such host")
        );
        assert!(matches!(of_log("ERROR: no gradio".lines(), true), BuildEvent::Failed { fault: Fault::Owner, .. }));
    }
}
