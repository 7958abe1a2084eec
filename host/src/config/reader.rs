//! Reads a TOML table key by key. Each read names the key, its default and its comment, so that one description serves
//! parsing, the list of known keys (for the nearest one when a key is unknown) and `--print-config`.

use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use spaceport_core::limits::Bytes;
use toml::{Table, Value};

/// What reading has gathered so far.
#[derive(Default)]
pub(super) struct Findings {
    /// Every mistake, a sentence each.
    pub(super) problems: Vec<String>,
    /// The effective configuration as TOML with comments.
    pub(super) effective: String,
}

/// One table of the file being read.
pub(super) struct Section<'a> {
    name: &'static str,
    table: Option<&'a Table>,
    known: Vec<&'static str>,
    findings: &'a mut Findings,
}

impl<'a> Section<'a> {
    /// The table called `name`, which need not be there.
    pub(super) fn open(file: &'a Table, name: &'static str, comment: &str, findings: &'a mut Findings) -> Self {
        findings.effective.push_str(&format!("\n# {comment}\n[{name}]\n"));
        let table = match file.get(name) {
            None => None,
            Some(Value::Table(table)) => Some(table),
            Some(_) => {
                findings.problems.push(format!("{name}: write it as a table, [{name}]"));
                None
            }
        };
        Self { name, table, known: Vec::new(), findings }
    }

