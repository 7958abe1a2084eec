//! GPUs that NVIDIA's management library tells of. It is looked for when it is asked: a machine without it has none.

use std::path::PathBuf;

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

/// One GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gpu {
    /// Its id, the same for ever.
    pub(super) uuid: String,
    /// What it is sold as.
    pub(super) name: String,
    /// Its memory.
    pub(super) memory_bytes: u64,
    /// Its file.
    pub(super) node: Option<PathBuf>,
    /// Whether it is divided into parts that are used in its place.
    pub(super) is_divided: bool,
}

/// Asks for all of them; the reason if there may be some and nobody can tell.
pub(super) fn look() -> Result<Vec<Gpu>, String> {
    let nvml = match Nvml::init() {
        Ok(nvml) => nvml,
        Err(NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound) => return Ok(Vec::new()),
        // The library without a driver is what images for computing bring along on machines without a GPU.
        Err(NvmlError::DriverNotLoaded) => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    read(&nvml).map_err(|error| error.to_string())
}

fn read(nvml: &Nvml) -> Result<Vec<Gpu>, NvmlError> {
    let mut gpus = Vec::new();
    for index in 0..nvml.device_count()? {
        let device = match nvml.device_by_index(index) {
            Ok(device) => device,
            // It has fallen off the bus; the others are well.
            Err(NvmlError::GpuLost | NvmlError::NotFound) => continue,
            Err(error) => return Err(error),
        };
        gpus.push(Gpu {
            uuid: device.uuid()?,
            name: device.name()?,
            memory_bytes: device.memory_info()?.total,
            node: device.minor_number().ok().map(|minor| PathBuf::from(format!("/dev/nvidia{minor}"))),
            is_divided: device.mig_mode().is_ok_and(|mode| mode.current == 1),
        });
    }
    Ok(gpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gpu_of_this_machine_has_an_id_a_model_and_memory() {
        let gpus = look().unwrap();
        if gpus.is_empty() {
            println!("skipped: there is no NVIDIA GPU here");
        }
        for gpu in gpus {
            println!("{gpu:?}: {:?}", super::super::found::kind_of(&gpu.name));
            assert!(gpu.uuid.starts_with("GPU-"), "{gpu:?}");
            assert!(super::super::found::kind_of(&gpu.name).is_some(), "{gpu:?}");
            assert!(gpu.memory_bytes > 1 << 30, "{gpu:?}");
        }
    }
}
