//! What the kernel says of the host's process: memory and time.

use std::path::PathBuf;
use std::time::Duration;

use crate::TestHost;

/// Units of the kernel's times in `/proc`: a hundred a second on every Linux.
const TICKS: u64 = 100;
/// Tells the kernel to forget the peak of a process's memory.
const FORGET_PEAK: &str = "5";

impl TestHost {
    /// Memory of the process that is resident, in bytes.
    #[track_caller]
    pub fn resident(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// What of it is the process's own, in bytes; files that are mapped are not.
    #[track_caller]
    pub fn own_memory(&self) -> u64 {
        self.memory("RssAnon:")
    }

    /// The most that was resident since [`TestHost::forget_peak`], in bytes.
    #[track_caller]
    pub fn peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// Counts the peak from now on.
    #[track_caller]
    pub fn forget_peak(&self) {
        std::fs::write(self.proc("clear_refs"), FORGET_PEAK).unwrap();
    }

    /// Processor time of the host since its start, and of the processes that it started and that have ended.
    #[track_caller]
    pub fn cpu_time(&self) -> (Duration, Duration) {
        let stat = std::fs::read_to_string(self.proc("stat")).unwrap();
        let (_, fields) = stat.rsplit_once(") ").expect("the program's name is in parentheses");
        // From the third field on: those of the process's own time are the 14th and the 15th, then come its children's.
        let ticks: Vec<u64> = fields.split(' ').skip(11).take(4).map(|field| field.parse().unwrap()).collect();
        let time = |ticks: &[u64]| Duration::from_millis(ticks.iter().sum::<u64>() * 1000 / TICKS);
        (time(&ticks[..2]), time(&ticks[2..]))
    }

    #[track_caller]
    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        let figure = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
        figure.and_then(|figure| figure.trim().parse::<u64>().ok()).expect("the kernel tells it in kB") << 10
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid()))
    }
}