    /// A text that parses into `T`.
    pub(super) fn parsed<T>(&mut self, key: &'static str, default: T, comment: &str) -> T
    where
        T: FromStr + Display,
        T::Err: Display,
    {
        let parse = |text: &str| text.parse().map_err(|e: T::Err| e.to_string());
        self.optional(key, Some(default), comment, parse, T::to_string).expect("a key with a default has a value")
    }

    /// A text that parses into `T`, if set.
    pub(super) fn optional_parsed<T>(&mut self, key: &'static str, comment: &str) -> Option<T>
    where
        T: FromStr + Display,
        T::Err: Display,
    {
        self.optional(key, None, comment, |text| text.parse().map_err(|e: T::Err| e.to_string()), T::to_string)
    }

    /// A text, if set.
    pub(super) fn text(&mut self, key: &'static str, comment: &str) -> Option<String> {
        self.optional(key, None, comment, |text| Ok(text.to_owned()), String::clone)
    }

    /// A span of time such as `30s`, `5m` or `48h`.
    pub(super) fn duration(&mut self, key: &'static str, default: Duration, comment: &str) -> Duration {
        self.optional(key, Some(default), comment, parse_duration, |d| format_duration(*d)).unwrap_or(default)
    }

    /// A size such as `64MiB`, if set.
    pub(super) fn optional_bytes(&mut self, key: &'static str, comment: &str) -> Option<Bytes> {
        self.optional(key, None, comment, |text| Bytes::parse(text).map_err(|e| e.to_string()), Bytes::to_string)
    }

    /// A size such as `64MiB`.
    pub(super) fn bytes(&mut self, key: &'static str, default: Bytes, comment: &str) -> Bytes {
        self.optional(key, Some(default), comment, |t| Bytes::parse(t).map_err(|e| e.to_string()), Bytes::to_string)
            .unwrap_or(default)
    }

    /// A socket address.
    pub(super) fn address(&mut self, key: &'static str, default: SocketAddr, comment: &str) -> SocketAddr {
        let parse =
            |text: &str| text.parse().map_err(|_| "write an address and a port, such as \"127.0.0.1:9090\"".into());
        self.optional(key, Some(default), comment, parse, SocketAddr::to_string).unwrap_or(default)
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, key: &'static str, default: Option<u64>, comment: &str) -> Option<u64> {
        let found = self.found(key);
        let value = match found {
            None => default,
            Some(Value::Integer(number)) if *number >= 0 => u64::try_from(*number).ok(),
            Some(_) => self.refuse(key, "write a whole number, zero or more", default),
        };
        self.show(key, value.map(|number| number.to_string()), comment);
        value
    }

    /// True or false.
    pub(super) fn switch(&mut self, key: &'static str, default: bool, comment: &str) -> bool {
        let value = match self.found(key) {
            None => default,
            Some(Value::Boolean(switch)) => *switch,
            Some(_) => self.refuse(key, "write true or false", default),
        };
        self.show(key, Some(value.to_string()), comment);
        value
    }

    /// True or false, if set.
    pub(super) fn optional_switch(&mut self, key: &'static str, comment: &str) -> Option<bool> {
        let value = match self.found(key) {
            None => None,
            Some(Value::Boolean(switch)) => Some(*switch),
            Some(_) => self.refuse(key, "write true or false", None),
        };
        self.show(key, value.map(|switch| switch.to_string()), comment);
        value
    }

    /// A list of texts that each parse into `T`.
    pub(super) fn list<T>(&mut self, key: &'static str, comment: &str, hint: &str) -> Vec<T>
    where
        T: FromStr + Display,
    {
        let mut list = Vec::new();
        match self.found(key) {
            None => {}
            Some(Value::Array(values)) => {
                for value in values {
                    match value.as_str().and_then(|text| text.parse().ok()) {
                        Some(item) => list.push(item),
                        None => self.refuse(key, &format!("{value} is not one: {hint}"), ()),
                    }
                }
            }
            Some(_) => self.refuse(key, &format!("write a list; {hint}"), ()),
        }
        let shown: Vec<_> = list.iter().map(|item: &T| quoted(&item.to_string())).collect();
        self.show(key, Some(format!("[{}]", shown.join(", "))), comment);
        list
    }

    /// Says which keys of the table nobody asked for.
    pub(super) fn close(self) {
        let Some(table) = self.table else { return };
        for key in table.keys().filter(|key| !self.known.contains(&key.as_str())) {
            let advice = nearest(key, &self.known);
            self.findings.problems.push(format!("{}.{key}: no such key{advice}", self.name));
        }
    }

    fn optional<T>(
        &mut self,
        key: &'static str,
        default: Option<T>,
        comment: &str,
        parse: impl Fn(&str) -> Result<T, String>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        let value = match self.found(key) {
            None => default,
            Some(Value::String(text)) => match parse(text) {
                Ok(value) => Some(value),
                Err(why) => self.refuse(key, &why, default),
            },
            Some(_) => self.refuse(key, "write it in quotes", default),
        };
        self.show(key, value.as_ref().map(|value| quoted(&show(value))), comment);
        value
    }

    fn found(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.table.and_then(|table| table.get(key))
    }

    fn refuse<T>(&mut self, key: &str, why: &str, instead: T) -> T {
        self.findings.problems.push(format!("{}.{key}: {why}", self.name));
        instead
    }

    fn show(&mut self, key: &str, value: Option<String>, comment: &str) {
        self.findings.show(key, value, Some(comment));
    }
}

impl Findings {
    /// Adds a key to the effective configuration, one that is not set as a comment.
    pub(super) fn show(&mut self, key: &str, value: Option<String>, comment: Option<&str>) {
        if let Some(comment) = comment {
            self.effective.push_str(&format!("# {comment}\n"));
        }
        match value {
            Some(value) => self.effective.push_str(&format!("{key} = {value}\n")),
            None => self.effective.push_str(&format!("# {key} =\n")),
        }
    }
}

/// A text as TOML writes it.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// `; did you mean "x"?`, or the list of what there is.
pub(super) fn nearest(key: &str, known: &[&str]) -> String {
    let best = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(key, known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3).max(2));
    match best {
        Some((_, known)) => format!("; did you mean {known:?}?"),
        None => format!("; known here: {}", known.join(", ")),
    }
}

/// Reads `<number><unit>`, unit one of ms, s, m, h, d.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let hint = || "write a span of time as a number and a unit, such as \"30s\", \"5m\" or \"48h\"".to_owned();
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(hint)?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| hint())?;
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(hint()),
    };
    match number.checked_mul(unit_ms) {
        Some(0) => Err("write a span of time above zero".to_owned()),
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => Err(hint()),
    }
}

fn format_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if ms >= size && ms.is_multiple_of(size) {
            return format!("{}{unit}", ms / size);
        }
    }
    format!("{ms}ms")
}
