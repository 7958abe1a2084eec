//! What can be learned of a running instance: what it has used, and what a command inside it says.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::models::{ContainerMemoryStats, ContainerStatsResponse};
use bollard::query_parameters::StatsOptions;
use futures_util::StreamExt;
use spaceport_backend_protocol::{
    ErrorCode, ExecReply, ExecRequest, InstanceId, InstanceState, Refusal, Stats, limits,
};

use super::{expect, list};
use crate::plugin::Plugin;
use crate::refusal::{is_conflict, of_engine, refuse};

/// Nanoseconds in a microsecond.
const NANOS: u64 = 1000;

/// What an instance has used.
pub(crate) async fn stats(plugin: &Plugin, id: &InstanceId) -> Result<Stats, Refusal> {
    expect(plugin, id).await?;
    let docker = plugin.engine.client().await.map_err(|error| of_engine(&error))?;
    let options = StatsOptions { stream: false, one_shot: true };
    let name = plugin.names.container(id);
    let mut answers = std::pin::pin!(docker.stats(&name, Some(options)));
    let found = answers.next().await.transpose().map_err(|error| of_engine(&error))?.unwrap_or_default();
    let measured = plugin.measured.of(id);
    Ok(Stats { disk_bytes: measured.disk, data_bytes: measured.data, ..used(&found) })
}

fn used(found: &ContainerStatsResponse) -> Stats {
    let cpu = found.cpu_stats.as_ref().and_then(|cpu| cpu.cpu_usage.as_ref()?.total_usage).unwrap_or_default();
    let networks = found.networks.iter().flat_map(HashMap::values);
    let (received, sent) = networks.fold((0_u64, 0_u64), |(received, sent), network| {
        let (more, away) = (network.rx_bytes.unwrap_or_default(), network.tx_bytes.unwrap_or_default());
        (received.saturating_add(more), sent.saturating_add(away))
    });
    Stats {
        cpu_us: (cpu / NANOS).min(limits::NUMBER),
        memory_bytes: found.memory_stats.as_ref().map_or(0, memory).min(limits::NUMBER),
        received_bytes: received.min(limits::NUMBER),
        sent_bytes: sent.min(limits::NUMBER),
        ..Stats::default()
    }
}

/// Memory without files that the system keeps there only as long as nobody else wants the room.
fn memory(memory: &ContainerMemoryStats) -> u64 {
    let of = |name: &str| memory.stats.as_ref().and_then(|stats| stats.get(name).copied());
    // The two versions of control groups have two names for it.
    let files = of("total_inactive_file").or_else(|| of("inactive_file")).unwrap_or_default();
    memory.usage.unwrap_or_default().saturating_sub(files)
}

/// Runs a command as the app.
pub(crate) async fn exec(plugin: &Plugin, id: &InstanceId, request: ExecRequest) -> Result<ExecReply, Refusal> {
    let there = expect(plugin, id).await?;
    let ended = || refuse(ErrorCode::NoSuchInstance, &format!("instance {id} does not run"));
    let InstanceState::Running { .. } = list::instance(plugin, id, &there).await?.state else { return Err(ended()) };
    let docker = plugin.engine.client().await.map_err(|error| of_engine(&error))?;
    let options = CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(request.command),
        ..CreateExecOptions::default()
    };
    let created = docker.create_exec(&plugin.names.container(id), options).await;
    let created = created.map_err(|error| if is_conflict(&error) { ended() } else { of_engine(&error) })?;
    let mut output = Vec::new();
    let run = follow(&docker, &created.id, &mut output);
    let is_done = match tokio::time::timeout(Duration::from_secs(request.seconds), run).await {
        Ok(outcome) => outcome.map(|()| true)?,
        Err(_) => false,
    };
    let code = match is_done {
        true => docker.inspect_exec(&created.id).await.map_err(|error| of_engine(&error))?.exit_code,
        false => None,
    };
    let code = code.and_then(|code| i32::try_from(code).ok());
    Ok(ExecReply { code, output: text(&output) })
}

async fn follow(docker: &Docker, exec: &str, output: &mut Vec<u8>) -> Result<(), Refusal> {
    let started = docker.start_exec(exec, None::<StartExecOptions>).await.map_err(|error| of_engine(&error))?;
    let StartExecResults::Attached { output: mut stream, .. } = started else { return Ok(()) };
    while let Some(piece) = stream.next().await {
        match piece.map_err(|error| of_engine(&error))? {
            LogOutput::StdOut { message } | LogOutput::StdErr { message } | LogOutput::Console { message } => {
                let room = limits::OUTPUT.saturating_sub(output.len());
                output.extend_from_slice(&message[..message.len().min(room)]);
            }
            LogOutput::StdIn { .. } => {}
        }
    }
    Ok(())
}

/// Text of at most [`limits::OUTPUT`] bytes; what is no text may have become longer.
fn text(output: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(output).into_owned();
    if text.len() > limits::OUTPUT {
        let end = (0..=limits::OUTPUT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_does_not_make_the_output_too_long() {
        assert_eq!(text(b"a\xff"), "a\u{fffd}");
        assert!(text(&vec![0xff; limits::OUTPUT]).len() <= limits::OUTPUT);
    }

    #[test]
    fn memory_that_the_system_could_take_back_is_not_counted() {
        let stats = |pairs: &[(&str, u64)]| ContainerMemoryStats {
            usage: Some(100),
            stats: Some(pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()),
            ..ContainerMemoryStats::default()
        };
        assert_eq!(memory(&stats(&[("inactive_file", 30)])), 70);
        assert_eq!(memory(&stats(&[("inactive_file", 1), ("total_inactive_file", 30)])), 70);
        assert_eq!(memory(&stats(&[])), 100);
    }
}
