//! Replacements have the types that guests import: a component that imports every one of them can be linked.

use wasmtime::component::Component;

use super::*;

/// The codes that both versions have, in their order.
const CODES: &str = "access already bad-descriptor busy deadlock quota exist file-too-large illegal-byte-sequence \
                     in-progress interrupted invalid io is-directory loop too-many-links message-size name-too-long \
                     no-device no-entry no-lock insufficient-memory insufficient-space not-directory not-empty \
                     not-recoverable unsupported no-tty no-such-device overflow not-permitted pipe read-only \
                     invalid-seek text-file-busy cross-device";

const FLAGS: &str = r#"
    (type $pf' (flags "symlink-follow")) (export "path-flags" (type $pf (eq $pf')))
    (type $of' (flags "create" "directory" "exclusive" "truncate")) (export "open-flags" (type $of (eq $of')))
    (type $df' (flags "read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync" "mutate-directory"))
    (export "descriptor-flags" (type $df (eq $df')))"#;

/// Method, parameters, what it gives when it succeeds.
const METHODS: [(&str, &str, &str); 10] = [
    ("set-size", r#"(param "size" u64)"#, ""),
    (
        "open-at",
        r#"(param "path-flags" $pf) (param "path" string) (param "open-flags" $of) (param "flags" $df)"#,
        "(own $d)",
    ),
    ("create-directory-at", r#"(param "path" string)"#, ""),
    ("symlink-at", r#"(param "old-path" string) (param "new-path" string)"#, ""),
    (
        "link-at",
        r#"(param "old-path-flags" $pf) (param "old-path" string) (param "new-descriptor" (borrow $d)) (param "new-path" string)"#,
        "",
    ),
    ("rename-at", r#"(param "old-path" string) (param "new-descriptor" (borrow $d)) (param "new-path" string)"#, ""),
    ("unlink-file-at", r#"(param "path" string)"#, ""),
    ("remove-directory-at", r#"(param "path" string)"#, ""),
    ("sync", "", ""),
    ("sync-data", "", ""),
];

fn importing(version: &str, code: &str, asynchronous: &str, more: &str) -> String {
    let methods: String = METHODS
        .iter()
        .map(|(name, parameters, gives)| {
            format!(
                "(export \"[method]descriptor.{name}\" (func {asynchronous} (param \"self\" (borrow $d)) {parameters} \
                 (result (result {gives} (error $code)))))\n"
            )
        })
        .collect();
    format!(
        r#"(component
            (import "wasi:filesystem/types@{version}" (instance $types
                (export "descriptor" (type $d (sub resource)))
                {code}
                {FLAGS}
                {methods}
                {more}))
            (alias export $types "descriptor" (type $descriptor))
            (import "wasi:filesystem/preopens@{version}" (instance
                (alias outer 1 $descriptor (type $d))
                (export "descriptor" (type $dd (eq $d)))
                (export "get-directories" (func (result (list (tuple (own $dd) string))))))))"#
    )
}

fn links(component: &str) {
    let engine = engine();
    let mut linker = linker(&engine);
    super::super::add_to_linker(&mut linker).unwrap();
    let component = Component::new(&engine, wat::parse_str(component).unwrap()).unwrap();
    linker.instantiate_pre(&component).unwrap();
}

#[test]
fn the_functions_of_0_2_have_the_types_of_0_2() {
    let codes: String = CODES.replacen("access ", "access would-block ", 1);
    let codes: String = codes.split_whitespace().map(|code| format!("{code:?} ")).collect();
    let code = format!("(type $code' (enum {codes})) (export \"error-code\" (type $code (eq $code')))");
    let write = "(export \"[method]descriptor.write\" (func (param \"self\" (borrow $d)) (param \"buffer\" (list u8)) \
                 (param \"offset\" u64) (result (result u64 (error $code)))))";
    links(&importing("0.2.0", &code, "", write));
}

#[test]
fn the_functions_of_0_3_have_the_types_of_0_3() {
    let cases: String = CODES.split_whitespace().map(|code| format!("(case {code:?})")).collect();
    let code = format!(
        "(type $other (option string)) (type $code' (variant {cases} (case \"other\" $other))) \
         (export \"error-code\" (type $code (eq $code')))"
    );
    let told = "(type $told (result (error $code))) (type $future (future $told)) (type $stream (stream u8))";
    let streams = format!(
        "{told} (export \"[method]descriptor.write-via-stream\" (func (param \"self\" (borrow $d)) \
         (param \"data\" $stream) (param \"offset\" u64) (result $future))) \
         (export \"[method]descriptor.append-via-stream\" (func (param \"self\" (borrow $d)) \
         (param \"data\" $stream) (result $future)))"
    );
    links(&importing("0.3.0", &code, "async", &streams));
}
