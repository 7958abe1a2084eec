//! Prometheus metrics of all Spaces, for the admin listener: `GET /metrics`.
//!
//! Nothing is counted here. The text is made from one snapshot of the fleet at the moment it is asked for, so that two
//! numbers in it belong together.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::HeaderName;
use http::header::CONTENT_TYPE;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use spaceport_control::metrics::LATENCY_BOUNDS_MS;
use spaceport_control::sampler::{FleetSnapshot, SpaceSnapshot};
use spaceport_control::service::Control;

use crate::error::{ApiError, ApiResult};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The route of the metrics. `panics` counts those of the whole process, since its start.
pub fn metrics_router(control: Control, panics: Arc<AtomicU64>) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state((control, panics))
}

async fn metrics(
    State((control, panics)): State<(Control, Arc<AtomicU64>)>,
) -> ApiResult<([(HeaderName, &'static str); 1], String)> {
    let scrape = Scrape { fleet: control.fleet().snapshot(), panics: panics.load(Ordering::Relaxed) };
    let text = text(scrape).map_err(|error| ApiError::internal("write metrics", &error))?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text))
}

fn text(scrape: Scrape) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("spaceport");
    registry.register_collector(Box::new(scrape));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// One snapshot on its way into text.
#[derive(Debug)]
struct Scrape {
    fleet: FleetSnapshot,
    panics: u64,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let out = &mut encoder;
        self.stages(out)?;
        self.counter(out, "space_requests", "Requests answered", |space| space.counts.requests as f64)?;
        self.counter(out, "space_faults", "Requests that the app could not answer", |space| {
            space.counts.faults as f64
        })?;
        self.counter(out, "space_cache_hits", "Requests answered from the cache", |space| {
            space.counts.cache_hits as f64
        })?;
        self.counter(out, "space_response_bytes", "Bytes of response bodies", |space| {
            space.counts.response_bytes as f64
        })?;
        self.counter(out, "space_fuel", "Fuel used by guests", |space| space.usage.fuel as f64)?;
        self.counter(out, "space_cpu_seconds", "Guest time on a CPU", |space| space.usage.cpu.as_secs_f64())?;
        self.counter(out, "space_cold_starts", "Instances started", |space| space.usage.cold_starts as f64)?;
        self.counter(out, "space_cold_start_seconds", "Time those starts took", |space| {
            space.usage.cold_start_time.as_secs_f64()
        })?;
        self.gauge(out, "space_memory_bytes", "Memory its instances hold", |space| space.usage.memory_bytes)?;
        self.gauge(out, "space_instances", "Live instances", |space| space.usage.instances)?;
        self.latencies(out)?;
        self.backends(out)?;
        single(out, "builds_waiting", "Builds that wait for their turn", self.fleet.builds_waiting as u64)?;
        single(out, "builds_running", "Builds under way", self.fleet.builds_running as u64)?;
        single(out, "log_lines_dropped", "Log lines that came too fast", self.fleet.log_lines_dropped)?;
        let mut panics =
            out.encode_descriptor("host_panics", "Panics, each a bug of the host", None, MetricType::Counter)?;
        panics.encode_counter::<NoLabelSet, u64, f64>(&self.panics, None)
    }
}

