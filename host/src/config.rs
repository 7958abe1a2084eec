//! The operator's configuration: one TOML file, read once into types that cannot be wrong.
//!
//! Every mistake is reported at once; an unknown key is refused with the nearest known one.

mod accounts;
mod authority;
mod backends;
mod catalogue;
mod rates;
mod reader;
mod ssh;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use spaceport_core::hardware::Catalogue;
use spaceport_core::limits::{Bytes, OperatorLimits};
use spaceport_web::RateLimits;
use spaceport_web::edge::config::{self as edge, Deadlines};
use spaceport_web::edge::tls::TlsFiles;
use toml::{Table, Value};

pub use authority::Authority;
pub use backends::Backend;

use reader::{Findings, Section, nearest};

/// Idle time after which a Space on free hardware sleeps.
const SLEEP_AFTER: Duration = Duration::from_secs(48 * 60 * 60);
/// Memory that is left to the system and the host itself when `node_memory` is not set.
pub const HOST_RESERVE: Bytes = Bytes(2 << 30);
/// Memory for answers that the edge keeps.
const CACHE: Bytes = Bytes(256 << 20);
/// Tables of the file; `hardware` and `storage` are lists of rows.
const TABLES: [&str; 14] = [
    "http",
    "tls",
    "admin",
    "ssh",
    "accounts",
    "limits",
    "rate_limits",
    "lifecycle",
    "egress",
    "static",
    "keys",
    "backends",
    "hardware",
    "storage",
];

/// The configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `[http]`.
    pub http: Http,
    /// `[tls]`: the certificate, where the host ends TLS itself.
    pub tls: Option<TlsFiles>,
    /// `[admin] listen`: where metrics are served.
    pub admin_listen: SocketAddr,
    /// `[ssh]`: where git is served over SSH; `None`: nowhere.
    pub ssh: Option<SocketAddr>,
    /// `[accounts] sign_up`: whether people make accounts for themselves.
    pub sign_up: bool,
    /// `[limits]`, as far as they hold for single Spaces.
    pub limits: OperatorLimits,
    /// `[limits] cache`: memory for answers that the edge keeps.
    pub cache: Bytes,
    /// `[limits]`, as far as they hold for visitors' connections.
    pub visitors: VisitorLimits,
    /// `[rate_limits]`: what one user or address may ask of the hub.
    pub rates: RateLimits,
    /// `[lifecycle] sleep_after`: idle time after which a Space on free hardware sleeps.
    pub sleep_after: Duration,
    /// `[egress] allow`: ranges exempted from the private-address rule.
    pub egress_allow: Vec<IpNet>,
    /// `[static] expose_secrets`: whether the pages of static Spaces get the secrets too.
    pub expose_secrets: bool,
    /// `[keys] path`: where the keys are, if not in the data directory.
    pub keys: Option<PathBuf>,
    /// `[backends.NAME]`: programs that run what no component can be.
    pub backends: Vec<Backend>,
    /// Hardware and storage rows.
    pub catalogue: Catalogue,
}

/// `[http]`: how the host is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Domain of the hub, with port if not the scheme's; `None`: localhost and the port listened on.
    pub domain: Option<Authority>,
    /// Domain below which Spaces answer; `None`: the hub's.
    pub spaces_domain: Option<Authority>,
    /// Scheme in every printed URL.
    pub public_scheme: Scheme,
    /// Proxies whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// What visitors' connections may take.
#[derive(Debug, Clone, PartialEq)]
pub struct VisitorLimits {
    /// How long things may take.
    pub deadlines: Deadlines,
    /// Connections at once; `None`: a share of the descriptors that the process may open.
    pub connections: Option<usize>,
    /// Connections at once of one address.
    pub connections_per_client: usize,
}

/// What the command line says in place of the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `[http] listen`.
    pub listen: Option<SocketAddr>,
    /// `[http] domain`.
    pub domain: Option<Authority>,
}

/// Scheme of the public URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http`.
    Http,
    /// `https`: this host or a proxy in front ends TLS.
    Https,
}

