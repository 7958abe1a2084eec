use spaceport_core::limits::COMPONENT;

use super::*;

/// With the limit that holds unless the operator sets another.
fn inspect(component: &[u8]) -> Result<Inspection, Refusal> {
    super::inspect(component, COMPONENT.0)
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

const HANDLER: &str = r#"(instance $handler) (export "wasi:http/incoming-handler@0.2.3" (instance $handler))"#;
/// The same without names, which would be a section of their own at the end.
const NAMELESS: &str = r#"(instance) (export "wasi:http/incoming-handler@0.2.3" (instance 0))"#;

#[test]
fn the_version_of_the_handler_decides_the_interface() {
    let old = inspect(&component(&format!("(component {HANDLER})"))).unwrap();
    assert_eq!(old.interface, Interface::Http02);
    let new =
        inspect(&component(r#"(component (instance $h) (export "wasi:http/handler@0.3.0" (instance $h)))"#)).unwrap();
    assert_eq!(new.interface, Interface::Http03);
    assert!(matches!(inspect(&component("(component)")), Err(Refusal::NoHandler)));
}

#[test]
fn imports_that_are_not_offered_are_named() {
    let text = format!(
        r#"(component (import "wasi:cli/stdout@0.2.0" (instance)) (import "acme:db/query@1.0.0" (instance))
           (import "wasi:http/types@0.3.0-rc-2025" (instance)) (import "run" (func)) {HANDLER})"#
    );
    let Err(Refusal::Imports(names)) = inspect(&component(&text)) else { panic!("taken") };
    assert_eq!(names, ["run", "acme:db/query@1.0.0", "wasi:http/types@0.3.0-rc-2025"]);
}

#[test]
fn only_plugins_may_import_the_sdk() {
    let import = r#"(import "spaceport:sdk/page@0.1.0" (instance))"#;
    let app = inspect(&component(&format!("(component {import} {HANDLER})")));
    assert!(matches!(app, Err(Refusal::Imports(names)) if names == ["spaceport:sdk/page@0.1.0"]));
    let kind = r#"(instance $kind) (export "spaceport:sdk/kind@0.1.0" (instance $kind))"#;
    assert!(inspect(&component(&format!("(component {import} {HANDLER} {kind})"))).unwrap().is_plugin());
}

#[test]
fn modules_noise_and_giants_are_refused() {
    assert!(matches!(inspect(&component("(module)")), Err(Refusal::NotAComponent(_))));
    assert!(matches!(inspect(b"not wasm"), Err(Refusal::NotAComponent(_))));
    assert!(matches!(inspect(b""), Err(Refusal::NotAComponent(_))));
    let handler = component(&format!("(component {HANDLER})"));
    let (size, limit) = (handler.len() as u64, handler.len() as u64 - 1);
    assert!(super::inspect(&handler, size).is_ok());
    let refusal = super::inspect(&handler, limit).unwrap_err();
    assert!(matches!(refusal, Refusal::TooLarge { size: found, limit: most } if (found, most) == (size, limit)));
}

#[test]
fn too_many_memories_are_refused_with_the_numbers() {
    let modules = "(core module (memory 1))".repeat(9);
    let refusal = inspect(&component(&format!("(component {modules} {HANDLER})"))).unwrap_err();
    assert_eq!(refusal.to_string(), "too many memories (9 > 8)");
}

#[test]
fn a_component_that_ends_early_is_refused() {
    let whole = component(&format!("(component (core module (func)) {NAMELESS})"));
    for end in 0..whole.len() {
        assert!(inspect(&whole[..end]).is_err(), "{end} bytes of {}", whole.len());
    }
}
