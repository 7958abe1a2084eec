//! GPUs: as far as a machine without any can have them, devices that are declared, each a file of the kernel's; and the real
//! one where there is one.

use std::path::{Path, PathBuf};
use std::process::Command;

use spaceport_backend_protocol::{
    Ask, BuildEvent, Call, Description, ErrorCode, Gpu, Hardware, Instance, InstanceState, Refusal, StartRequest,
    encode,
};

use crate::harness::{Plugin, eventually, hardware, start_request};

/// A device that does nothing: the kernel's source of zeros under a name of its own.
struct Device(String);

impl Device {
    fn make(number: u32) -> Self {
        let path = format!("/dev/spaceport-test-{}-{number}", std::process::id());
        // Without the right to make one there is no right to fence a network either, and no test comes so far.
        let made = Command::new("mknod").args([&path, "c", "1", "5"]).status();
        assert!(made.unwrap().success());
        Self(path)
    }

    fn argument(&self) -> String {
        let id = self.0.rsplit('-').next().unwrap();
        format!("id=npu{id},kind=t4,memory=16000000000,node={}", self.0)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn with_gpu(request: &StartRequest, kind: &str) -> StartRequest {
    let gpu = Gpu { kind: kind.parse().unwrap(), count: 1, memory_bytes: 16_000_000_000 };
    StartRequest {
        hardware: Hardware { name: "gpu-small".parse().unwrap(), gpu: Some(gpu), ..hardware() },
        ..request.clone()
    }
}

fn start(plugin: &Plugin, request: &StartRequest) -> Result<Instance, Refusal> {
    plugin.call(&Call::Start, &encode(request))
}

fn nodes(plugin: &Plugin, request: &StartRequest) -> Vec<String> {
    let devices = plugin.container(&request.id).host_config.unwrap().devices.unwrap_or_default();
    devices.into_iter().map(|device| device.path_on_host.unwrap()).collect()
}

fn is_busy(started: &Result<Instance, Refusal>) -> bool {
    matches!(started, Err(Refusal { error: ErrorCode::Busy, .. }))
}

#[test]
fn a_device_has_one_owner_until_that_has_ended_however_it_ends() {
    if crate::engine::Engine::of_machine().is_none() {
        return;
    }
    let device = Device::make(0);
    let mut plugin = Plugin::with(&["--device", &device.argument()]).unwrap();
    let plain = start_request("plain", &plugin.app());
    let [first, second, third, fourth] = ["a-1", "a-2", "a-3", "a-4"].map(|name| {
        let request = StartRequest { id: name.parse().unwrap(), ..plain.clone() };
        with_gpu(&request, "t4")
    });
    let address = plugin.start_app(&first);
    assert_eq!(nodes(&plugin, &first), std::slice::from_ref(&device.0));
    assert!(is_busy(&start(&plugin, &second)));
    // Whoever asks for none gets none, and is not in the way.
    let innocent = plugin.start_app(&plain);
    assert_eq!(nodes(&plugin, &plain), [""; 0]);
    // The plugin dies; whose it is, is written on the container. Not even at once does anybody else get it.
    plugin.kill_and_start_again();
    assert!(is_busy(&start(&plugin, &second)));
    let again = start(&plugin, &first).unwrap();
    assert_eq!(again.state, InstanceState::Running { address });
    // The app ends: the next one has it, with nobody having been told.
    plugin.get(address, "/exit?1");
    plugin.end_of(&first.id);
    plugin.start_app(&second);
    assert!(is_busy(&start(&plugin, &third)));
    // It is stopped, or removed.
    plugin.stop(&second.id);
    let address = plugin.start_app(&third);
    // It ends while there is no plugin.
    plugin.kill();
    plugin.get(address, "/exit?1");
    plugin.start_again();
    plugin.start_app(&fourth);
    plugin.remove(&fourth.id);
    assert_eq!(plugin.get(innocent, "/").as_deref(), Some("hello"));
}

#[test]
fn two_hosts_on_one_machine_do_not_take_the_same_device() {
    if crate::engine::Engine::of_machine().is_none() {
        return;
    }
    let device = Device::make(1);
    let [one, other] = [(); 2].map(|()| Plugin::with(&["--device", &device.argument()]).unwrap());
    let request = with_gpu(&start_request("a-1", &one.app()), "t4");
    let images = other.app();
    let theirs = StartRequest { artifact: images, ..request.clone() };
    // Both at once, again and again: one of them has it.
    for _ in 0..3 {
        let started = std::thread::scope(|scope| {
            let starts = [(&one, &request), (&other, &theirs)]
                .map(|(plugin, request)| scope.spawn(move || start(plugin, request)));
            starts.map(|start| start.join().unwrap())
        });
        assert_eq!(started.iter().filter(|started| started.is_ok()).count(), 1, "{started:?}");
        assert_eq!(started.iter().filter(|started| is_busy(started)).count(), 1, "{started:?}");
        [&one, &other].iter().for_each(|plugin| plugin.remove(&request.id));
    }
}

#[test]
fn a_device_that_is_not_there_is_no_reason_for_anybody_else_to_wait() {
    let Some(plugin) = Plugin::start() else { return };
    let plain = start_request("a-1", &plugin.app());
    let wanted = with_gpu(&StartRequest { id: "a-2".parse().unwrap(), ..plain.clone() }, "t4");
    let ask = Ask { hardware: vec![plain.hardware.clone(), wanted.hardware.clone()] };
    let described: Description = plugin.call(&Call::Describe, &encode(&ask)).unwrap();
    let refusals: Vec<_> = described.flavors.iter().map(|flavor| flavor.refusal.is_some()).collect();
    assert_eq!(refusals, [false, true], "{:?}", described.flavors);
    let refused = start(&plugin, &wanted).unwrap_err();
    assert_eq!(refused.error, ErrorCode::Failed);
    assert!(refused.message.as_str().contains("t4"), "{refused}");
    plugin.start_app(&plain);
    eventually("nothing is left of it", || (plugin.containers() == 1).then_some(()));
}

/// By which an NVIDIA GPU is used.
const GPU_NODES: [&str; 3] = ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm"];
/// Its maker's program, with the library that it loads by itself.
const GPU_PROGRAM: [&str; 2] = ["nvidia-smi", "libnvidia-ml.so.1"];

/// What a command says, or nothing.
fn output_of(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The program with all that it loads, at their places; `None` where there is no such GPU.
fn gpu_files() -> Option<Vec<PathBuf>> {
    let [program, library] = GPU_PROGRAM;
    let found = output_of(&format!(
        "file=$(command -v {program}) && echo $file && ldd $file | grep -o '/[^ ]*'; ldconfig -p | sed -n 's/.*{library}.* => //p'"
    ));
    let is_there = GPU_NODES.iter().all(|node| Path::new(node).exists()) && found.contains(library);
    is_there.then(|| found.lines().map(PathBuf::from).collect())
}

#[test]
fn a_real_gpu_is_in_the_container_that_has_it_and_in_no_other() {
    let Some(files) = gpu_files() else { return eprintln!("skipped: this machine has no NVIDIA GPU") };
    if crate::engine::Engine::of_machine().is_none() {
        return;
    }
    let nodes = GPU_NODES.map(|node| format!(",node={node}")).concat();
    let plugin = Plugin::with(&["--device", &format!("id=gpu0,kind=t4,memory=16000000000{nodes}")]).unwrap();
    let request = plugin.docker_build("FROM scratch\nCOPY root /\nCMD [\"/bin/nvidia-smi\", \"-L\"]\n");
    let root = Path::new(request.files.as_str()).join("root");
    for file in &files {
        let name =
            if file.ends_with(GPU_PROGRAM[0]) { Path::new("bin/nvidia-smi") } else { file.strip_prefix("/").unwrap() };
        std::fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        std::fs::copy(file, root.join(name)).unwrap();
    }
    let (end, log) = plugin.build(&request);
    let BuildEvent::Built { artifact, .. } = end else { panic!("{end:?}\n{log}") };
    let without = start_request("without", &artifact);
    let with = with_gpu(&StartRequest { id: "with".parse().unwrap(), ..without.clone() }, "t4");
    let said = [with, without].map(|request| {
        start(&plugin, &request).unwrap();
        plugin.end_of(&request.id);
        plugin.log(&request.id)
    });
    let there = output_of("nvidia-smi -L");
    println!("with: {}without: {}", said[0], said[1]);
    assert!(said[0].contains(there.lines().next().unwrap()), "{}", said[0]);
    assert!(!said[1].contains("GPU 0"), "{}", said[1]);
}
