//! What a component is, read from its outer sections.
//!
//! Names only: whether an import's type fits is the linker's to say, after compiling. Counting walks into every nested
//! module, so that a bomb is refused by its numbers before a compiler sees it.

use wasmparser::{ComponentExternName, ComponentTypeRef, Encoding, Parser, Payload};

use crate::compile::Refusal;
use crate::engine::config::{MEMORIES_PER_COMPONENT, TABLES_PER_COMPONENT};

/// Functions of all modules. Large interpreters have some 30,000.
const FUNCTIONS: u64 = 200_000;
/// Types of all modules.
const TYPES: u64 = 50_000;
/// Core modules and components, nested ones included.
const MODULES: u64 = 200;
/// Levels of nesting: the reader's bookkeeping, not a stack.
const DEPTH: usize = 32;

/// Interfaces of WASI 0.2 that are linked.
const WASI_02: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];
/// Interfaces of WASI 0.3 that are linked.
const WASI_03: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/types",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/system-clock",
    "wasi:clocks/types",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/client",
    "wasi:http/types",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/types",
];
/// What apps may import of ours.
const APP: &[&str] = &["spaceport:app/log", "spaceport:app/space"];
/// What plugins may import of ours.
const SDK: &[&str] = &["spaceport:sdk/page", "spaceport:sdk/repository"];
/// What makes a component a plugin.
const PLUGIN: &str = "spaceport:sdk/kind@0.1.";

/// How a component wants to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// `wasi:http/incoming-handler@0.2`: one request at a time.
    Http02,
    /// `wasi:http/handler@0.3`: several at once.
    Http03,
}

/// What a component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// How it is called.
    pub interface: Interface,
    /// What it imports, as written.
    pub imports: Vec<String>,
    /// What it exports, as written.
    pub exports: Vec<String>,
}

impl Inspection {
    /// Whether it serves Spaces of an `sdk:` kind, rather than being an app.
    pub fn is_plugin(&self) -> bool {
        self.exports.iter().any(|name| name.starts_with(PLUGIN))
    }
}

#[derive(Default)]
struct Found {
    imports: Vec<String>,
    exports: Vec<String>,
    bad: Vec<String>,
    functions: u64,
    types: u64,
    memories: u64,
    tables: u64,
    modules: u64,
}

/// Reads a component's outside, or says why it is refused; one of more than `limit` bytes is.
pub fn inspect(component: &[u8], limit: u64) -> Result<Inspection, Refusal> {
    let size = component.len() as u64;
    if size > limit {
        return Err(Refusal::TooLarge { size, limit });
    }
    let found = read(component)?;
    found.check_counts()?;
    let http =
        |name: &str, track: &str| found.exports.iter().any(|export| export.starts_with(&format!("{name}@{track}.")));
    let interface = match (http("wasi:http/handler", "0.3"), http("wasi:http/incoming-handler", "0.2")) {
        (true, _) => Interface::Http03,
        (false, true) => Interface::Http02,
        (false, false) => return Err(Refusal::NoHandler),
    };
    let inspection = Inspection { interface, imports: found.imports, exports: found.exports };
    let ours = if inspection.is_plugin() { SDK } else { APP };
    let mut bad = found.bad;
    bad.extend(inspection.imports.iter().filter(|name| !is_offered(name, ours)).cloned());
    if bad.is_empty() { Ok(inspection) } else { Err(Refusal::Imports(bad)) }
}

/// Whether an interface of this name and version is linked; any patch version is.
fn is_offered(import: &str, ours: &[&str]) -> bool {
    let Some((name, version)) = import.split_once('@') else { return false };
    // A version before a release, such as 0.3.0-rc, is another interface.
    let numbers: Vec<&str> = version.split('.').collect();
    match numbers[..] {
        ["0", "2", patch] if is_number(patch) => WASI_02.contains(&name),
        ["0", "3", patch] if is_number(patch) => WASI_03.contains(&name),
        ["0", "1", patch] if is_number(patch) => ours.contains(&name),
        _ => false,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn read(component: &[u8]) -> Result<Found, Refusal> {
    let broken = |error: wasmparser::BinaryReaderError| Refusal::NotAComponent(error.to_string());
    let mut found = Found::default();
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(broken)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(Refusal::NotAComponent("it is a core module; make a component of it".into()));
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                depth += 1;
                found.modules += 1;
                if depth > DEPTH {
                    return Err(Refusal::TooMany {
                        what: "levels of nesting",
                        count: depth as u64,
                        limit: DEPTH as u64,
                    });
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::TypeSection(section) => found.types += u64::from(section.count()),
            Payload::FunctionSection(section) => found.functions += u64::from(section.count()),
            Payload::MemorySection(section) => found.memories += u64::from(section.count()),
            Payload::TableSection(section) => found.tables += u64::from(section.count()),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(broken)?;
                    found.import(import.name, import.ty);
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    found.exports.push(export.map_err(broken)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

impl Found {
    fn import(&mut self, name: ComponentExternName<'_>, ty: ComponentTypeRef) {
        let name = name.name.to_owned();
        match ty {
            ComponentTypeRef::Instance(_) => self.imports.push(name),
            // A name for a type of an imported interface; it needs nothing from us.
            ComponentTypeRef::Type(_) => {}
            _ => self.bad.push(name),
        }
    }

    fn check_counts(&self) -> Result<(), Refusal> {
        let counts = [
            ("modules", self.modules, MODULES),
            ("functions", self.functions, FUNCTIONS),
            ("types", self.types, TYPES),
            ("memories", self.memories, u64::from(MEMORIES_PER_COMPONENT)),
            ("tables", self.tables, u64::from(TABLES_PER_COMPONENT)),
        ];
        match counts.into_iter().find(|(_, count, limit)| count > limit) {
            Some((what, count, limit)) => Err(Refusal::TooMany { what, count, limit }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
