use super::*;

fn read(text: &str) -> Result<(Config, String), ConfigError> {
    Config::read(text, &Overrides::default())
}

#[test]
fn the_empty_file_is_the_default_configuration() {
    let (config, _) = read("").unwrap();
    assert_eq!(config.sleep_after, SLEEP_AFTER);
    assert_eq!(config.limits, OperatorLimits::default());
    assert_eq!(config.catalogue, Catalogue::default());
    assert!(config.expose_secrets);
}

#[test]
fn what_is_printed_reads_back_as_the_same_configuration() {
    let text = r#"
        [http]
        listen = ["0.0.0.0:80", "[::]:80"]
        domain = "hub.example.org"
        spaces_domain = "spaces.example.net:8080"
        public_scheme = "https"
        trusted_proxies = ["10.0.0.0/8"]
        [limits]
        stream = "90s"
        node_memory = "4GiB"
        request_fuel = 12
        compile = "1500ms"
        [lifecycle]
        sleep_after = "2d"
        [keys]
        path = 'C:ä "quoted" \back\n'
        [backends.docker]
        command = ["/a b/\"c\"", "--x", ""]
        [backends.off]
        enabled = false
        [containers]
        enabled = true
        base_image = "base:1"
        ca_bundle = "/etc/ca.pem"
        devices = ["id=npu0,kind=npu,memory=1"]
        [[hardware]]
        name = "cpu-tiny"
        pretty_name = "Tiny \\ \"x\" ä"
        vcpu = 0.25
        memory = "64MiB"
        disk = "100MiB"
        request_fuel = 7
        gpu = { type = "t4", memory = "16GiB" }
        [[storage]]
        name = "huge-\u007f\t\\ \"x\""
        size = "1TB"
        price_per_month = 1e21
    "#;
    for text in [text, ""] {
        let (config, printed) = read(text).unwrap();
        let (again, printed_again) = read(&printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
        assert_eq!(config, again, "{printed}");
        assert_eq!(printed, printed_again);
    }
}

#[test]
fn a_certificate_makes_the_public_scheme_https() {
    let (config, _) = read("[tls]\ncert = \"a.pem\"\nkey = \"b.pem\"").unwrap();
    assert_eq!(config.tls, Some(TlsFiles { cert: "a.pem".into(), key: "b.pem".into() }));
    assert_eq!(config.http.public_scheme, Scheme::Https);
    let (config, _) = read("[tls]").unwrap();
    assert_eq!((config.tls, config.http.public_scheme), (None, Scheme::Http));
    let refused = read("[tls]\ncert = \"a.pem\"").unwrap_err().to_string();
    assert_eq!(refused, "tls: write both cert and key, or neither");
}

#[test]
fn every_key_that_is_printed_is_explained() {
    let (_, printed) = read("").unwrap();
    let lines: Vec<&str> = printed.lines().collect();
    let mut is_explained = std::collections::HashSet::new();
    for (position, line) in lines.iter().enumerate() {
        let key = line.trim_start_matches("# ").split(" =").next().unwrap().to_owned();
        if !line.contains(" =") || line.starts_with("# ") && key.contains(' ') {
            continue;
        }
        let list = lines[..position].iter().rev().find(|line| line.starts_with('[')).unwrap();
        let has_comment = lines[position - 1].starts_with("# ") && lines[position - 1].ends_with('.');
        assert!(has_comment || is_explained.contains(&(*list, key.clone())), "{list} {line}");
        is_explained.insert((*list, key));
    }
    assert!(is_explained.contains(&("[[hardware]]", "gpu".to_owned())), "{is_explained:?}");
    assert!(is_explained.iter().any(|(_, key)| key == "command"), "{is_explained:?}");
}

#[test]
fn the_command_line_goes_before_the_file() {
    let overrides =
        Overrides { listen: Some("127.0.0.1:1".parse().unwrap()), domain: Some("example.org".parse().unwrap()) };
    for text in ["", "[http]\nlisten = [\"127.0.0.1:2\"]\ndomain = \"other\"\n"] {
        let (config, printed) = Config::read(text, &overrides).unwrap();
        assert_eq!((config.http.listen.len(), config.http.domain.clone()), (1, overrides.domain.clone()));
        assert_eq!(read(&printed).unwrap().0, config);
    }
    let ConfigError(problems) = Config::read("http = 1\n", &overrides).unwrap_err();
    assert!(problems[0].contains("[http]"), "{problems:?}");
}

#[test]
fn what_visitors_may_take_is_the_operators_to_say() {
    let (config, printed) = read("").unwrap();
    let (visitors, defaults) = (config.visitors, edge::EdgeConfig::new("localhost"));
    assert_eq!(visitors.deadlines, defaults.deadlines);
    assert_eq!(visitors.connections_per_client, defaults.max_connections_per_ip);
    assert_eq!(visitors.connections, None);
    let keys = ["first_head", "head", "keep_alive", "body_idle", "write_idle", "drain", "connections_per_client"];
    for key in keys {
        assert!(printed.contains(&format!("\n{key} = ")), "{key}");
    }
    let text = "[limits]\nkeep_alive = \"5s\"\nwrite_idle = \"2m\"\nconnections = 7\nconnections_per_client = 3\n";
    let visitors = read(text).unwrap().0.visitors;
    assert_eq!((visitors.connections, visitors.connections_per_client), (Some(7), 3));
    let spans = (visitors.deadlines.keep_alive, visitors.deadlines.write_idle);
    assert_eq!(spans, (Duration::from_secs(5), Duration::from_secs(120)));
}

#[test]
fn backends_are_added_and_switched_off() {
    let text = "[backends.a]\ncommand = [\"/bin/a\", \"-x\"]\n[backends.container]\nenabled = false\n\
                [backends.b-2]\ncommand = [\"b\"]\nenabled = false\n";
    let backends = read(text).unwrap().0.backends;
    let found: Vec<_> = backends.iter().map(|one| (one.name.as_str(), one.command.join(" "), one.enabled)).collect();
    let expected = [("a", "/bin/a -x", true), ("b-2", "b", false), ("container", "", false)];
    assert_eq!(found, expected.map(|(name, command, enabled)| (name, command.to_owned(), enabled)));
    assert_eq!(read("").unwrap().0.backends, []);
}

#[test]
fn every_mistake_in_a_backend_is_reported() {
    let text = "[backends.a]\n[backends.b]\ncommand = \"x\"\nenabled = 1\ncomand = []\n[backends.B]\ncommand = []\n\
                [backends]\nc = 1\n[backends.d]\ncommand = [\"\"]\n[backends.e]\ncommand = [\"x\", 1]\nenabled = false\n";
    let ConfigError(problems) = read(text).unwrap_err();
    for part in [
        "backends.a.command: it needs one",
        "backends.b.command: write a list of texts",
        "backends.b.enabled: write true or false",
        "backends.b.comand: no such key; did you mean \"command\"?",
        "backends.B: the name of a backend has 1 to 32 lower-case letters",
        "backends.B.command: write a list of texts",
        "backends.c: write it as a table, [backends.c]",
        "backends.d.command: write a list of texts",
        "backends.e.command: write a list of texts",
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(part)), "{part} is missing in {problems:#?}");
    }
    assert_eq!(problems.len(), 9, "{problems:#?}");
    let ConfigError(problems) = read("backends = []\n").unwrap_err();
    assert_eq!(problems, ["backends: write each backend as a table, [backends.NAME]"]);
}

