//! Git over HTTP: `http://DOMAIN/spaces/owner/name[.git]`, the protocol that `git clone` and `git push` speak, and large
//! files beside it.
//!
//! Requests and answers are streams in both directions; nothing here holds a pack. Whoever may not see a repository is told
//! what the API tells; git clients ask for a password when told to sign in, and show plain text to their user.

mod caller;
pub(crate) mod lfs;
mod refusal;
mod smart;
#[cfg(test)]
mod tests;

pub(crate) use caller::{GitCaller, LfsCaller, RepoAt};
pub(crate) use refusal::GitRefusal;
pub(crate) use smart::{fetch, push, refs};
