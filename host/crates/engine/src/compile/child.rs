//! The child process that compiles: reads a component from its input, writes machine code to the file it is told.
//!
//! It limits itself before it reads a byte. Its answer is its exit status, and for a component that is not valid a
//! sentence on its error output.

use std::io::{Read, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit};

use crate::compile::COMPONENT_BYTES;
use crate::engine::config;

/// The status that says: the component is not valid.
pub(super) const REFUSED: i32 = 3;
/// Bytes of address space. An interpreter of 19 MB, the largest that common toolchains write, takes 1.3 GB with the
/// allocator of the host, a third of it in use.
const ADDRESS_SPACE: u64 = 3 << 30;
/// Seconds of CPU time, over all threads.
const CPU_SECONDS: u64 = 120;
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

/// The body of the compiling process: what [`crate::EngineConfig::compile_command`] runs. Takes its last argument for
/// the file to write.
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
    limit().map_err(|error| format!("the compiler's limits cannot be set: {error}"))?;
    let target = std::env::args_os().next_back().ok_or("no file to write")?;
    let mut component = Vec::new();
    let mut input = std::io::stdin().lock().take(COMPONENT_BYTES as u64 + 1);
    input.read_to_end(&mut component).map_err(|error| format!("the component cannot be read: {error}"))?;
    let engine = wasmtime::Engine::new(&config::code()).map_err(|error| format!("{error:#}"))?;
    let code = engine.precompile_component(&component).map_err(|error| format!("{error:#}"))?;
    std::fs::write(target, code).map_err(|error| format!("the artifact cannot be written: {error}"))
}

fn limit() -> rustix::io::Result<()> {
    let set = |resource, most: u64| {
        // Whoever started the host may have set less, and only less is allowed then.
        let most = rustix::process::getrlimit(resource).maximum.map_or(most, |hard| hard.min(most));
        rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
    };
    set(Resource::As, ADDRESS_SPACE)?;
    set(Resource::Cpu, CPU_SECONDS)?;
    set(Resource::Fsize, ARTIFACT_BYTES)?;
    set(Resource::Core, 0)?;
    rustix::process::nice(NICE).map(|_| ())
}
