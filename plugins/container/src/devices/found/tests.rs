use super::*;
use crate::devices::cdi::understand;

const RUNTIME: EngineCan = EngineCan { nvidia_runtime: true, cdi: false };
const CDI: EngineCan = EngineCan { nvidia_runtime: false, cdi: true };
const NEITHER: EngineCan = EngineCan { nvidia_runtime: false, cdi: false };

fn gpu(uuid: &str, name: &str, minor: u32) -> Gpu {
    Gpu {
        uuid: uuid.into(),
        name: name.into(),
        memory_bytes: 15_800_000_000,
        node: Some(format!("/dev/nvidia{minor}").into()),
        is_divided: false,
    }
}

fn described() -> Description {
    let spec = "{kind: nvidia.com/gpu, devices: [\
        {name: '0', containerEdits: {deviceNodes: [{path: /dev/nvidia0}]}},\
        {name: GPU-a, containerEdits: {deviceNodes: [{path: /dev/nvidia0}]}},\
        {name: '7', containerEdits: {deviceNodes: [{path: /dev/nvidia7}]}}]}";
    understand(&[("x.yaml".into(), spec.into())])
}

fn declared(id: &str, kind: &str, nodes: &[&str]) -> Declared {
    let nodes = nodes.iter().map(PathBuf::from).collect();
    Declared { id: id.parse().unwrap(), kind: kind.parse().unwrap(), memory_bytes: 16_000_000_000, nodes }
}

fn found(nvml: &[Gpu], cdi: Description, declared: &[Declared], engine: EngineCan) -> Findings {
    let exists = |path: &Path| path != Path::new("/dev/missing");
    Findings::of(Ok(nvml.to_vec()), cdi, declared, engine, Findings::default(), exists)
}

fn ways(findings: &Findings) -> Vec<(String, String, Way)> {
    let all = findings.devices.iter();
    all.map(|device| (device.id.to_string(), device.kind.to_string(), device.way.clone())).collect()
}

