//! The commands of the program, one module each.

mod account;
mod check;
mod hub;
mod import;
mod plugin;
mod push;
mod serve;

use crate::cli::Command;

/// Does what was asked.
pub fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::User(command) => account::user(command),
        Command::Org(command) => account::organization(command),
        Command::Token(command) => account::token(command),
        Command::Push(args) => push::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Plugin(command) => plugin::run(&command),
        Command::Check { path } => check::run(&path),
    }
}
