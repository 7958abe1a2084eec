//! `[backends.NAME]`: programs that run what no component can be.

use std::str::FromStr;

use spaceport_backend::BackendName;
use toml::{Table, Value};

use super::reader::{Findings, nearest, quoted};

const KEYS: [&str; 2] = ["command", "enabled"];
/// What is said of the whole table.
const ABOUT: &str = "Programs that run what no component can be, each under a name of lower-case letters and digits.";
const COMMAND: &str = "The program and its arguments; the host adds --socket and the path to listen on.";
const ENABLED: &str = "Whether it is started.";

/// One backend plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// What it is called.
    pub name: BackendName,
    /// The program and its arguments; may be empty only if it is not enabled.
    pub command: Vec<String>,
    /// Whether it is started.
    pub enabled: bool,
}

/// Every `[backends.NAME]` of the file.
pub(super) fn read(file: &Table, findings: &mut Findings) -> Vec<Backend> {
    let mut backends = Vec::new();
    match file.get("backends") {
        None => {}
        Some(Value::Table(tables)) => {
            backends.extend(tables.iter().filter_map(|(name, value)| read_one(name, value, findings)));
        }
        Some(_) => findings.problems.push("backends: write each backend as a table, [backends.NAME]".to_owned()),
    }
    show(&backends, findings);
    backends
}

fn read_one(name: &str, value: &Value, findings: &mut Findings) -> Option<Backend> {
    let mut refuse = |key: &str, why: &str| findings.problems.push(format!("backends.{name}{key}: {why}"));
    let parsed = BackendName::from_str(name).map_err(|error| refuse("", &error.to_string())).ok();
    let Value::Table(table) = value else {
        refuse("", &format!("write it as a table, [backends.{name}]"));
        return None;
    };
    for key in table.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        refuse(&format!(".{key}"), &format!("no such key{}", nearest(key, &KEYS)));
    }
    let enabled = match table.get("enabled") {
        None => true,
        Some(Value::Boolean(enabled)) => *enabled,
        Some(_) => {
            refuse(".enabled", "write true or false");
            true
        }
    };
    let command = table.get("command").map(words);
    match &command {
        Some(Some(_)) => {}
        None if !enabled => {}
        None => refuse(".command", "it needs one: the program and its arguments, such as [\"/usr/local/bin/backend\"]"),
        Some(None) => {
            refuse(".command", "write a list of texts, first the program, such as [\"/usr/local/bin/backend\"]")
        }
    }
    Some(Backend { name: parsed?, command: command.flatten().unwrap_or_default(), enabled })
}

/// A list of texts, the first of which is not empty. No text holds a zero byte: no program can be given one.
fn words(value: &Value) -> Option<Vec<String>> {
    let word = |value: &Value| value.as_str().filter(|word| !word.contains('\0')).map(str::to_owned);
    let words: Vec<String> = value.as_array()?.iter().map(word).collect::<Option<_>>()?;
    words.first().is_some_and(|program| !program.is_empty()).then_some(words)
}

/// Adds them to the effective configuration; the first says what the keys mean, and so do comments if there is none.
fn show(backends: &[Backend], findings: &mut Findings) {
    findings.effective.push_str(&format!("\n# {ABOUT}\n"));
    if backends.is_empty() {
        findings.effective.push_str("# [backends.NAME]\n");
        findings.show("command", None, Some(COMMAND));
        findings.show("enabled", None, Some(ENABLED));
    }
    for (position, backend) in backends.iter().enumerate() {
        let comment = |text| (position == 0).then_some(text);
        let words: Vec<String> = backend.command.iter().map(|word| quoted(word)).collect();
        let command = (!words.is_empty()).then(|| format!("[{}]", words.join(", ")));
        findings.effective.push_str(&format!("[backends.{}]\n", backend.name));
        findings.show("command", command, comment(COMMAND));
        findings.show("enabled", Some(backend.enabled.to_string()), comment(ENABLED));
    }
}