#[test]
fn a_model_is_named_as_rows_of_hardware_name_it() {
    for (name, kind) in [
        ("Tesla T4", "t4"),
        ("NVIDIA A10G", "a10g"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("A100-SXM4-40GB", "a100"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H200", "h200"),
        ("Tesla V100-SXM2-16GB", "v100"),
        ("NVIDIA GeForce RTX 3090", "rtx-3090"),
        ("Quadro RTX 8000", "rtx-8000"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "rtx-pro-6000"),
    ] {
        assert_eq!(kind_of(name).unwrap().as_str(), kind, "{name}");
    }
    assert_eq!(kind_of("NVIDIA"), None);
}

#[test]
fn one_gpu_is_one_device_whoever_tells_of_it() {
    let gpus = [gpu("GPU-a", "Tesla T4", 0)];
    let by_runtime = found(&gpus, described(), &[], RUNTIME);
    assert_eq!(ways(&by_runtime), [("GPU-a".into(), "t4".into(), Way::Nvidia("GPU-a".into()))]);
    assert!(by_runtime.notes[0].contains("nvidia.com/gpu=7"), "{:?}", by_runtime.notes);
    let by_cdi = found(&gpus, described(), &[], CDI);
    assert_eq!(ways(&by_cdi), [("GPU-a".into(), "t4".into(), Way::Cdi("nvidia.com/gpu=0".into()))]);
    let again = found(&gpus, described(), &[declared("mine", "t4x", &["/dev/nvidia0"])], RUNTIME);
    assert_eq!(ways(&again), [("GPU-a".into(), "t4x".into(), Way::Nvidia("GPU-a".into()))]);
}

#[test]
fn what_the_engine_cannot_hand_out_goes_as_the_files_that_are_declared() {
    let gpus = [gpu("GPU-a", "Tesla T4", 0), gpu("GPU-b", "Tesla T4", 1)];
    let files = [["/dev/nvidia0", "/dev/nvidiactl"], ["/dev/nvidia1", "/dev/nvidiactl"]];
    let all = [declared("first", "t4", &files[0]), declared("GPU-b", "t4", &files[1])];
    let findings = found(&gpus, Description::default(), &all, NEITHER);
    let way = |files: &[&str]| Way::Nodes(files.iter().map(PathBuf::from).collect());
    assert_eq!(
        ways(&findings),
        [("GPU-a".into(), "t4".into(), way(&files[0])), ("GPU-b".into(), "t4".into(), way(&files[1]))]
    );
    assert_eq!(findings.notes, [""; 0]);
    // Files that are declared together are had together, once.
    let both = [declared("both", "t4", &["/dev/nvidia0", "/dev/nvidia1"])];
    let findings = found(&gpus, Description::default(), &both, NEITHER);
    assert_eq!(ways(&findings), [("GPU-a".into(), "t4".into(), way(&["/dev/nvidia0", "/dev/nvidia1"]))]);
    // A part of a divided one is declared with the file of the whole.
    let divided = Gpu { is_divided: true, ..gpu("GPU-m", "NVIDIA A100-SXM4-40GB", 3) };
    let part = ["/dev/nvidia3", "/dev/nvidia-caps/nvidia-cap21"];
    let findings = found(&[divided], Description::default(), &[declared("part", "a100", &part)], NEITHER);
    assert_eq!(ways(&findings), [("part".into(), "a100".into(), way(&part))]);
    let missing = [declared("first", "t4", &["/dev/nvidia0", "/dev/missing"])];
    let findings = found(&gpus[..1], Description::default(), &missing, NEITHER);
    assert_eq!(findings.devices, []);
    assert!(findings.notes[0].contains("/dev/missing"), "{:?}", findings.notes);
}

#[test]
fn a_declaration_names_what_the_machine_does_not() {
    let all = [
        declared("nvidia.com/gpu=7", "a100", &[]),
        declared("npu", "npu", &["/dev/npu0"]),
        declared("GPU-a", "t4g", &[]),
    ];
    let findings = found(&[gpu("GPU-a", "Tesla T4", 0)], described(), &all, CDI);
    assert_eq!(
        ways(&findings),
        [
            ("GPU-a".into(), "t4g".into(), Way::Cdi("nvidia.com/gpu=0".into())),
            ("nvidia.com/gpu=7".into(), "a100".into(), Way::Cdi("nvidia.com/gpu=7".into())),
            ("npu".into(), "npu".into(), Way::Nodes(vec!["/dev/npu0".into()])),
        ]
    );
    assert_eq!(findings.notes, [""; 0]);
    // By any of its names.
    let findings =
        found(&[gpu("GPU-a", "Tesla T4", 0)], described(), &[declared("nvidia.com/gpu=0", "t4x", &[])], RUNTIME);
    assert_eq!(ways(&findings)[0].1, "t4x");
    assert_eq!(findings.notes.len(), 1, "{:?}", findings.notes);
}

#[test]
fn what_cannot_be_handed_out_is_told_to_who_asks_for_it() {
    let ask = |findings: &Findings, kind: &str, count| {
        let wanted =
            protocol::Gpu { kind: kind.parse().unwrap(), count, memory_bytes: 16_000_000_000 * u64::from(count) };
        let leases = crate::devices::leases::Leases::default();
        findings.explain(&leases.choose(&findings.devices, &wanted).unwrap_err()).to_string()
    };
    let divided = Gpu { is_divided: true, ..gpu("GPU-m", "NVIDIA A100-SXM4-40GB", 3) };
    let findings = found(
        &[gpu("GPU-a", "Tesla T4", 0), divided],
        Description::default(),
        &[declared("x", "npu", &["/dev/missing"])],
        NEITHER,
    );
    assert_eq!(findings.devices, []);
    assert_eq!(
        ask(&findings, "t4", 1),
        "this machine does not have 1 t4 GPU: the t4 GPU GPU-a cannot be used: the container engine has neither NVIDIA's \
         runtime nor a description of it for CDI"
    );
    assert!(ask(&findings, "a100", 1).contains("MIG"));
    assert!(ask(&findings, "npu", 1).contains("/dev/missing is missing"));
    assert_eq!(ask(&findings, "h100", 2), "this machine does not have 2 h100 GPUs");
    let some = found(&[gpu("GPU-a", "Tesla T4", 0)], Description::default(), &[], RUNTIME);
    assert_eq!(ask(&some, "t4", 2), "this machine does not have 2 t4 GPUs: it has 1");
    let small = found(&[gpu("GPU-a", "NVIDIA A100-SXM4-40GB", 0)], Description::default(), &[], RUNTIME);
    let wanted = protocol::Gpu { kind: "a100".parse().unwrap(), count: 1, memory_bytes: 40_000_000_000 };
    let shortage = crate::devices::leases::Leases::default().choose(&small.devices, &wanted).unwrap_err();
    assert_eq!(
        small.explain(&shortage).as_str(),
        "this machine does not have 1 a100 GPU: it has 0 and 1 with less than 40 GB"
    );
}

#[test]
fn a_library_out_of_order_takes_no_device_away() {
    let before = found(&[gpu("GPU-a", "Tesla T4", 0)], Description::default(), &[], RUNTIME);
    let devices = before.devices.clone();
    let exists = |_: &Path| true;
    let now = Findings::of(Err("driver mismatch".into()), Description::default(), &[], RUNTIME, before, exists);
    assert_eq!(now.devices, devices);
    assert!(now.notes[0].contains("driver mismatch"), "{:?}", now.notes);
}
