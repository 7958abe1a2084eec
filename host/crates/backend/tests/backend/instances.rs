//! What a backend runs for a host: exactly one of each, whoever dies or starts anew.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use spaceport_backend::protocol::{
    BuildEvent, BuildLimits, BuildRequest, Egress, Fault, Gpu, Hardware, InstanceState, LogLine, Recipe, Retain,
    Variable,
};
use spaceport_backend::{BuildError, Instances, Order, Pace, Running, StartError, Supervisor, Witness};

use crate::fake::{INSTANCES, Place, down, eventually, processes, reaches, up};

const KEY: [u8; 32] = [7; 32];
/// Of a host that is gone and starts anew in a test.
const AGAIN: [u8; 32] = [9; 32];
const OWNER: &str = "65f0c0ffee0123456789abcd";

/// Keeps what it is told.
#[derive(Default)]
struct Told {
    lines: Mutex<Vec<String>>,
    ended: Mutex<Vec<String>>,
}

impl Witness for Told {
    fn wrote(&self, line: &LogLine) {
        self.lines.lock().push(line.text.clone());
    }

    fn ended(&self, reason: String) {
        self.ended.lock().push(reason);
    }
}

impl Told {
    #[track_caller]
    fn end(&self) -> String {
        eventually("it is told of the end", || (!self.ended.lock().is_empty()).then_some(()));
        self.ended.lock()[0].clone()
    }
}

fn pace() -> Pace {
    Pace {
        look_every: Duration::from_millis(20),
        stats_every: Duration::from_millis(20),
        stray: Duration::from_millis(200),
        patience: Duration::from_secs(10),
    }
}

/// A host's side, and what it starts.
struct Host {
    place: Place,
    supervisor: Supervisor,
    instances: Instances,
}

impl Host {
    async fn start() -> Self {
        let place = Place::new("good");
        let supervisor = place.start();
        reaches(&mut supervisor.watch(), up).await;
        let instances = Instances::new(&supervisor, KEY, pace());
        Self { place, supervisor, instances }
    }

    /// Another host's side of the same plugin, or the same host's after a new start.
    fn another(&self, key: [u8; 32]) -> Instances {
        Instances::new(&self.supervisor, key, pace())
    }

    /// The ids of all instances but those that were there from the beginning.
    async fn ids(&self) -> Vec<String> {
        let backend = reaches(&mut self.supervisor.watch(), up).await;
        let listed = backend.client.list().await.unwrap().instances;
        let ids = listed.into_iter().map(|instance| instance.id.to_string());
        ids.filter(|id| !INSTANCES.contains(&id.as_str())).collect()
    }

