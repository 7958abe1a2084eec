//! The program's life: it listens, serves, and ends when nobody needs it. Containers live on.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::arguments::{Arguments, USAGE};
use crate::plugin::Plugin;
use crate::{disk, guard, serve};

/// Bad arguments.
const USAGE_ERROR: u8 = 2;
/// How long blocking work, such as measuring a disk, may go on when the program ends.
const LAST_WORK: Duration = Duration::from_millis(500);

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(error) => {
            say(&format_args!("spaceport-container: {error}\nusage: {USAGE}"));
            return ExitCode::from(USAGE_ERROR);
        }
    };
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let outcome = runtime.block_on(run(arguments));
    runtime.shutdown_timeout(LAST_WORK);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    // What an earlier plugin left there, nobody listens on.
    match fs::remove_file(&arguments.socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&arguments.socket)?;
    let plugin = Arc::new(Plugin::new(arguments));
    tokio::spawn(disk::watch(plugin.clone()));
    tokio::spawn(guard::watch(plugin.clone()));
    let outcome = tokio::select! {
        outcome = serve::listen(listener, plugin.clone()) => outcome,
        () = end_of_input() => Ok(()),
        _ = term.recv() => Ok(()),
    };
    guard::leave(&plugin).await;
    outcome
}

/// Nothing ever comes on standard input; at its end the host is gone. It is a pipe, and reading it blocks: a thread of its
/// own waits there, which the end of the program takes along.
async fn end_of_input() {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // The program may be ending for another reason.
        let _ = tell.send(());
    });
    let _ = told.await;
}

fn failed(error: &io::Error) -> ExitCode {
    say(&format_args!("spaceport-container: {error}"));
    ExitCode::FAILURE
}

/// One line for the operator. The host puts it into its log.
pub(crate) fn say(line: &dyn Display) {
    // Nobody may be listening any more.
    let _ = writeln!(io::stderr(), "{line}");
}
