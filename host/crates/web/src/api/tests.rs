//! The API as its clients see it: a router in process over a real fleet.

mod admin;
mod administration;
mod bad_input;
mod commits;
mod discussions;
mod document;
mod duplicates;
mod errors;
mod files;
mod inventory;
mod linked;
mod lists;
mod moving;
mod organizations;
mod previews;
mod rates;
mod refs;
mod scan;
mod settings;
mod spaces;
mod ssh;
mod tokens;
mod webhooks;
