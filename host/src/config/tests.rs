use super::*;

#[test]
fn the_empty_file_is_the_default_configuration() {
    let (config, _) = Config::read("").unwrap();
    assert_eq!(config.sleep_after, SLEEP_AFTER);
    assert_eq!(config.limits, OperatorLimits::default());
    assert_eq!(config.catalogue, Catalogue::default());
    assert!(config.expose_secrets);
}

#[test]
fn what_is_printed_reads_back_as_the_same_configuration() {
    let text = "[limits]\nstream = \"90s\"\nnode_memory = \"4GiB\"\n[[hardware]]\nname = \"cpu-tiny\"\nvcpu = 0.25\nmemory = \"64MiB\"\n\
                disk = \"100MiB\"\n[http]\ntrusted_proxies = [\"10.0.0.0/8\"]\n";
    let (_, printed) = Config::read(text).unwrap();
    let (_, again) = Config::read(&printed).unwrap();
    assert_eq!(printed, again);
    assert!(printed.contains("stream = \"90s\"") && printed.contains("cpu-tiny"));
}

#[test]
fn what_visitors_may_take_is_the_operators_to_say() {
    let (config, printed) = Config::read("").unwrap();
    let (visitors, defaults) = (config.visitors, edge::EdgeConfig::new("localhost"));
    assert_eq!(visitors.deadlines, defaults.deadlines);
    assert_eq!(visitors.connections_per_client, defaults.max_connections_per_ip);
    assert_eq!(visitors.connections, None);
    let keys = ["first_head", "head", "keep_alive", "body_idle", "write_idle", "drain", "connections_per_client"];
    for key in keys {
        assert!(printed.contains(&format!("\n{key} = ")), "{key}");
    }
    let text = "[limits]\nkeep_alive = \"5s\"\nwrite_idle = \"2m\"\nconnections = 7\nconnections_per_client = 3\n";
    let visitors = Config::read(text).unwrap().0.visitors;
    assert_eq!((visitors.connections, visitors.connections_per_client), (Some(7), 3));
    let spans = (visitors.deadlines.keep_alive, visitors.deadlines.write_idle);
    assert_eq!(spans, (Duration::from_secs(5), Duration::from_secs(120)));
}

#[test]
fn every_mistake_is_reported_with_what_to_write() {
    let text = "[limits]\nstraem = \"1h\"\nqueue = \"soon\"\n[egress]\nallow = [\"everything\"]\n[htpp]\n[static]\nexpose_secrets = \"yes\"\n\
                [[hardware]]\nname = \"x\"\nvcpu = 0\nmemory = \"lots\"\ndisk = \"1GB\"\ncolour = 1\n[[storage]]\nsize = \"1GB\"\n";
    let ConfigError(problems) = Config::read(text).unwrap_err();
    for part in [
        "limits.straem: no such key; did you mean \"stream\"?",
        "limits.queue: write a span of time",
        "egress.allow",
        "htpp: no such table; did you mean \"http\"?",
        "static.expose_secrets: write true or false",
        "hardware \"x\".vcpu",
        "hardware \"x\".memory",
        "hardware.colour",
        "storage.name",
    ] {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part} is missing in {problems:#?}");
    }
    assert_eq!(problems.len(), 9, "{problems:#?}");
}

#[test]
fn text_that_is_not_toml_is_one_problem_with_its_place() {
    let ConfigError(problems) = Config::read("[limits\n").unwrap_err();
    assert!(problems[0].contains("line 1"), "{problems:?}");
}