impl Scrape {
    fn counter(
        &self,
        encoder: &mut DescriptorEncoder,
        name: &str,
        help: &str,
        value: impl Fn(&SpaceSnapshot) -> f64,
    ) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for space in &self.fleet.spaces {
            let labels = [("space", space.path.to_string())];
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, f64, f64>(&value(space), None)?;
        }
        Ok(())
    }

    fn gauge(
        &self,
        encoder: &mut DescriptorEncoder,
        name: &str,
        help: &str,
        value: impl Fn(&SpaceSnapshot) -> u64,
    ) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for space in &self.fleet.spaces {
            let labels = [("space", space.path.to_string())];
            metric.encode_family(&labels)?.encode_gauge(&value(space))?;
        }
        Ok(())
    }

    fn stages(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let mut metric = encoder.encode_descriptor("space_stage", "The stage it is in", None, MetricType::Gauge)?;
        for space in &self.fleet.spaces {
            let labels = [("space", space.path.to_string()), ("stage", space.stage.to_string())];
            metric.encode_family(&labels)?.encode_gauge(&1u64)?;
        }
        Ok(())
    }

    fn backends(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "Whether the backend plugin answers";
        let mut metric = encoder.encode_descriptor("backend_up", help, None, MetricType::Gauge)?;
        for backend in &self.fleet.backend_plugins {
            let is_up = u64::from(backend.problem.is_none());
            metric.encode_family(&[("backend", backend.name.as_str())])?.encode_gauge(&is_up)?;
        }
        let help = "Times the backend plugin was started again";
        let mut metric = encoder.encode_descriptor("backend_restarts", help, None, MetricType::Counter)?;
        for backend in &self.fleet.backend_plugins {
            let labels = [("backend", backend.name.as_str())];
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, f64>(&backend.restarts, None)?;
        }
        Ok(())
    }

    fn latencies(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "Time to the head of the response";
        let mut metric = encoder.encode_descriptor("space_latency_seconds", help, None, MetricType::Histogram)?;
        for space in &self.fleet.spaces {
            let labels = [("space", space.path.to_string())];
            let counts = &space.counts;
            let bounds = LATENCY_BOUNDS_MS.iter().map(|ms| Duration::from_millis(*ms).as_secs_f64());
            // The encoder writes the largest number as "+Inf".
            let bounds = bounds.chain(std::iter::once(f64::MAX));
            let buckets: Vec<(f64, u64)> = bounds.zip(counts.latency).collect();
            let sum = Duration::from_micros(counts.latency_sum_us).as_secs_f64();
            let count = counts.latency.iter().sum();
            metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }
}

fn single(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
}

#[cfg(test)]
mod tests {
    use spaceport_control::metrics::SpaceMetrics;
    use spaceport_control::ports::{BackendPlugin, Usage};
    use spaceport_core::id::SpaceId;
    use spaceport_core::stage::Stage;

    use super::*;

    #[test]
    fn every_space_has_its_own_labelled_lines() {
        let metrics = SpaceMetrics::default();
        metrics.record(Duration::from_micros(1500), false, false);
        metrics.record(Duration::from_secs(60), true, false);
        let space = SpaceSnapshot {
            space: SpaceId::from_bytes([1; 12]),
            path: "ada/hello".parse().unwrap(),
            stage: Stage::Running,
            counts: metrics.counts(),
            usage: Usage { fuel: 7, instances: 2, ..Usage::default() },
        };
        let backend = |name: &str, problem: Option<&str>, restarts| BackendPlugin {
            name: name.to_owned(),
            problem: problem.map(str::to_owned),
            restarts,
        };
        let backend_plugins = vec![backend("well", None, 0), backend("docker", Some("it ended"), 3)];
        let fleet = FleetSnapshot { spaces: vec![space], backend_plugins, ..FleetSnapshot::default() };
        let text = text(Scrape { fleet, panics: 3 }).unwrap();
        for line in [
            "spaceport_space_requests_total{space=\"ada/hello\"} 2.0",
            "spaceport_space_faults_total{space=\"ada/hello\"} 1.0",
            "spaceport_space_fuel_total{space=\"ada/hello\"} 7.0",
            "spaceport_space_instances{space=\"ada/hello\"} 2",
            "spaceport_space_stage{space=\"ada/hello\",stage=\"RUNNING\"} 1",
            "spaceport_space_latency_seconds_bucket{le=\"0.002\",space=\"ada/hello\"} 1",
            "spaceport_space_latency_seconds_bucket{le=\"+Inf\",space=\"ada/hello\"} 2",
            "spaceport_builds_waiting 0",
            "spaceport_backend_up{backend=\"well\"} 1",
            "spaceport_backend_up{backend=\"docker\"} 0",
            "spaceport_backend_restarts_total{backend=\"docker\"} 3",
            "spaceport_host_panics_total 3",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
