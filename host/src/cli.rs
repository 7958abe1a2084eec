//! The command line: what can be asked of `spaceport`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use spaceport_core::name::{OwnerName, SpacePath};
use spaceport_core::permission::TokenRole;

use crate::config::Authority;
use crate::telemetry::LogFilter;

/// Self-hosted Spaces: push a repository, get a running web app.
#[derive(Debug, Parser)]
#[command(name = "spaceport", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the host.
    Serve(ServeArgs),
    /// Manage accounts.
    #[command(subcommand)]
    User(UserCommand),
    /// Manage organizations.
    #[command(subcommand)]
    Org(OrgCommand),
    /// Manage access tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Publish a folder as a Space.
    Push(PushArgs),
    /// Copy a Space or any git repository here, with its history.
    Import(ImportArgs),
    /// Work on backend plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Say which world a component fits, what it imports and what it would be refused for.
    Check {
        /// A component (`app.wasm`) or the folder of a Space.
        path: PathBuf,
    },
}

/// The argument with which the program starts itself to compile a component in a process of its own. Not for people.
pub const COMPILE_WORKER: &str = "__compile";

/// `spaceport serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Configuration file (default: spaceport.toml in the data directory, if there).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data directory.
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub data: PathBuf,
    /// Address to listen on (default: port 7860 of localhost, IPv4 and IPv6).
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
    /// Domain of the hub; Spaces answer below it (default: localhost and the port).
    #[arg(long, value_name = "HOST[:PORT]")]
    pub domain: Option<Authority>,
    /// File to write, as JSON, once the host can answer.
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// If the journal of the database is damaged, keep what can be read of it and give up the rest.
    #[arg(long)]
    pub accept_loss: bool,
    /// Print the effective configuration, every value with its meaning, and exit.
    #[arg(long)]
    pub print_config: bool,
    /// What to log, such as "info" or "debug,spaceport_engine=trace".
    #[arg(long, env = "SPACEPORT_LOG", value_name = "FILTER")]
    pub log: Option<LogFilter>,
}

/// `spaceport user`.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create an account.
    Create {
        /// Its name.
        name: OwnerName,
        /// It administers this host.
        #[arg(long)]
        admin: bool,
        /// Read a password from standard input; without one the account signs in by token.
        #[arg(long)]
        password_stdin: bool,
        /// Data directory of the host.
        #[arg(long, value_name = "DIR", default_value = "data")]
        data: PathBuf,
    },
}

/// `spaceport org`.
#[derive(Debug, Subcommand)]
pub enum OrgCommand {
    /// Create an organization.
    Create {
        /// Its name.
        name: OwnerName,
        /// The user who is its first admin.
        #[arg(long, value_name = "USER")]
        owner: OwnerName,
        /// Data directory of the host.
        #[arg(long, value_name = "DIR", default_value = "data")]
        data: PathBuf,
    },
}

/// `spaceport plugin`.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Check that a plugin which listens on a socket keeps to the protocol.
    Test {
        /// Where it listens.
        socket: PathBuf,
        /// A folder with a Dockerfile whose image answers HTTP on port 7860, to be built, run and removed.
        #[arg(long, value_name = "DIR")]
        app: Option<PathBuf>,
    },
}

/// `spaceport token`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Create an access token and print it: the only time it is shown.
    Create {
        /// Whose token.
        #[arg(long, value_name = "NAME")]
        user: OwnerName,
        /// What it allows at most.
        #[arg(long, value_enum, default_value = "write")]
        role: Role,
        /// What it is for.
        #[arg(long, value_name = "LABEL", default_value = "shell")]
        name: String,
        /// Data directory of the host.
        #[arg(long, value_name = "DIR", default_value = "data")]
        data: PathBuf,
    },
}

/// What a token allows.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Role {
    /// See what the user sees.
    Read,
    /// Change what the user may change.
    Write,
    /// Administer the host, if the user does.
    Admin,
}

impl From<Role> for TokenRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Read => Self::Read,
            Role::Write => Self::Write,
            Role::Admin => Self::Admin,
        }
    }
}

/// `spaceport push`.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// The folder.
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// The Space (default: your name and the folder's).
    #[arg(long, value_name = "OWNER/NAME")]
    pub to: Option<SpacePath>,
    /// Ask for a persistent disk of this tier at /data.
    #[arg(long, value_name = "TIER")]
    pub storage: Option<String>,
    /// Which hub, and who asks.
    #[command(flatten)]
    pub hub: HubArgs,
    /// Commit message.
    #[arg(long, short, default_value = "Upload with spaceport push")]
    pub message: String,
}

/// `spaceport import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// A git repository: a folder, a URL, or hf://spaces/owner/name.
    pub source: String,
    /// The Space (default: your name and the source's).
    #[arg(long, value_name = "OWNER/NAME")]
    pub to: Option<SpacePath>,
    /// Replace what a Space of that name holds.
    #[arg(long)]
    pub force: bool,
    /// Where hf:// leads.
    #[arg(long, env = "SPACEPORT_HF_BASE", value_name = "URL", default_value = "https://huggingface.co")]
    pub hf_base: String,
    /// Which hub, and who asks.
    #[command(flatten)]
    pub hub: HubArgs,
}

/// Which hub, and who asks.
#[derive(Debug, Args)]
pub struct HubArgs {
    /// The hub.
    #[arg(long, env = "HF_ENDPOINT", value_name = "URL", default_value = "http://localhost:7860")]
    pub endpoint: String,
    /// An access token with the role "write".
    #[arg(long, env = "HF_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}
