//! A container that does nothing: the place from which the probe tries the network. Made of the smallest program that waits
//! for ever, written out here as the machine's instructions, so that it needs no image of anybody's.

/// What the image is called.
pub(super) const IMAGE: &str = "spaceport-probe";
/// Its tag: another one whenever the program changes.
pub(super) const TAG: &str = "1";
/// The program's path in it.
pub(super) const PATH: &str = "/pause";

/// Where the program is loaded.
const BASE: u64 = 0x40_0000;
/// Bytes of the head of an ELF file with one segment.
const HEAD: u64 = 64 + 56;
/// Bytes of a block of a tar file.
const BLOCK: usize = 512;

#[cfg(target_arch = "x86_64")]
mod code {
    /// The machine's number in an ELF file.
    pub(super) const MACHINE: u16 = 62;
    /// `pause()` again and again: mov eax, 34; syscall; jmp to the start.
    pub(super) const LOOP: &[u8] = &[0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7];
}

#[cfg(target_arch = "aarch64")]
mod code {
    /// The machine's number in an ELF file.
    pub(super) const MACHINE: u16 = 183;
    /// `ppoll(0, 0, 0, 0, 0)` again and again, which waits for nothing.
    pub(super) const LOOP: &[u8] = &[
        0x00, 0x00, 0x80, 0xd2, // mov x0, 0
        0x01, 0x00, 0x80, 0xd2, // mov x1, 0
        0x02, 0x00, 0x80, 0xd2, // mov x2, 0
        0x03, 0x00, 0x80, 0xd2, // mov x3, 0
        0x04, 0x00, 0x80, 0xd2, // mov x4, 0
        0x28, 0x09, 0x80, 0xd2, // mov x8, 73
        0x01, 0x00, 0x00, 0xd4, // svc 0
        0xf9, 0xff, 0xff, 0x17, // b to the start
    ];
}

/// The program, as an ELF file.
pub(super) fn program() -> Vec<u8> {
    let size = HEAD + code::LOOP.len() as u64;
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    // An executable of this machine, version 1; its entry, the place of the segment's head, no sections, no flags.
    file.extend([2u16, code::MACHINE].iter().flat_map(|number| number.to_le_bytes()));
    file.extend(1u32.to_le_bytes());
    file.extend([BASE + HEAD, 64, 0].iter().flat_map(|number| number.to_le_bytes()));
    file.extend(0u32.to_le_bytes());
    file.extend([64u16, 56, 1, 0, 0, 0].iter().flat_map(|number| number.to_le_bytes()));
    // One segment, to be loaded, readable and executable: the whole file.
    file.extend([1u32, 5].iter().flat_map(|number| number.to_le_bytes()));
    file.extend([0u64, BASE, BASE, size, size, 0x1000].iter().flat_map(|number| number.to_le_bytes()));
    file.extend(code::LOOP);
    file
}

/// The image's files: a tar with the program and nothing else.
pub(super) fn image() -> Vec<u8> {
    let program = program();
    let mut tar = header(PATH.trim_start_matches('/'), program.len());
    tar.extend(&program);
    tar.resize(tar.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    tar
}

/// The head of an executable file in a tar.
fn header(name: &str, size: usize) -> Vec<u8> {
    let mut block = vec![0u8; BLOCK];
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000755");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000");
    // The checksum counts itself as blanks.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\u{0}00");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\u{0}").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_program_runs_and_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pause");
        std::fs::write(&path, program()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut child = Command::new(&path).spawn().unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        // It sleeps in its call as soon as it has been loaded; before that it is named after who started it.
        let is_waiting = |stat: &str| stat.contains("(pause) S ");
        while child.try_wait().unwrap().is_none() && !is_waiting(&std::fs::read_to_string(&stat).unwrap()) {
            std::thread::yield_now();
        }
        assert_eq!(child.try_wait().unwrap(), None, "it must not end by itself");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn the_image_is_a_tar_with_one_program() {
        let folder = tempfile::tempdir().unwrap();
        let mut tar = Command::new("tar");
        tar.args(["-x", "-f", "-", "-C"]).arg(folder.path()).stdin(Stdio::piped());
        let mut child = tar.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&image()).unwrap();
        assert!(child.wait().unwrap().success());
        let path = folder.path().join(PATH.trim_start_matches('/'));
        assert_eq!(std::fs::read(&path).unwrap(), program());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
    }
}
