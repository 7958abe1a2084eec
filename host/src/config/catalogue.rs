//! `[[hardware]]` and `[[storage]]`: rows that add to the catalogue or replace rows of it.

use spaceport_core::hardware::{Catalogue, Gpu, Hardware, InvalidHardware, MAX_ROWS, StorageTier};
use spaceport_core::limits::Bytes;
use toml::{Table, Value};

use super::reader::{Findings, nearest, quoted};

const HARDWARE_KEYS: [&str; 8] =
    ["name", "pretty_name", "vcpu", "memory", "disk", "price_per_hour", "gpu", "request_fuel"];
const GPU_KEYS: [&str; 3] = ["type", "count", "memory"];
const STORAGE_KEYS: [&str; 3] = ["name", "size", "price_per_month"];

/// The built-in catalogue with the file's rows.
pub(super) fn read(file: &Table, findings: &mut Findings) -> Catalogue {
    let mut catalogue = Catalogue::default();
    for row in rows(file, "hardware", &HARDWARE_KEYS, findings) {
        if let Some(hardware) = read_hardware(row, findings) {
            catalogue.set_hardware(hardware);
        }
    }
    if catalogue.hardware.len() > MAX_ROWS {
        findings.problems.push(format!("hardware: {MAX_ROWS} rows are the most, those that are built in with them"));
    }
    for row in rows(file, "storage", &STORAGE_KEYS, findings) {
        if let Some(tier) = read_tier(row, findings) {
            catalogue.set_storage(tier);
        }
    }
    show(&catalogue, findings);
    catalogue
}

/// The rows of a list, those with unknown keys reported.
fn rows<'a>(file: &'a Table, name: &str, known: &[&str], findings: &mut Findings) -> Vec<&'a Table> {
    let rows = match file.get(name) {
        None => return Vec::new(),
        Some(Value::Array(rows)) => rows,
        Some(_) => {
            findings.problems.push(format!("{name}: write rows as [[{name}]]"));
            return Vec::new();
        }
    };
    let tables: Vec<&Table> = rows.iter().filter_map(Value::as_table).collect();
    if tables.len() < rows.len() {
        findings.problems.push(format!("{name}: write rows as [[{name}]]"));
    }
    for table in &tables {
        for key in table.keys().filter(|key| !known.contains(&key.as_str())) {
            findings.problems.push(format!("{name}.{key}: no such key{}", nearest(key, known)));
        }
    }
    tables
}

fn read_hardware(row: &Table, findings: &mut Findings) -> Option<Hardware> {
    let name = name(row, "hardware", findings)?;
    let mut row = Row { row, label: format!("hardware {name:?}"), findings };
    let vcpu = row.positive("vcpu");
    let memory = row.bytes("memory");
    let disk = row.bytes("disk");
    let price = row.price("price_per_hour");
    let gpu = row.gpu();
    let request_fuel = row.fuel();
    let pretty_name = row.row.get("pretty_name").and_then(Value::as_str).unwrap_or(&name).to_owned();
    let hardware = Hardware {
        pretty_name,
        vcpu: vcpu?,
        memory: memory?,
        disk: disk?,
        price_per_hour: price?,
        gpu: gpu?,
        request_fuel: request_fuel?,
        name,
    };
    let mistakes: Vec<_> = hardware.mistakes().collect();
    for InvalidHardware { member, why } in &mistakes {
        row.refuse::<()>(&key_of(member), why);
    }
    mistakes.is_empty().then_some(hardware)
}

/// The key of a member: `price_per_hour` of `pricePerHour`.
fn key_of(member: &str) -> String {
    let mut key = String::new();
    for letter in member.chars() {
        if letter.is_ascii_uppercase() {
            key.push('_');
        }
        key.push(letter.to_ascii_lowercase());
    }
    key
}

fn read_tier(row: &Table, findings: &mut Findings) -> Option<StorageTier> {
    let name = name(row, "storage", findings)?;
    let mut row = Row { row, label: format!("storage {name:?}"), findings };
    let size = row.bytes("size");
    let price = row.price("price_per_month");
    Some(StorageTier { size: size?, price_per_month: price?, name })
}

fn name(row: &Table, list: &str, findings: &mut Findings) -> Option<String> {
    let name = row.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    if name.is_none() {
        findings.problems.push(format!("{list}.name: each row needs a name, such as \"cpu-tiny\""));
    }
    name.map(str::to_owned)
}

/// One row being read. Each reader returns `None` after reporting what is wrong, so that all mistakes of a row are told at
/// once; `Hardware::mistakes` has the last word on a row that could be read.
struct Row<'a> {
    row: &'a Table,
    label: String,
    findings: &'a mut Findings,
}

