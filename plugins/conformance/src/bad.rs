//! Bad input: it has to be refused in the protocol's words, or cut off, and the plugin has to be there afterwards.

use std::io::{Read, Write};

use spaceport_backend_protocol::{
    Ask, Call, Description, ErrorCode, ExecReply, Health, Instance, Message, Refusal, Retained, StopRequest, decode,
    limits,
};

use crate::good::{Rule, nobody_id};
use crate::{Kit, Outcome, Wrong, http};

/// What has to hold.
pub(crate) const RULES: [Rule; 6] = [
    ("a path or a method that is none is refused with no_such_call", no_call),
    ("a request that is not JSON, or lacks something, is refused with bad_request", no_request),
    ("a request that cannot be right is refused with bad_request", impossible),
    ("a request that is too long is refused or cut off", too_long),
    ("bytes that are no HTTP hurt nobody", garbage),
    ("a caller that hangs up in the middle hurts nobody", hang_up),
];

fn no_call(kit: &Kit) -> Outcome {
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/v1/nothing"),
        ("GET", "/v999/health"),
        ("POST", "/v1/health"),
        ("DELETE", "/v1/instances"),
        ("POST", "/v1/instances/UPPER/stop"),
        ("POST", "/v1/instances/../stop"),
    ] {
        let reply = http::call(&kit.socket, method, path, b"", kit.call)?;
        let refusal: Refusal = decode(&reply.body)?;
        if (reply.status, refusal.error) != (404, ErrorCode::NoSuchCall) {
            let words = format!("{method} {path} is answered with {} {:?}", reply.status, refusal.error);
            return Err(Wrong::Words(words));
        }
    }
    Ok(())
}

fn no_request(kit: &Kit) -> Outcome {
    for body in ["", "no JSON", "{", "[]", "null", "{}", "\u{0}"] {
        let of = |wrong| named(body, wrong);
        let body = body.as_bytes();
        kit.refused::<Description>(&Call::Describe, body, ErrorCode::BadRequest).map_err(of)?;
        kit.refused::<Instance>(&Call::Start, body, ErrorCode::BadRequest).map_err(of)?;
        kit.refused::<Retained>(&Call::Retain, body, ErrorCode::BadRequest).map_err(of)?;
        kit.refused::<Health>(&Call::Build, body, ErrorCode::BadRequest).map_err(of)?;
        kit.refused::<Instance>(&Call::Stop(nobody_id()), body, ErrorCode::BadRequest).map_err(of)?;
        kit.refused::<ExecReply>(&Call::Exec(nobody_id()), body, ErrorCode::BadRequest).map_err(of)?;
    }
    Ok(())
}

fn named(body: &str, wrong: Wrong) -> Wrong {
    Wrong::Words(format!("with {body:?} as its body: {wrong}"))
}

const BUILD: &str = r#"{"id":"conformance-nobody","scope":"conformance","recipe":{"sdk":"docker"},"files":"/nowhere/at/all",
    "egress":{"ports":[],"allow":[]},"limits":{"seconds":1,"log_bytes":1,"disk_bytes":1}}"#;
const START: &str = r#"{"id":"conformance-nobody","artifact":"sha256:00","port":7860,"egress":{"ports":[],"allow":[]},
    "hardware":{"name":"a","cpu_milli":1,"memory_bytes":1,"disk_bytes":1}}"#;

fn impossible(kit: &Kit) -> Outcome {
    let twins =
        r#"{"hardware":[ROW,ROW]}"#.replace("ROW", r#"{"name":"a","cpu_milli":1,"memory_bytes":1,"disk_bytes":1}"#);
    kit.refused::<Description>(&Call::Describe, twins.as_bytes(), ErrorCode::BadRequest)
        .map_err(|it| named(&twins, it))?;
    for (from, to) in [("7860", "0"), ("conformance-nobody", "../nobody"), ("sha256:00", "a b"), (":1}", ":-1}")] {
        let body = START.replace(from, to);
        kit.refused::<Instance>(&Call::Start, body.as_bytes(), ErrorCode::BadRequest).map_err(|it| named(&body, it))?;
    }
    for (from, to) in [("docker", "unheard-of"), ("/nowhere", "nowhere"), ("\"seconds\":1", "\"seconds\":0")] {
        let body = BUILD.replace(from, to);
        kit.refused::<Health>(&Call::Build, body.as_bytes(), ErrorCode::BadRequest).map_err(|it| named(&body, it))?;
    }
    let grace = format!(r#"{{"grace_ms":{}}}"#, limits::GRACE.as_millis() + 1);
    kit.refused::<Instance>(&Call::Stop(nobody_id()), grace.as_bytes(), ErrorCode::BadRequest)
}

fn too_long(kit: &Kit) -> Outcome {
    let (stop, describe) = (Call::Stop(nobody_id()), Call::Describe);
    for (call, most) in [(&stop, StopRequest::MOST), (&describe, Ask::MOST)] {
        let body = vec![b' '; most + 1];
        match kit.call::<Instance>(call, &body) {
            Ok(Err(refusal)) if refusal.error == ErrorCode::BadRequest => {}
            Ok(answer) => return Err(Wrong::Words(format!("{} of {} bytes: {answer:?}", call.name(), body.len()))),
            // It need not read what it does not want.
            Err(Wrong::Call(http::CallFailed::Io(_))) => {}
            Err(wrong) => return Err(wrong),
        }
    }
    still_there(kit)
}

fn garbage(kit: &Kit) -> Outcome {
    let endless = vec![b'x'; 1 << 20];
    for bytes in [&b"\x16\x03\x01\x00\x00\r\n\r\n"[..], b"GET\r\n\r\n", b"GET /v1/health HTTP/9.9\r\n\r\n", &endless] {
        let mut stream = http::connect(&kit.socket, kit.call).map_err(http::CallFailed::from)?;
        // It need not read to the end, and may say anything.
        if stream.write_all(bytes).is_ok() {
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.take(1 << 16).read_to_end(&mut Vec::new());
        }
        still_there(kit)?;
    }
    Ok(())
}

fn hang_up(kit: &Kit) -> Outcome {
    for bytes in
        [&b""[..], b"GET /v1/hea", b"POST /v1/instances HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"id\":"]
    {
        let mut stream = http::connect(&kit.socket, kit.call).map_err(http::CallFailed::from)?;
        stream.write_all(bytes).map_err(http::CallFailed::from)?;
        drop(stream);
        still_there(kit)?;
    }
    Ok(())
}

fn still_there(kit: &Kit) -> Outcome {
    kit.done::<Health>(&Call::Health, b"").map(drop).map_err(|wrong| Wrong::Words(format!("after that: {wrong}")))
}
