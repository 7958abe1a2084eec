//! Setup, tests and benchmarks: what a person types in a fresh clone.

mod bench;
mod containers;
mod deny;
mod guests;
mod packages;
mod progress;
mod screenshots;
mod test;
mod toolchain;
mod up;
mod workspace;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  up                                build everything, start a host with demo Spaces on localhost:7860
  test [NEXTEST ARGS…]              get what the tests need and run every test
  bench [--only NAME] [--json FILE] benchmarks, ours and peers' side by side
  guests                            build the components only
  screenshots                       take the pictures in docs/screenshots anew
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let outcome = match args.first().map(String::as_str) {
        Some("up") => up::run(rest),
        Some(up::DEMOS) => up::push_demos(rest),
        Some("test") => test::run(rest),
        Some("bench") => bench::run(rest),
        Some("screenshots") => screenshots::run(rest),
        Some("guests") => workspace::Workspace::find()
            .and_then(|workspace| guests::build(&workspace, &[]))
            .map(|folder| guests::list(&folder)),
        _ => {
            progress::say(USAGE);
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