#[test]
fn every_mistake_is_reported_with_what_to_write() {
    let text = "[limits]\nstraem = \"1h\"\nqueue = \"soon\"\n[egress]\nallow = [\"everything\"]\n[htpp]\n[http]\ndomain = \"http://x/\"\n[lifecycle]\nsleep_after = \"0s\"\n[static]\nexpose_secrets = \"yes\"\n\
                [[hardware]]\nname = \"x\"\nvcpu = 0\nmemory = \"lots\"\ndisk = \"1GB\"\ncolour = 1\n[[storage]]\nsize = \"1GB\"\n";
    let ConfigError(problems) = read(text).unwrap_err();
    for part in [
        "limits.straem: no such key; did you mean \"stream\"?",
        "limits.queue: write a span of time",
        "egress.allow",
        "htpp: no such table; did you mean \"http\"?",
        "http.domain: write a host name",
        "lifecycle.sleep_after: write a span of time above zero",
        "static.expose_secrets: write true or false",
        "hardware \"x\".vcpu",
        "hardware \"x\".memory",
        "hardware.colour",
        "storage.name",
    ] {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part} is missing in {problems:#?}");
    }
    assert_eq!(problems.len(), 11, "{problems:#?}");
}

#[test]
fn text_that_is_not_toml_is_one_problem_with_its_place() {
    let ConfigError(problems) = read("[limits\n").unwrap_err();
    assert!(problems[0].contains("line 1"), "{problems:?}");
}

#[test]
fn quotas_are_numbers_above_zero() {
    let (config, printed) = read("[rate_limits]\napi = 5\npages = 99999999999\n").unwrap();
    assert_eq!((config.rates.api, config.rates.pages, config.rates.resolvers), (5, u32::MAX, 100_000));
    assert!(printed.contains("[rate_limits]"), "{printed}");
    let error = read("[rate_limits]\napi = 0\npage = 1\nresolvers = \"many\"\n").unwrap_err();
    assert_eq!(
        error.0,
        [
            "rate_limits.resolvers: write a whole number, zero or more",
            "rate_limits.page: no such key; did you mean \"pages\"?",
            "rate_limits.api: write a number above zero",
        ]
    );
}

#[test]
fn a_row_of_hardware_is_held_to_the_rules_of_the_admin_api() {
    let row = |name: &str, memory: &str, more: &str| {
        format!("[[hardware]]\nname = {name:?}\nvcpu = 1\nmemory = {memory:?}\ndisk = \"1GB\"\n{more}\n")
    };
    for (text, problem) in [
        (row("a b", "1GB", ""), "hardware \"a b\".name: write up to 64 letters"),
        (row("x", "0GB", ""), "hardware \"x\".memory: write a size above zero"),
        (row("x", "1GB", "pretty_name = \"\""), "hardware \"x\".pretty_name: write a line"),
        (row("x", "1GB", "price_per_hour = 1e9"), "hardware \"x\".price_per_hour: write US dollars"),
        (row("x", "1GB", "gpu = {type = \"a 1\", memory = \"1GB\"}"), "hardware \"x\".gpu.type: write up to 64"),
    ] {
        let ConfigError(problems) = read(&text).unwrap_err();
        assert!(problems.len() == 1 && problems[0].starts_with(problem), "{problem} is not {problems:#?}");
    }
    let ConfigError(problems) = read(&row("a b", "0GB", "")).unwrap_err();
    assert_eq!(problems.len(), 2, "all that is wrong is told at once: {problems:#?}");
    let many: String = (0..256).map(|number| row(&format!("x{number}"), "1GB", "")).collect();
    assert_eq!(read(&many).unwrap_err().0, ["hardware: 256 rows are the most, those that are built in with them"]);
}
