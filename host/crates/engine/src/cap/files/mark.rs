//! The mount that a descriptor belongs to, kept in the descriptor.
//!
//! A descriptor of wasmtime-wasi carries the mode it was opened in as a set of flags, of which the library looks at two.
//! Two of the free ones say where the descriptor came from. That way the mark lives exactly as long as the descriptor,
//! is copied with it into streams, and no table beside the store's has to be kept in step.

use wasmtime_wasi::OpenMode;
use wasmtime_wasi::filesystem::Descriptor;

/// A writable mount of a Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mount {
    /// Emptied at restart and sleep.
    Tmp,
    /// Kept.
    Data,
}

/// Far from the flags that the library defines, which start at the lowest bit.
const TMP: OpenMode = OpenMode::from_bits_retain(1 << 24);
const DATA: OpenMode = OpenMode::from_bits_retain(1 << 25);

impl Mount {
    /// Where guests find it.
    pub(super) fn guest_path(self) -> &'static str {
        match self {
            Self::Tmp => "/tmp",
            Self::Data => "/data",
        }
    }

    /// The mount that a preopen of this name is.
    pub(super) fn of_preopen(name: &str) -> Option<Self> {
        [Self::Tmp, Self::Data].into_iter().find(|mount| mount.guest_path() == name)
    }

    /// The mount that a descriptor is marked with.
    pub(super) fn of(descriptor: &Descriptor) -> Option<Self> {
        let mode = match descriptor {
            Descriptor::File(file) => file.open_mode,
            Descriptor::Dir(dir) => dir.open_mode,
        };
        match (mode.contains(TMP), mode.contains(DATA)) {
            (true, false) => Some(Self::Tmp),
            (false, true) => Some(Self::Data),
            _ => None,
        }
    }

    /// Marks a descriptor.
    pub(super) fn mark(self, descriptor: &mut Descriptor) {
        let mode = match descriptor {
            Descriptor::File(file) => &mut file.open_mode,
            Descriptor::Dir(dir) => &mut dir.open_mode,
        };
        *mode |= match self {
            Self::Tmp => TMP,
            Self::Data => DATA,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime_wasi::FsPerms;
    use wasmtime_wasi::filesystem::Dir;

    #[test]
    fn the_librarys_own_flags_are_left_alone() {
        let file = std::fs::File::open("/").unwrap();
        let mut dir = Descriptor::Dir(Dir::new(file, FsPerms::ReadWrite, OpenMode::READ, false));
        assert_eq!(Mount::of(&dir), None);
        Mount::Data.mark(&mut dir);
        assert_eq!(Mount::of(&dir.clone()), Some(Mount::Data));
        let Descriptor::Dir(dir) = dir else { panic!("a directory") };
        assert!(dir.open_mode.contains(OpenMode::READ) && !dir.open_mode.contains(OpenMode::WRITE));
        assert!(!OpenMode::all().intersects(TMP | DATA), "the library came to use a flag that we took for free");
    }
}
