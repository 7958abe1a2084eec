//! `spaceport-container`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    spaceport_container::main()
}