    async fn until_ids(&self, what: &str, holds: impl Fn(&[String]) -> bool) -> Vec<String> {
        let wait = async {
            loop {
                let ids = self.ids().await;
                if holds(&ids) {
                    return ids;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("{what}"))
    }

    fn plugin(&self) -> Pid {
        Pid::from_raw(processes(&self.place.socket())[0]).unwrap()
    }
}

fn order(number: u64, artifact: &str) -> (Order, Arc<Told>) {
    let told = Arc::<Told>::default();
    let order = Order {
        owner: OWNER.to_owned(),
        number,
        artifact: artifact.parse().unwrap(),
        hardware: Hardware {
            name: "cpu-basic".parse().unwrap(),
            cpu_milli: 2000,
            memory_bytes: 1 << 30,
            disk_bytes: 1 << 30,
            gpu: None,
        },
        variables: vec![variable("SAYS", "moin")],
        port: 7860,
        data: None,
        egress: Egress::default(),
        logged_until: None,
        witness: told.clone(),
    };
    (order, told)
}

fn variable(name: &str, value: &str) -> Variable {
    Variable { name: name.parse().unwrap(), value: value.parse().unwrap() }
}

async fn get(address: SocketAddr) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.rsplit("\r\n\r\n").next().unwrap().to_owned()
}

async fn ready(running: &Running) {
    tokio::time::timeout(Duration::from_secs(30), running.ready()).await.expect("it answers").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_started_answers_and_leaves_its_log() {
    let host = Host::start().await;
    let (order, told) = order(1, "sha256:slow");
    let running = host.instances.start(order).await.unwrap();
    ready(&running).await;
    assert_eq!(get(running.address()).await, "moin");
    assert!(!running.was_running());
    eventually("its use is known", || (running.stats().cpu_us == 1_500_000).then_some(()));
    assert_eq!(host.ids().await.len(), 1);
    running.stop(Duration::from_secs(1)).await;
    assert_eq!(host.ids().await, Vec::<String>::new());
    let lines = told.lines.lock().clone();
    assert!(lines[0].starts_with("started as ") && lines[1] == "bye", "{lines:?}");
    drop(running);
    assert!(told.ended.lock().is_empty(), "nobody is told of an end that was asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ends_by_itself_says_why_after_its_last_line() {
    let host = Host::start().await;
    let (order, told) = order(1, "sha256:mortal");
    let running = host.instances.start(order).await.unwrap();
    ready(&running).await;
    assert_eq!(told.end(), "it had enough");
    assert!(told.lines.lock().contains(&"farewell".to_owned()), "{:?}", told.lines.lock());
    running.stop(Duration::ZERO).await;
    assert_eq!(host.ids().await, Vec::<String>::new());
    assert_eq!(told.ended.lock().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_answers_is_not_waited_for_once_it_has_ended() {
    let host = Host::start().await;
    let (order, told) = order(1, "sha256:crash");
    let running = host.instances.start(order).await.unwrap();
    // Its server is gone, though its port may still be taken.
    let reason = loop {
        match tokio::time::timeout(Duration::from_secs(30), running.ready()).await.expect("an end") {
            Err(reason) => break reason,
            Ok(()) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert_eq!(reason, "it had enough");
    assert!(told.lines.lock().iter().any(|line| line.starts_with("Traceback")), "{:?}", told.lines.lock());
    drop(running);
    host.until_ids("what failed to start is removed", <[String]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_starts_anew_takes_over_what_runs_as_it_is_wanted() {
    let host = Host::start().await;
    let running = host.another(AGAIN).start(order(4, "sha256:fake").0).await.unwrap();
    ready(&running).await;
    running.leave().await;
    let ids = host.ids().await;
    drop(running);
    let anew = host.another(AGAIN);
    let (same, told) = order(5, "sha256:fake");
    let taken = anew.start(same).await.unwrap();
    assert!(taken.was_running());
    assert_eq!((host.ids().await, ids.len()), (ids, 1));
    ready(&taken).await;
    eventually("its log is read", || (!told.lines.lock().is_empty()).then_some(()));
    taken.stop(Duration::ZERO).await;
    assert_eq!(host.ids().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_by_another_order_is_replaced_and_others_are_left_alone() {
    let host = Host::start().await;
    let running = host.another(AGAIN).start(order(1, "sha256:fake").0).await.unwrap();
    running.leave().await;
    drop(running);
    let of_another_host = host.another([8; 32]);
    let foreign = of_another_host.start(order(1, "sha256:fake").0).await.unwrap();
    let anew = host.another(AGAIN);
    let (mut changed, _) = order(2, "sha256:fake");
    changed.variables = vec![variable("SAYS", "changed")];
    let changed = anew.start(changed).await.unwrap();
    assert!(!changed.was_running());
    ready(&changed).await;
    assert_eq!(get(changed.address()).await, "changed");
    assert_eq!(host.ids().await.len(), 2, "the one of the same owner is gone");
    // Longer than anything is left alone that is nobody's.
    let others = host.ids().await;
    tokio::time::sleep(pace().stray * 2).await;
    assert_eq!(host.ids().await, others);
    drop((foreign, changed));
    host.until_ids("dropped instances are removed", <[String]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_for_nobody_is_removed() {
    let host = Host::start().await;
    let running = host.another(AGAIN).start(order(1, "sha256:fake").0).await.unwrap();
    running.leave().await;
    drop(running);
    assert_eq!(host.ids().await.len(), 1);
    let _anew = host.another(AGAIN);
    host.until_ids("the stray is removed", <[String]>::is_empty).await;
    let backend = reaches(&mut host.supervisor.watch(), up).await;
    assert_eq!(backend.client.list().await.unwrap().instances.len(), INSTANCES.len(), "not what has other names");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_is_killed_loses_nothing_that_runs_and_what_is_gone_is_told() {
    let host = Host::start().await;
    let (order, told) = order(1, "sha256:fake");
    let running = host.instances.start(order).await.unwrap();
    ready(&running).await;
    let mut state = host.supervisor.watch();
    kill_process(host.plugin(), Signal::KILL).unwrap();
    reaches(&mut state, down("")).await;
    assert!(host.instances.problem().is_some());
    reaches(&mut state, up).await;
    // The instances of this plugin are its threads, and end with it.
    assert!(told.end().contains("is gone"), "{}", told.end());
    running.stop(Duration::ZERO).await;
    let again = host.instances.start(self::order(2, "sha256:fake").0).await.unwrap();
    ready(&again).await;
    assert_eq!(host.ids().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_waits_for_a_plugin_that_is_down_and_says_so_when_it_stays_so() {
    let host = Host::start().await;
    let mut state = host.supervisor.watch();
    host.place.turn("unready");
    reaches(&mut state, down("")).await;
    let instances = host.instances.clone();
    let started = tokio::spawn(async move { instances.start(order(1, "sha256:fake").0).await.map(|_| ()) });
    host.place.turn("good");
    started.await.unwrap().unwrap();

    host.place.turn("unready");
    reaches(&mut state, down("")).await;
    let impatient = Instances::new(&host.supervisor, KEY, Pace { patience: Duration::from_millis(50), ..pace() });
    let refused = impatient.start(order(2, "sha256:fake").0).await.map(|_| ()).unwrap_err();
    assert_eq!(refused, StartError::NotAnswering("the container engine does not answer".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn why_nothing_is_started_has_a_name() {
    let host = Host::start().await;
    let start = async |number, artifact| host.instances.start(order(number, artifact).0).await.map(|_| ()).unwrap_err();
    assert_eq!(start(1, "sha256:gone").await, StartError::NoArtifact);
    host.place.turn("foreign-instance");
    let error = start(2, "sha256:fake").await;
    assert!(matches!(&error, StartError::NotAnswering(why) if why.contains("somebody-elses")), "{error:?}");
    host.place.turn("good");
    host.until_ids("what was started all the same is removed", <[String]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_device_keeps_it_until_it_is_given_back_whoever_asks() {
    let host = Host::start().await;
    let with_device = |number| {
        let (mut order, told) = order(number, "sha256:device");
        order.hardware.gpu = Some(Gpu { kind: "t4".parse().unwrap(), count: 1, memory_bytes: 1 << 34 });
        (order, told)
    };
    let (first, told) = with_device(1);
    let elder = host.instances.start(first).await.unwrap();
    let mut of_other = with_device(2).0;
    of_other.owner = "0".repeat(24);
    let taken = StartError::Taken("not today".into());
    for order in [of_other, with_device(3).0] {
        assert_eq!(host.instances.start(order).await.map(|_| ()).unwrap_err(), taken);
    }
    ready(&elder).await;
    assert!(told.ended.lock().is_empty(), "{:?}", told.ended.lock());
    elder.stop(Duration::ZERO).await;
    let successor = host.instances.start(with_device(4).0).await.unwrap();
    ready(&successor).await;
    assert_eq!(host.ids().await.len(), 1);
}

fn build(variables: Vec<Variable>) -> BuildRequest {
    BuildRequest {
        id: "build-1".parse().unwrap(),
        scope: OWNER.parse().unwrap(),
        recipe: Recipe::Docker,
        files: "/srv/files".parse().unwrap(),
        variables,
        secrets: vec![variable("TOKEN", "hunter2")],
        clean: false,
        egress: Egress::default(),
        limits: BuildLimits { seconds: 60, log_bytes: 1 << 20, disk_bytes: 1 << 30 },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_is_read_along_to_its_end() {
    let host = Host::start().await;
    let lines = Mutex::new(Vec::new());
    let say = |line: &LogLine| lines.lock().push(line.text.clone());
    let built = host.instances.build(&build(Vec::new()), say).await.unwrap();
    assert!(matches!(built, BuildEvent::Built { .. }));
    assert_eq!(*lines.lock(), ["building build-1", "secrets: TOKEN"]);
    for (word, fault) in [("owner", Fault::Owner), ("platform", Fault::Platform)] {
        let failed = host.instances.build(&build(vec![variable("FAIL", word)]), |_| {}).await.unwrap_err();
        assert_eq!(failed, BuildError::Failed { fault, message: "it cannot be built".into() });
    }
    let needed = ["sha256:fake", "sha256:gone"].map(|name| name.parse().unwrap()).into();
    assert_eq!(host.instances.retain(&Retain { needed, seconds: 60, bytes: 0 }).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_whose_plugin_dies_fails_through_no_fault_of_its_owner() {
    let host = Host::start().await;
    let (told, heard) = tokio::sync::mpsc::unbounded_channel();
    let (instances, request) = (host.instances.clone(), build(vec![variable("ENDLESS", "1")]));
    let building = tokio::spawn(async move {
        let say = move |line: &LogLine| drop(told.send(line.text.clone()));
        instances.build(&request, say).await.unwrap_err()
    });
    let mut heard = heard;
    while heard.recv().await.unwrap() != "still at it" {}
    kill_process(host.plugin(), Signal::KILL).unwrap();
    let error = building.await.unwrap();
    assert!(
        matches!(&error, BuildError::Failed { fault: Fault::Platform, message } if message.contains("build")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_end_of_a_build_is_no_artifact() {
    let host = Host::start().await;
    for (mode, part) in [
        ("half-build", "it says nothing of how the build ended"),
        ("foreign-end", "files in place of an artifact"),
        ("long-line", "is longer than"),
        ("garbage", "is broken"),
        ("refuse", "not today"),
    ] {
        let mut state = host.supervisor.watch();
        reaches(&mut state, up).await;
        host.place.turn(mode);
        let failed = host.instances.build(&build(Vec::new()), |_| {}).await.unwrap_err();
        assert!(failed.to_string().contains(part), "{mode}: {failed}");
        host.place.turn("good");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exited_instance_is_not_taken_over() {
    let host = Host::start().await;
    let running = host.another(AGAIN).start(order(1, "sha256:fake").0).await.unwrap();
    running.leave().await;
    drop(running);
    let backend = reaches(&mut host.supervisor.watch(), up).await;
    let id = host.ids().await[0].parse().unwrap();
    let stopped = backend.client.stop(&id, Duration::ZERO).await.unwrap();
    assert!(matches!(stopped.state, InstanceState::Exited { .. }));
    let again = host.another(AGAIN).start(order(1, "sha256:fake").0).await.unwrap();
    assert!(!again.was_running());
    assert_eq!(host.ids().await.len(), 1);
}
