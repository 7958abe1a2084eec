//! Why an instance has ended, in the words that owners know from hubs.
//!
//! Pure: from what the Engine and the disk say to a sentence.

use spaceport_backend_protocol::{Line, limits};

/// What is known of an end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct End {
    /// The exit code; absent for a container that never ran.
    pub(super) code: Option<i32>,
    /// The system killed it for its memory.
    pub(super) out_of_memory: bool,
    /// What the Engine says went wrong.
    pub(super) error: String,
    /// Bytes of memory that it might have.
    pub(super) memory: Option<u64>,
    /// It has more on a disk than it might: how much that was.
    pub(super) over: Option<Over>,
    /// It was asked to end.
    pub(super) was_stopped: bool,
    /// The last that it wrote, line by line.
    pub(super) last: Vec<String>,
}

/// Which disk was too full, and how much might have been on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The one that ends with the instance.
    Disk(u64),
    /// The one at `/data`.
    Data(u64),
}

/// Why it has ended.
pub(super) fn reason(end: &End) -> Line {
    let words = match end {
        End { over: Some(Over::Disk(most)), .. } => {
            format!("Workload evicted, storage limit exceeded ({})", size(*most, Unit::Decimal))
        }
        End { over: Some(Over::Data(most)), .. } => {
            format!("Workload evicted, storage limit of /data exceeded ({})", size(*most, Unit::Decimal))
        }
        End { out_of_memory: true, memory, .. } => {
            let most = memory.map(|most| format!(" ({})", size(most, Unit::Binary))).unwrap_or_default();
            format!("Memory limit exceeded{most}")
        }
        End { was_stopped: true, .. } => "It was stopped".to_owned(),
        End { code: None, error, .. } if error.is_empty() => "It was not started".to_owned(),
        End { error, .. } if !error.is_empty() => format!("It cannot be started: {error}"),
        End { code, last, .. } => exit(code.unwrap_or_default(), last),
    };
    Line::lossy(&words)
}

fn exit(code: i32, last: &[String]) -> String {
    let beginning = format!("Exit code: {code}. Reason: ");
    let told = tail(last, limits::LINE - beginning.len());
    match told.is_empty() {
        true => format!("{beginning}it wrote nothing"),
        false => beginning + &told,
    }
}

/// The last lines that fit, in one.
fn tail(lines: &[String], most: usize) -> String {
    const BETWEEN: &str = " | ";
    let mut told = String::new();
    for line in lines.iter().rev().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        if told.is_empty() {
            let start = line.len().saturating_sub(most);
            let start = (start..=line.len()).find(|at| line.is_char_boundary(*at)).unwrap_or(line.len());
            line[start..].clone_into(&mut told);
        } else if told.len() + line.len() + BETWEEN.len() <= most {
            told = format!("{line}{BETWEEN}{told}");
        } else {
            break;
        }
    }
    told
}

/// How sizes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Powers of 1024, as memory: `16Gi`.
    Binary,
    /// Powers of 1000, as disks: `50G`.
    Decimal,
}

/// A size as owners know it from hardware tables.
pub(crate) fn size(bytes: u64, unit: Unit) -> String {
    let (base, suffix) = match unit {
        Unit::Binary => (1024, "i"),
        Unit::Decimal => (1000, ""),
    };
    let steps = [("T", 4), ("G", 3), ("M", 2), ("K", 1)].map(|(letter, power)| (letter, u64::pow(base, power)));
    match steps.iter().find(|(_, step)| bytes >= *step) {
        Some((letter, step)) if bytes % step == 0 => format!("{}{letter}{suffix}", bytes / step),
        Some((letter, step)) => {
            let tenths = bytes / (step / 10);
            format!("{}.{}{letter}{suffix}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(end: End) -> String {
        reason(&end).to_string()
    }

    #[test]
    fn an_owner_reads_what_a_hub_says() {
        let end = End { code: Some(137), memory: Some(16 << 30), ..End::default() };
        assert_eq!(words(End { out_of_memory: true, ..end.clone() }), "Memory limit exceeded (16Gi)");
        let over = Some(Over::Disk(50_000_000_000));
        assert_eq!(words(End { over, ..end.clone() }), "Workload evicted, storage limit exceeded (50G)");
        let over = Some(Over::Data(20_000_000_000));
        assert_eq!(words(End { over, ..end.clone() }), "Workload evicted, storage limit of /data exceeded (20G)");
        assert_eq!(words(End { was_stopped: true, ..end }), "It was stopped");
        assert_eq!(words(End::default()), "It was not started");
        let error = "exec: \"app\": not found".to_owned();
        assert_eq!(
            words(End { code: Some(127), error, ..End::default() }),
            "It cannot be started: exec: \"app\": not found"
        );
    }

    #[test]
    fn the_last_lines_are_told() {
        let end = |last: &[&str]| End {
            code: Some(1),
            last: last.iter().map(|line| (*line).to_owned()).collect(),
            ..End::default()
        };
        assert_eq!(words(end(&[])), "Exit code: 1. Reason: it wrote nothing");
        assert_eq!(words(end(&["a", "", " b\t"])), "Exit code: 1. Reason: a | b");
        let long = "ä".repeat(limits::LINE);
        let told = words(end(&["first", &long]));
        assert!(told.len() <= limits::LINE && told.ends_with("ää") && !told.contains("first"), "{told}");
    }

    #[test]
    fn sizes_are_written_as_in_the_table_of_hardware() {
        assert_eq!(size(16 << 30, Unit::Binary), "16Gi");
        assert_eq!(size(64 << 20, Unit::Binary), "64Mi");
        assert_eq!(size(50_000_000_000, Unit::Decimal), "50G");
        assert_eq!(size(1_500_000_000, Unit::Decimal), "1.5G");
        assert_eq!(size(50 << 30, Unit::Decimal), "53.6G");
        assert_eq!(size(999, Unit::Decimal), "999B");
    }
}
