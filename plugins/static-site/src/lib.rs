//! Static Spaces: the files of a repository as a web site.
//!
//! Everything but the component's own glue is plain functions of their arguments, tested where they stand: [`resolve`]
//! finds the file that a path means, [`inject`] the place in a page where the one script belongs, [`script`] makes that
//! script of the Space's variables, [`csp`] lets it run under the Space's own policy, [`mime`] and [`charset`] name types, [`page`] puts
//! a page together and [`answer`] a whole answer. Only pages pass through here; any other file is sent by the host, by
//! `x-sendfile`. Answers may be kept by the host (`cdn-cache-control`), which forgets them with the revision and the
//! variables they came from.

pub mod answer;
pub mod charset;
#[cfg(target_family = "wasm")]
mod component;
pub mod csp;
pub mod inject;
pub mod mime;
pub mod page;
pub mod resolve;
pub mod script;