/// Every mistake in a configuration file, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// Reads the text of a configuration file under what the command line says; returns it with the effective one as
    /// commented TOML.
    pub fn read(text: &str, overrides: &Overrides) -> Result<(Self, String), ConfigError> {
        let mut file: Table = text.parse().map_err(|error: toml::de::Error| {
            ConfigError(error.to_string().trim_end().lines().map(str::to_owned).collect())
        })?;
        overrides.apply(&mut file);
        let mut findings = Findings::default();
        for key in file.keys().filter(|key| !TABLES.contains(&key.as_str())) {
            findings.problems.push(format!("{key}: no such table{}", nearest(key, &TABLES)));
        }
        let http = Http::read(&file, &mut findings);
        let tls = read_tls(&file, &mut findings);
        let admin_listen = read_admin(&file, &mut findings);
        let ssh = ssh::read(&file, &mut findings);
        let sign_up = accounts::read(&file, &mut findings);
        let (limits, cache, visitors) = read_limits(&file, &mut findings);
        let rates = rates::read(&file, &mut findings);
        let sleep_after = read_lifecycle(&file, &mut findings);
        let egress_allow = read_egress(&file, &mut findings);
        let expose_secrets = read_static(&file, &mut findings);
        let keys = read_keys(&file, &mut findings);
        let backends = backends::read(&file, &mut findings);
        let catalogue = catalogue::read(&file, &mut findings);
        if !findings.problems.is_empty() {
            return Err(ConfigError(findings.problems));
        }
        let config = Self {
            http,
            tls,
            admin_listen,
            ssh,
            sign_up,
            limits,
            cache,
            visitors,
            rates,
            sleep_after,
            egress_allow,
            expose_secrets,
            keys,
            backends,
            catalogue,
        };
        Ok((config, findings.effective.trim_start().to_owned()))
    }
}

impl Overrides {
    /// Writes them into the file's tables, so that they are read, and printed, as if they stood there.
    fn apply(&self, file: &mut Table) {
        // Something that is no table is reported by who reads it.
        let http = file.entry("http").or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(http) = http else { return };
        if let Some(listen) = self.listen {
            http.insert("listen".into(), Value::Array(vec![listen.to_string().into()]));
        }
        if let Some(domain) = &self.domain {
            http.insert("domain".into(), domain.to_string().into());
        }
    }
}

impl Http {
    fn read(file: &Table, findings: &mut Findings) -> Self {
        let mut section = Section::open(file, "http", "How the host is reached.", findings);
        let listen = section.list(
            "listen",
            "Addresses to listen on; empty: port 7860 of localhost, IPv4 and IPv6.",
            "write addresses with ports, such as \"0.0.0.0:7860\"",
        );
        let domain =
            section.optional_parsed("domain", "Domain of the hub, with its port; unset: localhost and the port.");
        let spaces_domain = section.optional_parsed(
            "spaces_domain",
            "Domain below which Spaces answer; unset: the hub's. Outside localhost better another registrable domain.",
        );
        let has_certificate = file.get("tls").is_some_and(|tls| tls.get("cert").is_some());
        let usual = if has_certificate { Scheme::Https } else { Scheme::Http };
        let public_scheme = section.parsed(
            "public_scheme",
            usual,
            "Scheme of every printed URL: http or https; unset: https with [tls], otherwise http.",
        );
        let trusted_proxies = section.list(
            "trusted_proxies",
            "Networks of proxies whose X-Forwarded-For is believed.",
            "write networks such as \"10.0.0.0/8\"",
        );
        section.close();
        Self { listen, domain, spaces_domain, public_scheme, trusted_proxies }
    }
}

impl std::str::FromStr for Scheme {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "http" => Ok(Self::Http),
            "https" => Ok(Self::Https),
            _ => Err("write \"http\" or \"https\""),
        }
    }
}

impl std::fmt::Display for Scheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

fn read_tls(file: &Table, findings: &mut Findings) -> Option<TlsFiles> {
    let mut section = Section::open(file, "tls", "The certificate, if no proxy in front ends TLS.", findings);
    let cert = section.text("cert", "PEM file of the certificate and those it rests on; read again when it changes.");
    let key = section.text("key", "PEM file of its private key.");
    section.close();
    match (cert, key) {
        (Some(cert), Some(key)) => Some(TlsFiles { cert: cert.into(), key: key.into() }),
        (None, None) => None,
        _ => {
            findings.problems.push("tls: write both cert and key, or neither".to_owned());
            None
        }
    }
}

fn read_admin(file: &Table, findings: &mut Findings) -> SocketAddr {
    let mut section = Section::open(file, "admin", "For the operator's own tools.", findings);
    let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let listen = section.address("listen", any_port, "Address that serves /metrics; port 0 takes a free one.");
    section.close();
    listen
}

