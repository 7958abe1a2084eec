//! `cargo xtask screenshots`: the pictures of the README, taken anew by the test that takes them.

use anyhow::bail;

use crate::progress::{say, step};
use crate::test;
use crate::workspace::{Workspace, run_program};

/// Where they are kept, from the top.
const FOLDER: &str = "docs/screenshots";
/// Without it there is a box in the place of each emoji.
const FONT: &str = "fonts-noto-color-emoji";

/// Takes all of them.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    if let Some(arg) = args.first() {
        bail!("screenshots takes no argument {arg:?}");
    }
    let workspace = Workspace::find()?;
    let system = [&test::SYSTEM[..], &[FONT]].concat();
    step("build the components", || crate::guests::build(&workspace, &system).map(drop))?;
    step("build the host", || workspace.build_host())?;
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--release", "--package", "spaceport-tests", "--test", "pages", "screenshots::"]);
    cargo.env("SPACEPORT_GUESTS", workspace.guests()).env("SPACEPORT_BIN", workspace.spaceport());
    cargo.env("SPACEPORT_SCREENSHOTS", workspace.root.join(FOLDER)).env("SPACEPORT_NEEDS_BROWSER", "1");
    step("take the pictures", || run_program(&mut cargo))?;
    say(&format!("they are in {FOLDER}"));
    Ok(())
}
