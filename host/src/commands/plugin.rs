//! `spaceport plugin test`: whether a backend plugin keeps to the protocol, whoever wrote it.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use spaceport_backend_conformance::{Finding, Kit, check};

use crate::cli::PluginCommand;

/// Does what was asked.
pub(super) fn run(command: &PluginCommand) -> anyhow::Result<()> {
    match command {
        PluginCommand::Test { socket, app } => test(socket, app.as_ref()),
    }
}

/// Prints every rule as it is checked; fails if one does not hold.
fn test(socket: &Path, app: Option<&PathBuf>) -> anyhow::Result<()> {
    let app = app.map(|folder| std::path::absolute(folder).with_context(|| format!("find {}", folder.display())));
    let kit = Kit { app: app.transpose()?, ..Kit::new(socket) };
    let mut out = std::io::stdout();
    let mut tell = |finding: &Finding| {
        // Nobody may be reading any more; the end says it all.
        let _ = match &finding.wrong {
            None => writeln!(out, "ok    {}", finding.rule),
            Some(wrong) => writeln!(out, "WRONG {}: {wrong}", finding.rule),
        };
    };
    let findings = check(&kit, &mut tell);
    match findings.iter().filter(|finding| finding.wrong.is_some()).count() {
        0 => Ok(()),
        broken => bail!("{broken} of {} rules do not hold", findings.len()),
    }
}