impl Row<'_> {
    fn positive(&mut self, key: &str) -> Option<f64> {
        match self.row.get(key).and_then(number).filter(|number| *number > 0.0 && number.is_finite()) {
            Some(number) => Some(number),
            None => self.refuse(key, "write a number above zero"),
        }
    }

    fn price(&mut self, key: &str) -> Option<f64> {
        match self.row.get(key) {
            None => Some(0.0),
            Some(value) => match number(value).filter(|price| *price >= 0.0 && price.is_finite()) {
                Some(price) => Some(price),
                None => self.refuse(key, "write a price in US dollars, zero or more"),
            },
        }
    }

    fn bytes(&mut self, key: &str) -> Option<Bytes> {
        match self.row.get(key).and_then(Value::as_str).map(Bytes::parse) {
            Some(Ok(bytes)) => Some(bytes),
            _ => self.refuse(key, "write a size in quotes, such as \"64MiB\" or \"16GB\""),
        }
    }

    fn fuel(&mut self) -> Option<Option<u64>> {
        match self.row.get("request_fuel") {
            None => Some(None),
            Some(Value::Integer(fuel)) if *fuel > 0 => Some(u64::try_from(*fuel).ok()),
            Some(_) => self.refuse("request_fuel", "write a whole number above zero"),
        }
    }

    fn gpu(&mut self) -> Option<Option<Gpu>> {
        let gpu = match self.row.get("gpu") {
            None => return Some(None),
            Some(Value::Table(gpu)) => gpu,
            Some(_) => return self.refuse("gpu", "write {type = \"t4\", count = 1, memory = \"16GiB\"}"),
        };
        for key in gpu.keys().filter(|key| !GPU_KEYS.contains(&key.as_str())) {
            self.findings.problems.push(format!("{}.gpu.{key}: no such key{}", self.label, nearest(key, &GPU_KEYS)));
        }
        let kind = gpu.get("type").and_then(Value::as_str).map(str::to_owned);
        let count = gpu.get("count").map_or(Some(1), |count| count.as_integer().and_then(|n| u32::try_from(n).ok()));
        let memory = gpu.get("memory").and_then(Value::as_str).and_then(|text| Bytes::parse(text).ok());
        match (kind, count.filter(|count| *count > 0), memory) {
            (Some(kind), Some(count), Some(memory)) => Some(Some(Gpu { kind, count, memory })),
            _ => self.refuse("gpu", "write {type = \"t4\", count = 1, memory = \"16GiB\"}"),
        }
    }

    fn refuse<T>(&mut self, key: &str, why: &str) -> Option<T> {
        self.findings.problems.push(format!("{}.{key}: {why}", self.label));
        None
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        // Whole numbers of vCPUs or dollars are far below 2^53.
        Value::Integer(number) => Some(*number as f64),
        _ => None,
    }
}

/// Adds the rows to the effective configuration; the first of each list says what its keys mean.
fn show(catalogue: &Catalogue, findings: &mut Findings) {
    findings
        .effective
        .push_str("\n# Hardware that Spaces can ask for. Rows of a built-in name replace it, others come beside.\n");
    for (position, row) in catalogue.hardware.iter().enumerate() {
        let gpu = row.gpu.as_ref().map(|Gpu { kind, count, memory }| {
            format!("{{ type = {}, count = {count}, memory = \"{memory}\" }}", quoted(kind))
        });
        let keys = [
            ("name", Some(quoted(&row.name)), "Flavor, as clients send it."),
            ("pretty_name", Some(quoted(&row.pretty_name)), "Name for people."),
            ("vcpu", Some(float(row.vcpu)), "vCPUs; may be a fraction."),
            ("memory", Some(quoted(&row.memory.to_string())), "Memory of all instances of a Space together."),
            ("disk", Some(quoted(&row.disk.to_string())), "Size of /tmp, which is emptied at a restart."),
            ("price_per_hour", Some(float(row.price_per_hour)), "US dollars; a Space on free hardware goes to sleep."),
            ("gpu", gpu, "Accelerator: type, count, and memory of all together. Needs a container backend."),
            ("request_fuel", row.request_fuel.map(|fuel| fuel.to_string()), "Fuel one request may use, if less."),
        ];
        list_row("hardware", position == 0, &keys, findings);
    }
    findings.effective.push_str("# Persistent disks at /data.\n");
    for (position, row) in catalogue.storage.iter().enumerate() {
        let keys = [
            ("name", Some(quoted(&row.name)), "Tier, as clients send it."),
            ("size", Some(quoted(&row.size.to_string())), "Size of /data."),
            ("price_per_month", Some(float(row.price_per_month)), "US dollars."),
        ];
        list_row("storage", position == 0, &keys, findings);
    }
}

fn list_row(list: &str, is_first: bool, keys: &[(&str, Option<String>, &str)], findings: &mut Findings) {
    findings.effective.push_str(&format!("[[{list}]]\n"));
    for (key, value, comment) in keys {
        if is_first || value.is_some() {
            findings.show(key, value.clone(), is_first.then_some(*comment));
        }
    }
    findings.effective.push('\n');
}

fn float(number: f64) -> String {
    Value::from(number).to_string()
}
