//! The API as its clients see it: a router in process over a real fleet.

mod admin;
mod commits;
mod errors;
mod files;
mod refs;
mod settings;
mod spaces;