fn read_limits(file: &Table, findings: &mut Findings) -> (OperatorLimits, Bytes, VisitorLimits) {
    let default = OperatorLimits::default();
    let mut section = Section::open(file, "limits", "What holds for every Space; its hardware may say less.", findings);
    let node_memory = section.optional_bytes(
        "node_memory",
        "Memory of all Spaces together; unset: the machine's, less 2 GiB for the system and the host.",
    );
    let limits = OperatorLimits {
        first_byte: section.duration("first_byte", default.first_byte, "Longest time to the first byte of an answer."),
        idle_chunk: section.duration("idle_chunk", default.idle_chunk, "Longest silence between two chunks of a body."),
        stream: section.duration("stream", default.stream, "Longest time from the first byte to the last."),
        queue: section.duration("queue", default.queue, "Longest wait of a request for its turn."),
        cold_start: section.duration("cold_start", default.cold_start, "Longest start of an instance."),
        request_fuel: section.number(
            "request_fuel",
            default.request_fuel,
            "Fuel one request may use; unset: what the vCPUs can burn in `stream`.",
        ),
        inodes: section
            .number("inodes", Some(default.inodes), "Files and folders a writable mount may hold.")
            .unwrap_or(default.inodes),
        request_body: section.bytes("request_body", default.request_body, "Largest body of a request to a Space."),
        component: section.bytes("component", default.component, "Largest component."),
        compile: section.duration(
            "compile",
            default.compile,
            "CPU time that compiling a component may take; by the clock, 30 s more.",
        ),
        node_memory,
    };
    let cache = section.bytes("cache", CACHE, "Memory for answers of Spaces that the edge keeps.");
    let visitors = read_visitor_limits(&mut section);
    section.close();
    (limits, cache, visitors)
}

fn read_visitor_limits(section: &mut Section<'_>) -> VisitorLimits {
    let mut span = |key, default, comment| section.duration(key, default, comment);
    let deadlines = Deadlines {
        first_head: span("first_head", edge::FIRST_HEAD, "Longest time from a connection to its first request's head."),
        head: span("head", edge::HEAD, "Longest time from the first byte of a later head to its last."),
        keep_alive: span("keep_alive", edge::KEEP_ALIVE, "Longest wait of a connection for its next request."),
        body_idle: span("body_idle", edge::BODY_IDLE, "Longest silence in a request's body."),
        write_idle: span("write_idle", edge::WRITE_IDLE, "Longest wait for a visitor who takes no bytes."),
        drain: span("drain", edge::DRAIN, "How long requests in flight may go on once the host is told to stop."),
    };
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let connections =
        section.number("connections", None, "Connections at once; unset: 70 % of the files the process may open.");
    let connections_per_client = section.number(
        "connections_per_client",
        Some(edge::CONNECTIONS_PER_IP as u64),
        "Connections at once of one address; loopback and trusted proxies are exempt.",
    );
    VisitorLimits {
        deadlines,
        connections: connections.map(count),
        connections_per_client: connections_per_client.map_or(edge::CONNECTIONS_PER_IP, count),
    }
}

fn read_lifecycle(file: &Table, findings: &mut Findings) -> Duration {
    let mut section = Section::open(file, "lifecycle", "When Spaces sleep.", findings);
    let after = section.duration("sleep_after", SLEEP_AFTER, "Idle time after which a Space on free hardware sleeps.");
    section.close();
    after
}

fn read_egress(file: &Table, findings: &mut Findings) -> Vec<IpNet> {
    let mut section = Section::open(file, "egress", "Where Spaces may connect.", findings);
    let allow = section.list(
        "allow",
        "Networks exempted from the rule that only public addresses are reached; the port rule stays on.",
        "write networks such as \"198.51.100.0/24\"",
    );
    section.close();
    allow
}

fn read_static(file: &Table, findings: &mut Findings) -> bool {
    let mut section = Section::open(file, "static", "Static Spaces.", findings);
    let expose = section.switch(
        "expose_secrets",
        true,
        "Whether secrets are in window.huggingface.variables, where every visitor can read them.",
    );
    section.close();
    expose
}

fn read_keys(file: &Table, findings: &mut Findings) -> Option<PathBuf> {
    let mut section = Section::open(file, "keys", "The key that secrets are encrypted with.", findings);
    let path = section.text("path", "Folder of the keys; unset: keys/ in the data directory.");
    section.close();
    path.map(PathBuf::from)
}
