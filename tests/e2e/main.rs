//! Black-box tests: a real host, real git, real clients, through sockets. One binary, one module per concern.

mod backend;
mod bad_disk;
mod bad_input;
mod clients;
mod config;
mod crash;
mod crowds;
mod discussions;
mod egress;
mod files;
mod git;
mod h2_abuse;
mod hostile;
mod hub_api;
mod hub_rows;
mod import;
mod isolation;
mod lifecycle;
mod limits;
mod plugin;
mod proxy;
mod push;
mod shutdown;
mod sign_in;
mod smuggling;
mod static_site;
