//! What a container may do, as the Engine and the kernel see it.

use bollard::query_parameters::InspectNetworkOptions;

use crate::harness::{Plugin, get, id, start_request, variable};

#[test]
fn every_container_is_hardened() {
    let Some(plugin) = Plugin::start() else { return };
    let image = plugin.built("FROM scratch\nENV LD_PRELOAD=/evil.so LD_AUDIT=/evil.so KEPT=yes\nUSER root\nCOPY app /app\nCMD [\"/app\", \"serve\"]\n");
    plugin.start_app(&start_request("a-1", &image));
    let container = plugin.container(&id("a-1"));
    let host = container.host_config.unwrap();
    assert_eq!(host.cap_drop.unwrap(), ["ALL"]);
    assert_eq!(host.cap_add.unwrap_or_default(), [""; 0]);
    assert!(host.security_opt.unwrap().iter().any(|option| option.starts_with("no-new-privileges")));
    assert_eq!((host.memory, host.memory_swap), (Some(64 << 20), Some(64 << 20)));
    assert_eq!(host.nano_cpus, Some(500_000_000));
    assert!(host.pids_limit.unwrap() > 0);
    assert_eq!(host.log_config.unwrap().typ.as_deref(), Some("local"));
    assert_eq!((host.privileged, host.publish_all_ports), (Some(false), Some(false)));
    assert!(host.binds.unwrap_or_default().is_empty() && container.mounts.unwrap_or_default().is_empty());
    assert_eq!(container.config.unwrap().user.as_deref(), Some("1000:1000"));
    let network = host.network_mode.unwrap();
    assert_eq!(network, format!("spaceport-{}", plugin.namespace));
    let found = plugin
        .engine()
        .ask(async |docker| docker.inspect_network(&network, None::<InspectNetworkOptions>).await.unwrap());
    assert_eq!(found.options.unwrap()["com.docker.network.bridge.enable_icc"], "false");
}

#[test]
fn an_app_is_nobody_special_whatever_its_image_says() {
    let Some(plugin) = Plugin::start() else { return };
    let image = plugin
        .built("FROM scratch\nENV LD_PRELOAD=/evil.so KEPT=yes\nUSER root\nCOPY app /app\nCMD [\"/app\", \"serve\"]\n");
    let mut request = start_request("a-1", &image);
    request.variables = vec![variable("A", "b c=d"), variable("EMPTY", "")];
    let address = plugin.start_app(&request);
    let status = get(address, "/status").unwrap();
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line("Uid:"), ["1000"; 4]);
    assert_eq!(line("Gid:"), ["1000"; 4]);
    assert_eq!(line("NoNewPrivs:"), ["1"]);
    assert_eq!(line("Seccomp:"), ["2"]);
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(line(set), ["0000000000000000"], "{set}");
    }
    let env = get(address, "/env").unwrap();
    assert!(!env.contains("LD_PRELOAD"), "{env}");
    for pair in ["KEPT=yes\n", "A=b c=d\n", "EMPTY=\n", "NVIDIA_VISIBLE_DEVICES=void\n"] {
        assert!(env.contains(pair), "{pair}: {env}");
    }
    let mounts = get(address, "/mounts").unwrap();
    assert!(!mounts.contains("docker.sock") && !mounts.contains(" /data "), "{mounts}");
}
