//! A disk of a host's own, to be filled, frozen or taken away: mounted where only the host sees it, and gone with the
//! test. Needs a machine that allows mounts; `cargo xtask test` asks it first and says so if it does not.
//!
//! A disk on a file shows what a power cut leaves: the file holds what the file system has written to it so far, and a
//! copy of it is the disk of a machine that stops there and then. What was not synced is in the kernel's memory only,
//! since nothing else makes the file system write within the time of a test.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Of a disk on a file: a host's data with room to spare, and quick to copy.
const FILE_SIZE: u64 = 96 << 20;
/// A file system that keeps no more than it promises: it writes what was not synced after ten minutes only, longer than a
/// test, and neither data before names nor what replaces a file before it does.
const FORGETFUL: &str = "loop,commit=600,data=writeback,noauto_da_alloc";

/// A mounted disk, held by a process whose namespace it is in.
pub struct Disk {
    holder: Child,
    place: PathBuf,
    file: Option<PathBuf>,
}

impl Disk {
    /// A disk in memory, of this many bytes.
    #[track_caller]
    pub fn of_size(place: &Path, bytes: u64) -> Self {
        Self::mount(place, None, &["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
    }

    /// A disk on a file beside the place.
    #[track_caller]
    pub fn on_file(place: &Path) -> Self {
        let file = place.with_extension("disk");
        std::fs::File::create(&file).unwrap().set_len(FILE_SIZE).unwrap();
        let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&file).output().expect("mkfs.ext4 is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self::mount_file(place, file)
    }

    fn mount_file(place: &Path, file: PathBuf) -> Self {
        let source = file.to_str().expect("a temporary path is text").to_owned();
        Self::mount(place, Some(file), &["-t", "ext4", "-o", FORGETFUL, &source])
    }

    fn mount(place: &Path, file: Option<PathBuf>, args: &[&str]) -> Self {
        std::fs::create_dir_all(place).unwrap();
        let mut holder = Command::new("unshare");
        holder.arg("--mount");
        if !is_root() {
            holder.arg("--map-root-user");
        }
        // It waits for its input to end, which it does with the test, however that ends.
        let script = r#"place=$1; shift; mount "$@" "$place" && chmod 700 "$place" && echo mounted && exec cat"#;
        holder.args(["--", "sh", "-c", script, "sh"]).arg(place).args(args);
        let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line.trim() != "mounted" {
            let mut why = String::new();
            holder.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("this machine allows no mounts ({}); `cargo xtask test` leaves out what needs them", why.trim());
        }
        Self { holder, place: place.to_owned(), file }
    }

    /// A command for whom the disk is there; the program is to follow as an argument.
    pub fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.holder.id().to_string(), "--mount"]);
        if !is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--");
        command
    }

    /// Where the test finds what is on it.
    pub fn seen(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.place.strip_prefix("/").unwrap_or(&self.place))
    }

    /// From here on whoever writes waits, until the disk is thawed.
    #[track_caller]
    pub fn freeze(&self) -> Frozen<'_> {
        self.fsfreeze("--freeze");
        Frozen(self)
    }

    #[track_caller]
    fn fsfreeze(&self, what: &str) {
        let done = self.command().args(["fsfreeze", what]).arg(&self.place).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// The disk as it is after a power cut. Whoever used it must have been killed, so that nothing is written meanwhile.
    #[track_caller]
    pub fn after_power_cut(self) -> Self {
        let file = self.file.as_ref().expect("a disk in memory does not outlive a power cut");
        let left = file.with_extension("left");
        std::fs::copy(file, &left).unwrap();
        let (file, place) = (file.clone(), self.place.clone());
        drop(self);
        std::fs::rename(&left, &file).unwrap();
        Self::mount_file(&place, file)
    }
}

/// A disk on which nobody can write; thawed when dropped.
pub struct Frozen<'a>(&'a Disk);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.fsfreeze("--unfreeze");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Its namespace goes with it, and with that the mount.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
