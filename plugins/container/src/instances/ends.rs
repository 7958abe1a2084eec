//! How instances have ended, remembered so that it is worked out once. What is forgotten with the plugin can be worked out
//! again, but for one thing: that somebody asked for the end.

use std::collections::{HashMap, HashSet};

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::LogsOptions;
use futures_util::StreamExt;
use parking_lot::Mutex;
use spaceport_backend_protocol::{InstanceId, InstanceState, limits};

use super::number;
use super::words::{End, reason};
use crate::disk;
use crate::names::LABEL_MEMORY;
use crate::plugin::Plugin;

/// How many of the last lines are looked at.
const LAST_LINES: &str = "20";
/// Exit code of a program that was killed.
const KILLED: i64 = 137;

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Ends(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    /// By the Engine's id of the container.
    ended: HashMap<String, InstanceState>,
    stopped: HashSet<InstanceId>,
}

impl Ends {
    /// Somebody asked for the end of it.
    pub(super) fn stopping(&self, id: &InstanceId) {
        self.0.lock().stopped.insert(id.clone());
    }

    /// It will not be asked for again.
    pub(super) fn forget(&self, id: &InstanceId, container: Option<&str>) {
        let mut memory = self.0.lock();
        memory.stopped.remove(id);
        if let Some(container) = container {
            memory.ended.remove(container);
        }
    }
}

/// How an instance has ended whose container does not run.
pub(super) async fn end(
    plugin: &Plugin,
    docker: &Docker,
    id: &InstanceId,
    container: &ContainerInspectResponse,
) -> InstanceState {
    let name = container.id.clone().unwrap_or_default();
    if let Some(known) = plugin.ends.0.lock().ended.get(&name).cloned() {
        return known;
    }
    let state = container.state.clone().unwrap_or_default();
    let has_run = state.started_at.as_deref().is_some_and(|at| !at.starts_with("0001-"));
    let error = state.error.unwrap_or_default();
    let code = state.exit_code.filter(|_| has_run || !error.is_empty()).and_then(|code| i32::try_from(code).ok());
    let was_stopped = plugin.ends.0.lock().stopped.contains(id);
    let over = match state.exit_code {
        Some(KILLED) => disk::over(plugin, container).await,
        _ => None,
    };
    let end = End {
        code,
        out_of_memory: state.oom_killed.unwrap_or_default(),
        error,
        memory: number(container, LABEL_MEMORY),
        over,
        was_stopped,
        last: if has_run { last_lines(docker, &name).await } else { Vec::new() },
    };
    let state = InstanceState::Exited { code, reason: reason(&end) };
    if has_run || !end.error.is_empty() {
        let mut memory = plugin.ends.0.lock();
        // The Engine's containers are no more than the host's; those that are gone are not asked for again.
        if memory.ended.len() >= limits::INSTANCES {
            memory.ended.clear();
        }
        memory.ended.insert(name, state.clone());
    }
    state
}

async fn last_lines(docker: &Docker, container: &str) -> Vec<String> {
    let options = LogsOptions { stdout: true, stderr: true, tail: LAST_LINES.to_owned(), ..LogsOptions::default() };
    let mut log = std::pin::pin!(docker.logs(container, Some(options)));
    let mut text = Vec::new();
    while let Some(Ok(output)) = log.next().await {
        match output {
            LogOutput::StdOut { message } | LogOutput::StdErr { message } => text.extend_from_slice(&message),
            LogOutput::StdIn { .. } | LogOutput::Console { .. } => {}
        }
    }
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}
