//! The program `nft`, which puts the table into the kernel and tells what is there. Run as a program, since its language is
//! what an operator can read and check, and the kernel's own messages are not.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::Unfenced;
use super::policy::Traffic;
use super::rules::Behind;

const PROGRAM: &str = "nft";
/// How long it may take: it waits for nobody but other firewalls that are being changed.
const PATIENCE: Duration = Duration::from_secs(20);
/// Sets whose content changes by itself.
const MOVING: [&str; 4] = ["probers4", "probers6", "refused4", "refused6"];
/// How long an address counts as a prober's: longer than a probe takes.
const PROBING: &str = "1m";

/// Carries out a script, as a whole or not at all.
pub(super) async fn apply(script: &str) -> Result<(), Unfenced> {
    run(&["-f", "-"], script).await.map(drop)
}

/// What the kernel has of the table, without what changes by itself; `None` if there is no such table.
pub(super) async fn listing(behind: &Behind) -> Result<Option<Value>, Unfenced> {
    match run(&["-j", "list", "table", "inet", &behind.table()], "").await {
        Ok(text) => Ok(Some(still(parse(&text)?))),
        Err(Unfenced::Rules(reason)) if reason.contains("No such file or directory") => Ok(None),
        Err(error) => Err(error),
    }
}

/// From now on the table notes what it refuses to these addresses.
pub(super) async fn watch(behind: &Behind, probers: &[IpAddr]) -> Result<(), Unfenced> {
    let table = behind.table();
    let add = |address: &IpAddr| {
        let family = if address.is_ipv4() { 4 } else { 6 };
        format!("add element inet {table} probers{family} {{ {address} timeout {PROBING} }}\n")
    };
    apply(&probers.iter().map(add).collect::<String>()).await
}

/// What the table has refused to one that is watched, as far as it is noted.
pub(super) async fn refused(behind: &Behind, prober: IpAddr) -> Result<Refused, Unfenced> {
    let set = if prober.is_ipv4() { "refused4" } else { "refused6" };
    let text = run(&["-j", "-n", "list", "set", "inet", &behind.table(), set], "").await?;
    Ok(entries(&parse(&text)?, prober))
}

/// Which packets the fence refused: where to, and what.
pub(super) type Refused = BTreeSet<(IpAddr, TrafficKey)>;

/// [`Traffic`] as it is written in a set: the protocol's number and the port.
pub(super) type TrafficKey = (u8, u16);

/// How a set writes it.
pub(super) fn key(traffic: Traffic) -> TrafficKey {
    match traffic {
        Traffic::Tcp(port) => (6, port),
        Traffic::Udp(port) => (17, port),
    }
}

fn parse(text: &str) -> Result<Value, Unfenced> {
    serde_json::from_str(text).map_err(|error| Unfenced::Rules(format!("what {PROGRAM} printed is no JSON: {error}")))
}

/// A listing without numbers that the kernel deals out and without the content of sets that change by themselves.
fn still(listing: Value) -> Value {
    match listing {
        Value::Object(members) => {
            let name = members.get("name").and_then(Value::as_str);
            let is_moving = name.is_some_and(|name| MOVING.contains(&name));
            let is_kept = |key: &str| key != "handle" && key != "metainfo" && !(is_moving && key == "elem");
            members.into_iter().filter(|(key, _)| is_kept(key)).map(|(key, value)| (key, still(value))).collect()
        }
        Value::Array(values) => values.into_iter().map(still).collect(),
        value => value,
    }
}

/// The entries of a ledger that tell of one prober.
fn entries(listing: &Value, prober: IpAddr) -> Refused {
    let objects = listing.get("nftables").and_then(Value::as_array).into_iter().flatten();
    let elements = objects.filter_map(|object| object.get("set")?.get("elem")?.as_array()).flatten();
    elements
        .filter_map(|element| {
            // With a timeout an element is wrapped once more.
            let element = element.get("elem").and_then(|elem| elem.get("val")).unwrap_or(element);
            let parts = element.get("concat")?.as_array()?;
            let [from, to, protocol, port] = &parts[..] else { return None };
            let from: IpAddr = from.as_str()?.parse().ok()?;
            let port = port.as_u64().and_then(|port| u16::try_from(port).ok())?;
            (from == prober).then_some((to.as_str()?.parse().ok()?, (number(protocol)?, port)))
        })
        .collect()
}

/// A protocol, which is written as a number or by its name.
fn number(protocol: &Value) -> Option<u8> {
    match protocol.as_str() {
        Some("tcp") => Some(6),
        Some("udp") => Some(17),
        Some(text) => text.parse().ok(),
        None => protocol.as_u64().and_then(|number| u8::try_from(number).ok()),
    }
}

async fn run(arguments: &[&str], script: &str) -> Result<String, Unfenced> {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env("LC_ALL", "C").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Unfenced::NoProgram,
        _ => Unfenced::Rules(error.to_string()),
    })?;
    let mut stdin = child.stdin.take();
    let finish = async move {
        if let Some(stdin) = &mut stdin {
            // One that ends before it has read everything says why on its standard error.
            let _ = stdin.write_all(script.as_bytes()).await;
        }
        drop(stdin);
        child.wait_with_output().await
    };
    let output = match timeout(PATIENCE, finish).await {
        Ok(output) => output.map_err(|error| Unfenced::Rules(error.to_string()))?,
        Err(_) => return Err(Unfenced::Rules(format!("{PROGRAM} did not end within {} s", PATIENCE.as_secs()))),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let words = words.lines().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing").trim();
    match words.contains("Operation not permitted") {
        true => Err(Unfenced::NotPermitted(words.to_owned())),
        false => Err(Unfenced::Rules(words.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_listing_is_compared_without_what_changes_by_itself() {
        let listing = |handle: u32, elem: Value| {
            json!({"nftables": [
                {"metainfo": {"version": "1.0.6"}},
                {"set": {"name": "refused4", "handle": handle, "elem": elem}},
                {"set": {"name": "allowed4", "handle": handle, "elem": ["203.0.113.1"]}},
                {"rule": {"chain": "input", "handle": handle, "expr": [{"drop": null}]}},
            ]})
        };
        let (one, other) = (still(listing(1, json!([1]))), still(listing(2, json!([]))));
        assert_eq!(one, other);
        let less = json!({"nftables": [{}, {"set": {"name": "refused4"}}, {"set": {"name": "allowed4"}},
            {"rule": {"chain": "input", "expr": [{"drop": null}]}}]});
        assert_ne!(one, still(less));
    }

    #[test]
    fn a_ledger_tells_who_was_refused_what() {
        let concat = |from: &str, to: &str, protocol: Value, port: u16| json!({"concat": [from, to, protocol, port]});
        let timed = |val: Value| json!({"elem": {"val": val, "timeout": 120, "expires": 119}});
        let listing = json!({"nftables": [{"metainfo": {}}, {"set": {"name": "refused4", "elem": [
            timed(concat("172.18.0.2", "10.0.0.1", json!("tcp"), 80)),
            concat("172.18.0.2", "10.0.0.1", json!(17), 53),
            timed(concat("172.18.0.9", "10.0.0.2", json!("tcp"), 80)),
            "nonsense",
        ]}}]});
        let found = entries(&listing, "172.18.0.2".parse().unwrap());
        let to: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!(found, Refused::from([(to, key(Traffic::Tcp(80))), (to, key(Traffic::Udp(53)))]));
    }
}
