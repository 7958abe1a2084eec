//! How many requests a second the engine answers, without sockets: `throughput GUEST.wasm [TASKS] [SECONDS] [fresh]`.
//!
//! All limits are on, as the host sets them. With `fresh` each request gets an instance of its own.

use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use spaceport_core::egress::EgressPolicy;
use spaceport_core::id::SpaceId;
use spaceport_core::limits::{self, Limits};
use spaceport_core::manifest::Isolation;
use spaceport_engine::{Engine, EngineConfig, GuestLog, LaunchSpec, Running};

/// The argument that makes this the compiling process.
const COMPILE: &str = "--compile";

struct NoLog;

impl GuestLog for NoLog {
    fn write(&self, _text: &[u8]) {}
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == COMPILE) {
        return spaceport_engine::compile::child_main();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(4).build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(measure(&arguments)));
    match outcome {
        Ok(line) => {
            let _ = writeln!(std::io::stdout(), "{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(arguments: &[String]) -> Result<String, Box<dyn Error>> {
    let guest = arguments.get(1).ok_or("which guest?")?;
    let tasks: u64 = arguments.get(2).map_or(Ok(32), |text| text.parse())?;
    let seconds: u64 = arguments.get(3).map_or(Ok(4), |text| text.parse())?;
    let fresh = arguments.get(4).is_some_and(|word| word == "fresh");
    let dir = tempfile::tempdir()?;
    let running = start(guest, dir.path(), if fresh { Isolation::Request } else { Isolation::Shared }).await?;
    let count = Arc::new(AtomicU64::new(0));
    let end = Instant::now() + Duration::from_secs(seconds);
    let (began, before) = (Instant::now(), cpu_time()?);
    let clients: Vec<_> = (0..tasks).map(|_| tokio::spawn(client(running.clone(), count.clone(), end))).collect();
    for client in clients {
        client.await?.map_err(|error| error as Box<dyn Error>)?;
    }
    let (wall, cpu) = (began.elapsed().as_secs_f64(), (cpu_time()? - before).as_secs_f64());
    let requests = count.load(Ordering::Relaxed) as f64;
    let usage = running.usage();
    running.stop(Duration::from_secs(1)).await;
    Ok(format!(
        "{:.0} req/s, {:.1} us of CPU each ({:.1} us in the guest), {} instances, {} starts of {:.0} us",
        requests / wall,
        cpu / requests * 1e6,
        usage.cpu.as_secs_f64() / requests * 1e6,
        usage.instances,
        usage.cold_starts,
        usage.cold_start_time.as_secs_f64() / usage.cold_starts.max(1) as f64 * 1e6,
    ))
}

async fn start(guest: &str, dir: &std::path::Path, isolation: Isolation) -> Result<Arc<Running>, Box<dyn Error>> {
    let compile_command = vec![std::env::current_exe()?.into_os_string(), OsString::from(COMPILE)];
    let engine = Engine::new(EngineConfig {
        artifacts: dir.join("artifacts"),
        seal_key: [0; 32],
        compile_command,
        component_bytes: spaceport_core::limits::COMPONENT.0,
        compile_time: spaceport_core::limits::COMPILE,
        node_memory: 8 << 30,
        data_runtime: tokio::runtime::Handle::current(),
    })?;
    let artifact = engine.compile(&std::fs::read(guest)?, &|_| {}).await?;
    let (app, tmp) = (dir.join("app"), dir.join("tmp"));
    std::fs::create_dir(&app)?;
    std::fs::create_dir(&tmp)?;
    let limits = Limits {
        vcpu: 64.0,
        memory: 4 << 30,
        disk: 1 << 30,
        storage: None,
        inodes: limits::INODES,
        request_fuel: None,
        first_byte: limits::FIRST_BYTE,
        idle_chunk: limits::IDLE_CHUNK,
        stream: limits::STREAM,
        queue: limits::QUEUE,
        cold_start: limits::COLD_START,
    };
    let spec = LaunchSpec {
        space: SpaceId::from_bytes([0; 12]),
        label: "bench/hello".into(),
        revision: "0".repeat(40),
        artifact,
        env: Vec::new(),
        app,
        tmp,
        data: None,
        limits,
        egress: EgressPolicy::default(),
        isolation,
        log: Arc::new(NoLog),
        on_crash: Box::new(|_| {}),
        sdk: None,
    };
    Ok(engine.launch(spec).await?)
}

async fn client(
    running: Arc<Running>,
    count: Arc<AtomicU64>,
    end: Instant,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    while Instant::now() < end {
        let request = http::Request::get("/").header("host", "bench.localhost").body(Full::<Bytes>::default())?;
        running.call(request).await?.into_body().collect().await?;
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// CPU time of this process so far.
fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Ok(Duration::new(time.tv_sec.try_into()?, time.tv_nsec.try_into()?))
}
