//! The ready file: how whoever started the host learns that it answers, and where.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

/// What the file says.
#[derive(Debug, Serialize)]
pub(crate) struct Ready {
    /// Origin of the hub.
    pub(crate) hub: String,
    /// Authority of the hub.
    pub(crate) domain: String,
    /// This process.
    pub(crate) pid: u32,
    /// The admin listener.
    pub(crate) admin: SocketAddr,
    /// The SSH listener, if there is one.
    pub(crate) ssh: Option<SocketAddr>,
}

impl Ready {
    /// Writes the file whole: a reader finds all of it or none.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let write = || -> std::io::Result<()> {
            let aside = file.with_extension("part");
            fs::File::create(&aside)?.write_all(&serde_json::to_vec(self)?)?;
            fs::rename(aside, file)
        };
        write().with_context(|| format!("write the ready file {}", file.display()))
    }
}
