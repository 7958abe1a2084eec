mod device;
mod flows;
mod log;
mod questions;
mod revoke;
mod sessions;
mod tokens;
