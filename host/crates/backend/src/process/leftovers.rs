//! Processes of an earlier start that are still there: of a host that was killed, or helpers that left their group.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use spaceport_backend_protocol::SOCKET_VARIABLE;

use super::GONE;

/// Kills every process that was started to listen on this socket, and waits until it is gone; how many there were.
pub(super) fn kill(socket: &Path) -> usize {
    let mut mark = SOCKET_VARIABLE.as_bytes().to_vec();
    mark.push(b'=');
    mark.extend_from_slice(socket.as_os_str().as_bytes());
    let Ok(entries) = fs::read_dir("/proc") else { return 0 };
    let found: Vec<OwnedFd> =
        entries.flatten().filter_map(|entry| marked(&entry.path(), &entry.file_name(), &mark)).collect();
    for process in &found {
        // It may have ended in this moment.
        let _ = pidfd_send_signal(process, Signal::KILL);
    }
    for process in &found {
        let most = Timespec { tv_sec: GONE.as_secs().cast_signed(), tv_nsec: 0 };
        // A descriptor of a process can be read from once the process has ended.
        let _ = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&most));
    }
    found.len()
}

/// A process with this mark in its environment. It is held before it is looked at, so that its number cannot become
/// another's in between.
fn marked(dir: &Path, name: &OsStr, mark: &[u8]) -> Option<OwnedFd> {
    let number: i32 = name.to_str()?.parse().ok()?;
    if u32::try_from(number) == Ok(std::process::id()) {
        return None;
    }
    let process = pidfd_open(Pid::from_raw(number)?, PidfdFlags::empty()).ok()?;
    // Those of other users cannot be read, and are none of ours.
    let environment = fs::read(dir.join("environ")).ok()?;
    environment.split(|byte| *byte == 0).any(|variable| variable == mark).then_some(process)
}
