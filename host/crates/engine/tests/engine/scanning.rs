//! Scanners: what one finds, and what becomes of one that breaks or never ends.

use spaceport_engine::{CompileError, Refusal, ScanError, ScanText, Scanned};

use crate::harness::{World, guest, guest_file};

fn text(path: &str, text: &str) -> ScanText {
    ScanText { path: path.to_owned(), text: text.into() }
}

impl World {
    async fn scan(&self, component: &[u8], texts: Vec<ScanText>) -> Scanned {
        let scanner = self.engine.compile_scanner(component).await.unwrap();
        let scanned = self.engine.scan(scanner, texts).await;
        assert_eq!(self.engine.memory_used(), 0, "it goes with all it had");
        scanned
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_scanner_says_where_secrets_are() {
    let world = World::new();
    // Put together here, so that this file has no secret.
    let token = format!("{}{}", "ghp_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    let second = format!("# nothing\nTOKEN = '{token}'\n");
    let texts = vec![text("a.py", "print('hello')"), text("b.py", &second)];
    let scanned = world.scan(&guest_file("scanner.wasm"), texts).await;
    assert!(scanned.failed.is_none(), "{:?}", scanned.failed);
    let [secret] = &scanned.secrets[..] else { panic!("{:?}", scanned.secrets) };
    assert_eq!((secret.text, secret.rule.as_str()), (1, "github-token"));
    assert_eq!(second[secret.start..secret.end], token);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_scanner_reads_the_largest_push() {
    let world = World::new();
    let line = "def function(argument, other='text', token=None):  # a comment of an ordinary length\n";
    let large = line.repeat((2 << 20) / line.len());
    let texts = (0..8).map(|n| text(&format!("{n}.py"), &large)).collect();
    let scanned = world.scan(&guest_file("scanner.wasm"), texts).await;
    assert!(scanned.failed.is_none() && scanned.secrets.is_empty(), "{:?}", scanned.failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_fails_keeps_what_it_found() {
    let world = World::new();
    let component = guest("scanner_odd");
    let texts = |second: &str| vec![text("a", "fine"), text("b", second), text("c", "fine")];
    for second in ["trap", "spin", "grow"] {
        let scanned = world.scan(&component, texts(second)).await;
        let is_right = match (second, &scanned.failed) {
            ("trap", Some(ScanError::Failed(why))) => why.contains("unreachable"),
            ("spin", Some(ScanError::Fuel | ScanError::TooSlow)) | ("grow", Some(ScanError::NoMemory)) => true,
            _ => false,
        };
        assert!(is_right, "{second}: {:?}", scanned.failed);
        let found: Vec<usize> = scanned.secrets.iter().map(|secret| secret.text).collect();
        assert_eq!((found, scanned.texts), (vec![0], 1), "{second}");
    }
    // It has no file, no variable and no argument to read.
    let scanned = world.scan(&component, texts("look")).await;
    assert!(scanned.failed.is_none(), "{:?}", scanned.failed);
    assert_eq!(scanned.secrets[1].rule, "sees-nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_no_scanner() {
    let world = World::new();
    let refused = world.engine.compile_scanner(&guest("hello")).await.unwrap_err();
    assert!(matches!(refused, CompileError::Refused(Refusal::Link(_))), "{refused}");
}
