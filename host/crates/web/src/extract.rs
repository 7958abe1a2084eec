//! What handlers take from a request, each with our error body: a Space's path, a revision, a file's path, query and
//! JSON. A name that cannot be a Space's is a missing Space before anything is looked up.

mod body;
mod path;
mod query;

pub(crate) use body::{Form, JsonBody, whole};
pub(crate) use path::{EntryPath, OwnerAt, Param, RevisionName, SpaceAt, UserAt};
pub(crate) use query::QueryPairs;
