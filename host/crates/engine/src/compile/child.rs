//! The child process that compiles: reads a component from its input, writes machine code to the file it is told.
//!
//! It limits itself before it reads a byte. Its answer is its exit status, and for a component that is not valid a
//! sentence on its error output.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit};

use crate::engine::config;

/// The status that says: the component is not valid.
pub(super) const REFUSED: i32 = 3;
/// Bytes of address space. An interpreter of 19 MB, the largest that common toolchains write, takes 1.3 GB with the
/// allocator of the host, a third of it in use.
const ADDRESS_SPACE: u64 = 3 << 30;
/// Bytes of the artifact.
const ARTIFACT_BYTES: u64 = 512 << 20;
/// Serving goes before compiling.
const NICE: i32 = 10;
/// Threads that compile.
const THREADS: usize = 4;

/// Threads that compile on this machine.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(THREADS)
}

/// The body of the compiling process: what [`crate::EngineConfig::compile_command`] runs. Takes its last
/// two arguments for the seconds of CPU time that all threads together may take, and the file to write.
pub fn child_main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The parent reads this; if it is gone nobody has to.
            let _ = writeln!(std::io::stderr(), "{error}");
            u8::try_from(REFUSED).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

fn work() -> Result<(), String> {
    let (cpu_seconds, target) = arguments(std::env::args_os()).ok_or("no time and no file to write")?;
    limit(cpu_seconds).map_err(|error| format!("the compiler's limits cannot be set: {error}"))?;
    let mut component = Vec::new();
    // As long as the parent, which has measured it, says; the limit on memory is the child's own.
    std::io::stdin()
        .lock()
        .read_to_end(&mut component)
        .map_err(|error| format!("the component cannot be read: {error}"))?;
    let engine = wasmtime::Engine::new(&config::code()).map_err(|error| format!("{error:#}"))?;
    let code = engine.precompile_component(&component).map_err(|error| format!("{error:#}"))?;
    std::fs::write(target, code).map_err(|error| format!("the artifact cannot be written: {error}"))
}

fn arguments(mut all: impl DoubleEndedIterator<Item = OsString>) -> Option<(u64, OsString)> {
    let target = all.next_back()?;
    let seconds = all.next_back()?.to_str()?.parse().ok()?;
    Some((seconds, target))
}

fn limit(cpu_seconds: u64) -> rustix::io::Result<()> {
    let set = |resource, most: u64| {
        // Whoever started the host may have set less, and only less is allowed then.
        let most = rustix::process::getrlimit(resource).maximum.map_or(most, |hard| hard.min(most));
        rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
    };
    set(Resource::As, ADDRESS_SPACE)?;
    set(Resource::Cpu, cpu_seconds)?;
    set(Resource::Fsize, ARTIFACT_BYTES)?;
    set(Resource::Core, 0)?;
    rustix::process::nice(NICE).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_arguments_are_the_time_and_the_file() {
        let read = |words: &[&str]| arguments(words.iter().map(OsString::from).collect::<Vec<_>>().into_iter());
        assert_eq!(read(&["program", "word", "120", "a file"]), Some((120, "a file".into())));
        assert_eq!(read(&["program", "a file"]), None);
        assert_eq!(read(&["a file"]), None);
    }
}
