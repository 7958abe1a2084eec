//! Benchmarks: ours and peers' side by side in one run, printed as ratios. Absolute figures move with the machine; the
//! ratios are what to compare.
//!
//! `--only NAME` runs those whose name starts so; `--json FILE` writes the figures for programs.

mod containers;
mod deploy;
mod hello;
mod load;
mod many;
mod neighbour;
mod rollback;
mod table;
mod upload;
mod wake;

use std::process::ExitCode;

use table::Table;

type Bench = fn(&mut Table);

/// Every benchmark by name.
const BENCHES: [(&str, Bench); 13] = [
    ("hello-0.2", hello::two),
    ("hello-0.3", hello::three),
    ("wake-rust", wake::rust),
    ("wake-python", wake::python),
    ("deploy-static", deploy::site),
    ("deploy-component", deploy::component),
    ("neighbour", neighbour::looping),
    ("rollback-static", rollback::site),
    ("rollback-component", rollback::component),
    ("small-files", upload::small_files),
    ("large-file", upload::large_file),
    ("many", many::spaces),
    ("containers", containers::all),
];

fn main() -> ExitCode {
    let mut only = None;
    let mut json = None;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.next()) {
            ("--only", Some(name)) => only = Some(name),
            ("--json", Some(file)) => json = Some(file),
            _ => {
                let names: Vec<_> = BENCHES.iter().map(|(name, _)| *name).collect();
                eprintln!("usage: cargo xtask bench [--only NAME] [--json FILE]; NAME is one of {}", names.join(", "));
                return ExitCode::from(2);
            }
        }
    }
    let mut table = Table::default();
    for (name, bench) in BENCHES {
        if only.as_ref().is_none_or(|only| name.starts_with(only.as_str())) {
            eprintln!("==> {name}");
            bench(&mut table);
        }
    }
    print!("{table}");
    if let Some(file) = json {
        std::fs::write(&file, table.json()).unwrap_or_else(|error| panic!("write {file}: {error}"));
    }
    ExitCode::SUCCESS
}
